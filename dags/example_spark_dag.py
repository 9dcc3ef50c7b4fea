"""Spark reads an XCom where it lies, in S3 or HDFS, and writes a result that a later task finds.

| task | does |
| --- | --- |
| `extract` | returns the trips of two months as a DataFrame: one Parquet file |
| `revenue_by_zone` | has Spark sum that file up by zone; returns the URI of the result |
| `report` | reads of the result the five zones with the most revenue |

Spark gets two URIs, and the keys to the bucket or a user of HDFS. What it reads and writes passes
through no worker; here it computes in the worker's machine, elsewhere on the cluster that the
connection `spark_default` names (`include/spark.py`).

#### What it needs

Java 17, and Spark in `spark_venv`: run `python3 -m dev spark` before you trigger this DAG. No image
has it by default; without it `revenue_by_zone` fails, and says so.

#### What to look at after a run

- **The log of `revenue_by_zone`**: the URI, no `XCom pull`, and how long Spark took.
- **The XCom of `revenue_by_zone`**: a short string in Airflow's database.
- **The bucket**: XComs, and below `spark/` the result, that stays when the XComs are swept.

      xcom/dag_id=example_spark_dag/run_id=…/task_id=extract/map_index=-1/return_value-….parquet
      xcom/dag_id=example_spark_dag/run_id=…/task_id=report/map_index=-1/return_value-….parquet
      spark/trips/run_id=…/revenue_by_zone/part-….snappy.parquet
      spark/trips/run_id=…/revenue_by_zone/_SUCCESS
"""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from airflow.sdk import DAG, get_current_context, task
from pendulum import datetime

from include.taxi_data import data_dir

# Airflow imports this file all the time: so only the tasks import pandas and DuckDB.
if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger("airflow.task")

JOB = Path(__file__).parent / "spark" / "revenue_by_zone.py"

with DAG(
    dag_id="example_spark_dag",
    description="Spark reads an XCom by its URI, and writes a result that a task reports",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2025, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args={"owner": "data-team", "retries": 2, "retry_delay": timedelta(seconds=30)},
    tags=["example", "needs: dev spark", "spark", "xcom"],
):

    @task
    def extract() -> pd.DataFrame:
        """Read the trips of both months."""
        import pandas as pd

        files = sorted(data_dir().glob("yellow_tripdata_sample_*.csv"))
        months = [pd.read_csv(file, parse_dates=["pickup_datetime"]) for file in files]
        return pd.concat(months, ignore_index=True)

    @task
    def revenue_by_zone() -> str:
        """Have Spark sum the trips up; return where the result lies."""
        from include import spark, xcom_reference

        context = get_current_context()
        trips = xcom_reference.locate(context["ti"], "extract")
        log.info("%s: %s", trips.uri, trips.summary)
        run = quote(context["run_id"], safe="")
        result = spark.results().uri(f"run_id={run}/revenue_by_zone")
        spark.submit(JOB, trips.uri, result)
        return result

    @task
    def report() -> pd.DataFrame:
        """Read the five zones with the most revenue, and no more."""
        from include import spark
        from include.xcom_reference.services import StoreAccess

        result = get_current_context()["ti"].xcom_pull(task_ids="revenue_by_zone")
        with StoreAccess(store=spark.results()).duckdb() as db:
            # Without a column for `run_id=…` in the path.
            zones = db.read_parquet(f"{result}/*.parquet", hive_partitioning=False)
            top = zones.order("revenue DESC").limit(5).df()
        for zone, trips, revenue in top.itertuples(index=False):
            log.info("zone %d: %d trips, %.2f dollars", zone, trips, revenue)
        return top

    extract() >> revenue_by_zone() >> report()
