"""Sum trips up by zone. Plain PySpark, which knows nothing of Airflow.

spark-submit revenue_by_zone.py s3a://…/return_value-….parquet s3a://…/revenue_by_zone
"""

from __future__ import annotations

import sys

from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812 - as everyone calls it


def main(source: str, target: str) -> None:
    spark = SparkSession.builder.appName("revenue_by_zone").getOrCreate()
    zones = (
        spark.read.parquet(source)
        .groupBy("pickup_location_id")
        .agg(F.count("*").alias("trips"), F.round(F.sum("total_amount"), 2).alias("revenue"))
    )
    # One file, as the result is small. A retry overwrites it.
    zones.coalesce(1).write.mode("overwrite").parquet(target)
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
