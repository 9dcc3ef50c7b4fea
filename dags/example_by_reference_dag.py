"""An XCom read where it lies in S3: for data that is too big to download, or mostly not needed.

| task | does |
| --- | --- |
| `extract` | returns the trips of two months as a DataFrame: one Parquet file in S3 |
| `busiest_zones` | lets DuckDB sum them up in S3: two columns, and only of February |
| `longest_trips` | the same file with pandas: four columns, only of trips beyond 15 miles |
| `report` | pulls the two small results |

Neither of the two downloads the DataFrame: `include.xcom_reference.locate` gives the URI of
the XCom and the way to it, and the engine fetches the parts of the file that the query needs.

#### What to look at after a run

- **The logs of `busiest_zones` and `longest_trips`**: the URI, and no `XCom pull`.
- **The bucket**

      xcom/dag_id=example_by_reference_dag/run_id=…/task_id=extract/map_index=-1/return_value-….parquet
      xcom/dag_id=example_by_reference_dag/run_id=…/task_id=busiest_zones/map_index=-1/return_value-….parquet
      xcom/dag_id=example_by_reference_dag/run_id=…/task_id=longest_trips/map_index=-1/return_value-….parquet

`docs/by_reference.md` has the same for Spark, Athena and others, and says when data should not be
an XCom at all.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.sdk import DAG, get_current_context, task
from pendulum import datetime

from include.taxi_data import data_dir

# Airflow imports this file all the time: so only the tasks import pandas and DuckDB.
if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger("airflow.task")

with DAG(
    dag_id="example_by_reference_dag",
    description="DuckDB and pandas read an XCom in S3 by its URI, without downloading it",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2025, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args={"owner": "data-team", "retries": 2, "retry_delay": timedelta(seconds=30)},
    tags=["example", "duckdb", "pandas", "xcom"],
):

    @task
    def extract() -> pd.DataFrame:
        """Read the trips of both months."""
        import pandas as pd

        files = sorted(data_dir().glob("yellow_tripdata_sample_*.csv"))
        months = [pd.read_csv(file, parse_dates=["pickup_datetime"]) for file in files]
        return pd.concat(months, ignore_index=True)

    @task
    def busiest_zones() -> pd.DataFrame:
        """Count February's trips by zone, with DuckDB."""
        from include import xcom_reference

        trips = xcom_reference.locate(get_current_context()["ti"], "extract")
        log.info("%s: %s", trips.uri, trips.summary)
        with trips.duckdb() as db:
            return db.sql(
                """
                SELECT pickup_location_id AS zone, count(*) AS trips
                FROM xcom
                WHERE pickup_datetime >= '2019-02-01'
                GROUP BY zone ORDER BY trips DESC, zone LIMIT 5
                """
            ).df()

    @task
    def longest_trips() -> pd.DataFrame:
        """Find the trips beyond 15 miles, with pandas."""
        import pandas as pd

        from include import xcom_reference

        trips = xcom_reference.locate(get_current_context()["ti"], "extract")
        log.info("%s: %s", trips.uri, trips.summary)
        return pd.read_parquet(
            trips.path,
            filesystem=trips.access.arrow_filesystem(),
            columns=["pickup_datetime", "pickup_location_id", "trip_distance", "total_amount"],
            filters=[("trip_distance", ">", 15)],
        )

    @task
    def report() -> None:
        """Log what the two found."""
        ti = get_current_context()["ti"]
        zones = ti.xcom_pull(task_ids="busiest_zones")
        log.info("busiest zones of February: %s", zones["zone"].tolist())
        trips = ti.xcom_pull(task_ids="longest_trips")
        log.info("%d trips beyond 15 miles", len(trips))

    extract() >> [busiest_zones(), longest_trips()] >> report()
