"""DataFrames from task to task: extract, transform, summarise.

| task | returns |
| --- | --- |
| `extract` | January's taxi trips as they are in the file, a DataFrame |
| `transform` | the trips with proper dtypes and the duration of each, a DataFrame |
| `summarise` | two DataFrames in a dict, each an XCom of its own (`multiple_outputs`) |
| `report` | nothing; it reads one of the two and the trips, and logs what they are |

#### What to look at after a run

- **The log of `report`**: the dtypes are those that `transform` gave. Through a CSV file, the way
  DataFrames often travel between tasks, some of them would have been lost:

  | column | dtype from S3 | dtype from a CSV file |
  | --- | --- | --- |
  | `pickup_datetime` | `datetime64[us]` | `str` |
  | `passenger_count` | `Int8` | `int64` |
  | `payment` | `category` | `str` |
  | `duration` | `timedelta64[us]` | `str` |

- **The bucket**: Parquet files, that any tool reads.

      xcom/dag_id=example_dataframe_dag/run_id=…/task_id=extract/map_index=-1/return_value-….parquet
      xcom/dag_id=example_dataframe_dag/run_id=…/task_id=transform/map_index=-1/return_value-….parquet
      xcom/dag_id=example_dataframe_dag/run_id=…/task_id=summarise/map_index=-1/by_day-….parquet
      xcom/dag_id=example_dataframe_dag/run_id=…/task_id=summarise/map_index=-1/by_payment-….parquet

  With `multiple_outputs` Airflow pushes the dict as well, as `return_value`. It is a small JSON
  object, with its DataFrames beside it:

      xcom/dag_id=example_dataframe_dag/run_id=…/task_id=summarise/map_index=-1/return_value-….json
      xcom/dag_id=example_dataframe_dag/run_id=…/task_id=summarise/map_index=-1/return_value-…/0.parquet
      xcom/dag_id=example_dataframe_dag/run_id=…/task_id=summarise/map_index=-1/return_value-…/1.parquet

- **The XCom tab** (under Storage) of a task: what Airflow's database holds is a reference to the
  object, with its shape and dtypes, and no row of it.

The tasks pull their DataFrames inside and do not take them as arguments. `transform(extract())`
works too, but Airflow keeps a task's arguments, as rendered, in its database: first and last rows
of each DataFrame.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.sdk import DAG, get_current_context, task
from pendulum import datetime

from include.taxi_data import data_dir

# pandas takes half a second to import, and Airflow imports this file all the time: so only the
# tasks import it.
if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger("airflow.task")

PAYMENTS = {1: "card", 2: "cash", 3: "no charge", 4: "dispute"}

with DAG(
    dag_id="example_dataframe_dag",
    description="DataFrames travel between tasks through S3, with their dtypes",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2025, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args={"owner": "data-team", "retries": 2, "retry_delay": timedelta(seconds=30)},
    tags=["example", "pandas", "xcom"],
):

    @task
    def extract() -> pd.DataFrame:
        """Read the trips of January."""
        import pandas as pd

        return pd.read_csv(data_dir() / "yellow_tripdata_sample_2019-01.csv")

    @task
    def transform() -> pd.DataFrame:
        """Give each column the dtype that it means."""
        import pandas as pd

        trips = get_current_context()["ti"].xcom_pull(task_ids="extract")
        pickup = pd.to_datetime(trips["pickup_datetime"])
        return pd.DataFrame(
            {
                "pickup_datetime": pickup,
                "zone": trips["pickup_location_id"],
                "passenger_count": trips["passenger_count"].astype("Int8"),
                "payment": trips["payment_type"].map(PAYMENTS).astype("category"),
                "duration": pd.to_datetime(trips["dropoff_datetime"]) - pickup,
                "total_amount": trips["total_amount"],
            }
        )

    @task(multiple_outputs=True)
    def summarise() -> dict[str, pd.DataFrame]:
        """Sum the trips up, by day and by kind of payment."""
        trips = get_current_context()["ti"].xcom_pull(task_ids="transform")
        sums = {"trips": ("zone", "size"), "mean_duration": ("duration", "mean")}
        return {
            "by_day": trips.groupby(trips["pickup_datetime"].dt.floor("D")).agg(**sums),
            "by_payment": trips.groupby("payment", observed=True).agg(**sums),
        }

    @task
    def report() -> None:
        """Log what arrived."""
        ti = get_current_context()["ti"]
        trips = ti.xcom_pull(task_ids="transform")
        for column, dtype in trips.dtypes.items():
            log.info("%s: %s", column, dtype)
        by_day = ti.xcom_pull(task_ids="summarise", key="by_day")
        busiest = by_day["trips"].idxmax()
        log.info("%s was the busiest of %d days", busiest.date(), len(by_day))

    extract() >> transform() >> summarise() >> report()
