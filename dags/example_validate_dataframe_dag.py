"""Great Expectations on a DataFrame that flows from task to task; a branch acts on the result.

| task | does |
| --- | --- |
| `extract` | returns the trips of a month as a DataFrame |
| `validate` | validates them, returns the result, and pushes the trips that failed |
| `publish_or_inspect` | a branch: reads the result and chooses |
| `publish` | stands for whatever uses good data |
| `inspect` | logs what was wrong with which trips |

The parameter `month` chooses the data when the DAG is triggered: `2019-02` (the default) has trips
without passengers, which the suite `taxi.demo` does not allow; `2019-01` is as expected.

#### What to look at after a run

- **The Grid**: the run is a success with either month. Bad data takes the branch to `inspect`, and
  `publish` is skipped. In `example_validation_failure_dag` bad data fails the run instead.
- **The log of `inspect`**.
- **The bucket**: the trips, the result, and with February the trips that failed.

      xcom/dag_id=example_validate_dataframe_dag/run_id=…/task_id=extract/map_index=-1/return_value-….parquet
      xcom/dag_id=example_validate_dataframe_dag/run_id=…/task_id=validate/map_index=-1/failed_trips-….parquet
      xcom/dag_id=example_validate_dataframe_dag/run_id=…/task_id=validate/map_index=-1/return_value-….json

#### Why not `GXValidateDataFrameOperator`

It takes its data from a function, `configure_dataframe`, which it calls in its constructor: each
time that Airflow reads the DAG file, in every process that does, long before any task has run. Then
there is no DataFrame of an upstream task. In a `@task`, Great Expectations gets what flows.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.sdk import DAG, Param, get_current_context, task
from pendulum import datetime

from include.great_expectations.taxi import taxi_suite
from include.taxi_data import data_dir

# Airflow imports this file all the time: so only the tasks import pandas and Great Expectations.
if TYPE_CHECKING:
    import pandas as pd
    from great_expectations.core import ExpectationSuiteValidationResult

log = logging.getLogger("airflow.task")

with DAG(
    dag_id="example_validate_dataframe_dag",
    description="Great Expectations validates an upstream DataFrame, and a branch acts on it",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2025, 1, 1),
    catchup=False,
    max_active_runs=1,
    params={"month": Param("2019-02", enum=["2019-01", "2019-02"])},
    default_args={"owner": "data-team", "retries": 2, "retry_delay": timedelta(seconds=30)},
    tags=["example", "great_expectations", "pandas", "xcom"],
):

    @task
    def extract() -> pd.DataFrame:
        """Read the trips of the month that was chosen."""
        import pandas as pd

        month = get_current_context()["params"]["month"]
        return pd.read_csv(data_dir() / f"yellow_tripdata_sample_{month}.csv")

    @task
    def validate() -> ExpectationSuiteValidationResult:
        """Validate the trips; keep those that are not as expected."""
        import great_expectations as gx

        ti = get_current_context()["ti"]
        trips = ti.xcom_pull(task_ids="extract")
        context = gx.get_context(mode="ephemeral")
        batch = (
            context.data_sources.add_pandas("airflow")
            .add_dataframe_asset("trips")
            .add_batch_definition_whole_dataframe("whole")
            .get_batch({"dataframe": trips})
        )
        # COMPLETE says of every row that failed where it is; the result is larger, but in S3.
        result = batch.validate(taxi_suite(), result_format="COMPLETE")
        failed = {
            row
            for expectation in result.results
            for row in expectation.result.get("unexpected_index_list") or []
        }
        if failed:
            ti.xcom_push("failed_trips", trips.loc[sorted(failed)])
        return result

    @task.branch
    def publish_or_inspect() -> str:
        """Choose by the result, which is a dict since it was pushed."""
        result = get_current_context()["ti"].xcom_pull(task_ids="validate")
        return "publish" if result["success"] else "inspect"

    @task
    def publish() -> None:
        """Use the trips."""
        log.info("The trips are published")

    @task
    def inspect() -> None:
        """Log what was wrong with which trips."""
        ti = get_current_context()["ti"]
        result = ti.xcom_pull(task_ids="validate")
        failed_trips = ti.xcom_pull(task_ids="validate", key="failed_trips")
        for validated in result["results"]:
            if not validated["success"]:
                expectation = validated["expectation_config"]
                column = expectation["kwargs"].get("column", "the table")
                log.info("%s is not met on %s", expectation["type"], column)
        if failed_trips is not None:
            log.info("%d trips are not as expected", len(failed_trips))
            log.info(
                "passengers on them: %s", sorted(failed_trips["passenger_count"].unique().tolist())
            )

    extract() >> validate() >> publish_or_inspect() >> [publish(), inspect()]
