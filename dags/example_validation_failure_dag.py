"""What happens when data is not as expected.

Some trips of February have no passengers, which the expectation suite `taxi.demo` does not allow.
So this DAG's run **ends as failed, on purpose**:

| task | ends as | because |
| --- | --- | --- |
| `validate_february` | failed | the data is not as expected |
| `publish` | upstream_failed | it consumes the data, so it must never see February |
| `explain_failure` | success | it reads the failed validation's result and logs what was wrong |

#### What to look at after a run

- **The log of `explain_failure`**: which expectations failed, and for how many trips.
- **The bucket**: the result of the failed validation is there, because it is pushed before the task
  fails.

      xcom/dag_id=example_validation_failure_dag/run_id=…/task_id=validate_february/map_index=-1/return_value-….json

Start it by hand: it has no schedule.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from airflow.sdk import DAG, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException
from great_expectations_provider.operators.validate_batch import GXValidateBatchOperator
from pendulum import datetime

from include.great_expectations.taxi import monthly_trips, taxi_suite

log = logging.getLogger("airflow.task")

with DAG(
    dag_id="example_validation_failure_dag",
    description="A failed validation stops what depends on it, and stays readable (run fails)",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2025, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args={"owner": "data-team", "retries": 2, "retry_delay": timedelta(seconds=30)},
    tags=["example", "great_expectations", "xcom"],
):
    validate_february = GXValidateBatchOperator(
        task_id="validate_february",
        configure_batch_definition=monthly_trips,
        configure_expectations=lambda _context: taxi_suite(),
        batch_parameters={"year": 2019, "month": 2},
        retries=0,  # the same data fails again
    )

    @task
    def publish() -> None:
        """Stands for whatever uses the data."""
        log.info("February is published")

    @task(trigger_rule="all_done")
    def explain_failure() -> None:
        """Fetch the validation's result from S3 and log what was not as expected."""
        result = get_current_context()["ti"].xcom_pull(task_ids="validate_february")
        if result is None:
            raise AirflowFailException(
                "validate_february failed before it had a result: see its log"
            )
        failed = [e for e in result["expectations"] if not e["success"]]
        log.info("%d of %d expectations failed", len(failed), len(result["expectations"]))
        for expectation in failed:
            log.info(
                "%s on %s: %s of %s trips are not as expected",
                expectation["expectation_type"],
                expectation["kwargs"].get("column", "the table"),
                expectation["result"].get("unexpected_count", "all"),
                expectation["result"].get("element_count", "all"),
            )

    # Airflow judges a run by its last tasks. `explain_failure` runs whatever happened before it,
    # so that alone at the end it would turn the run green. `publish` at the end keeps it honest.
    validate_february >> [publish(), explain_failure()]
