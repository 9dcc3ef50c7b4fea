"""Dynamic task mapping over S3: one task instance a zone, each returning a DataFrame.

| task | instances | does |
| --- | --- | --- |
| `busiest_zones` | 1 | finds the five taxi zones with most pick-ups in January: a small list |
| `trips_of_zone` | 5, one for each zone | returns the zone's trips as a DataFrame |
| `compare` | 1 | reads the five DataFrames, in parallel, and logs a line for each |

The third instance of `trips_of_zone` **fails at its first try, on purpose**, after it has pushed
something. Airflow tries it again, and what the first try pushed is deleted from S3.

#### What to look at after a run

- **The Grid**: `trips_of_zone` has five instances; the third has two tries.
- **The log of `trips_of_zone`, map index 2, second try**: `Deleted s3://…/preview-….parquet`.
- **The log of `compare`**: one line for each zone.
- **The bucket**: one DataFrame for each instance, told apart by `map_index`, and a preview, that
  of the second try.

      xcom/dag_id=example_dynamic_mapping_dag/run_id=…/task_id=trips_of_zone/map_index=0/return_value-….parquet
      xcom/dag_id=example_dynamic_mapping_dag/run_id=…/task_id=trips_of_zone/map_index=1/return_value-….parquet
      xcom/dag_id=example_dynamic_mapping_dag/run_id=…/task_id=trips_of_zone/map_index=2/preview-….parquet
      xcom/dag_id=example_dynamic_mapping_dag/run_id=…/task_id=trips_of_zone/map_index=2/return_value-….parquet
      xcom/dag_id=example_dynamic_mapping_dag/run_id=…/task_id=trips_of_zone/map_index=3/return_value-….parquet
      xcom/dag_id=example_dynamic_mapping_dag/run_id=…/task_id=trips_of_zone/map_index=4/return_value-….parquet

- The list of zones is not there: plain values up to 1,024 bytes stay in Airflow's database.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.sdk import DAG, get_current_context, task
from pendulum import datetime

from include.taxi_data import data_dir

# Airflow imports this file all the time: so only the tasks import pandas.
if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger("airflow.task")

JANUARY = "yellow_tripdata_sample_2019-01.csv"

with DAG(
    dag_id="example_dynamic_mapping_dag",
    description="Mapped tasks return DataFrames, one task reads them all (one try fails)",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2025, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args={"owner": "data-team", "retries": 2, "retry_delay": timedelta(seconds=5)},
    tags=["example", "pandas", "dynamic-mapping", "xcom"],
):

    @task
    def busiest_zones() -> list[int]:
        """Find the zones with most pick-ups."""
        import pandas as pd

        trips = pd.read_csv(data_dir() / JANUARY, usecols=["pickup_location_id"])
        return trips["pickup_location_id"].value_counts().head(5).index.tolist()

    @task
    def trips_of_zone(zone: int) -> pd.DataFrame:
        """Read the trips of one zone."""
        import pandas as pd

        trips = pd.read_csv(data_dir() / JANUARY, parse_dates=["pickup_datetime"])
        trips = trips[trips["pickup_location_id"] == zone]
        ti = get_current_context()["ti"]
        if ti.map_index == 2:
            ti.xcom_push("preview", trips.head())
            if ti.try_number == 1:
                raise RuntimeError("The first try fails, to show what a retry does")
        return trips

    @task
    def compare() -> None:
        """Read the trips of all zones."""
        # A list of task ids, because Airflow then returns a list however many instances there are.
        zones = get_current_context()["ti"].xcom_pull(task_ids=["trips_of_zone"])
        for trips in zones:
            log.info(
                "zone %d: %d trips, most of them at %02d:00",
                trips["pickup_location_id"].iloc[0],
                len(trips),
                trips["pickup_datetime"].dt.hour.mode()[0],
            )

    trips_of_zone.expand(zone=busiest_zones()) >> compare()
