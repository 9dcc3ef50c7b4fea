"""Taxi trips validated with Great Expectations, and the results kept in S3.

Three tasks validate a month of trips, each in one of the ways that the Airflow provider of Great
Expectations offers. A fourth task reads their three results back.

| task | validates | with |
| --- | --- | --- |
| `ge_batch_kwargs_list_pass` | January, week by week | one Checkpoint, five ValidationDefinitions |
| `ge_batch_kwargs_pass` | January, one batch | the suite `taxi.demo` |
| `ge_checkpoint_pass` | January, one batch | the checkpoint `taxi.pass.chk` |

Suite and checkpoint are in the Great Expectations project `include/great_expectations/gx`.

#### What to look at after a run

- **The log of `read_results`**: one line for each result, how many expectations were met.
- **The bucket**: three objects, one for each validation. Characters like `:` and `+` of a run id
  are percent-encoded in the key.

      xcom/dag_id=example_great_expectations_dag/run_id=…/task_id=ge_batch_kwargs_list_pass/map_index=-1/return_value-….json
      xcom/dag_id=example_great_expectations_dag/run_id=…/task_id=ge_batch_kwargs_pass/map_index=-1/return_value-….json
      xcom/dag_id=example_great_expectations_dag/run_id=…/task_id=ge_checkpoint_pass/map_index=-1/return_value-….json

- **The XCom tab** (under Storage) of a validation task: Airflow's database holds a reference to the
  object, with its `uri`, and not the result.
- `example_validation_failure_dag` shows the same with data that is not as expected.

The trips are in `include/data`. To validate others, set the Airflow Variable `taxi_data_dir` to a
directory with files of the same names.

#### If you know `GreatExpectationsOperator`

It is gone in version 1.0 of the provider. Its parameters went here:

| old parameter | with provider 1.0 and Great Expectations 1.x |
| --- | --- |
| `expectation_suite_name` | `configure_expectations` returns the suite; a checkpoint has its own |
| `batch_kwargs` | `configure_batch_definition`, and `batch_parameters` to pick the batch |
| `assets_to_validate` | several ValidationDefinitions in the Checkpoint of `configure_checkpoint` |
| `checkpoint_name` | `configure_checkpoint` returns `context.checkpoints.get(name)` |
| `data_context_root_dir` | `context_type="file"` and `configure_file_data_context` |
| `run_name` | gone; a result is found by its Airflow run, as the keys above show |
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException
from great_expectations_provider.operators.validate_batch import GXValidateBatchOperator
from great_expectations_provider.operators.validate_checkpoint import GXValidateCheckpointOperator
from pendulum import datetime

from include.great_expectations.taxi import monthly_trips, open_project, taxi_suite

# Great Expectations takes seconds to import, and Airflow imports this file all the time: so only
# the functions that need it import it.
if TYPE_CHECKING:
    from great_expectations import Checkpoint
    from great_expectations.data_context import AbstractDataContext

log = logging.getLogger("airflow.task")

JANUARY = {"year": 2019, "month": 1}
WEEKS = [
    ("2019-01-01", "2019-01-08"),
    ("2019-01-08", "2019-01-15"),
    ("2019-01-15", "2019-01-22"),
    ("2019-01-22", "2019-01-29"),
    ("2019-01-29", "2019-02-01"),
]


def week_by_week(context: AbstractDataContext) -> Checkpoint:
    """A checkpoint with one validation a week: what the suite says of columns, for its trips."""
    import great_expectations as gx
    from great_expectations.expectations.row_conditions import Column

    trips = monthly_trips(context)
    validations = []
    for first_day, next_week in WEEKS:
        pickup = Column("pickup_datetime")
        suite = taxi_suite(name=f"taxi.demo from {first_day}")
        # The suite's number of trips is one for a whole month.
        suite.expectations = [e for e in suite.expectations if hasattr(e, "column")]
        expectation: Any  # the field is one of those with a column
        for expectation in suite.expectations:
            expectation.row_condition = (pickup >= first_day) & (pickup < next_week)
        validation = gx.ValidationDefinition(name=suite.name, data=trips, suite=suite)
        validations.append(context.validation_definitions.add_or_update(validation))
    return context.checkpoints.add(
        gx.Checkpoint(name="week by week", validation_definitions=validations)
    )


def checkpoint_on_disk(context: AbstractDataContext) -> Checkpoint:
    """The checkpoint that the project in `include/great_expectations/gx` defines."""
    return context.checkpoints.get("taxi.pass.chk")


with DAG(
    dag_id="example_great_expectations_dag",
    description="Great Expectations results travel between tasks through S3",
    doc_md=__doc__,
    schedule="@daily",
    start_date=datetime(2025, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args={"owner": "data-team", "retries": 2, "retry_delay": timedelta(seconds=30)},
    tags=["example", "great_expectations", "xcom"],
):
    ge_batch_kwargs_list_pass = GXValidateCheckpointOperator(
        task_id="ge_batch_kwargs_list_pass",
        configure_checkpoint=week_by_week,
        batch_parameters=JANUARY,
    )

    ge_batch_kwargs_pass = GXValidateBatchOperator(
        task_id="ge_batch_kwargs_pass",
        configure_batch_definition=monthly_trips,
        configure_expectations=lambda _context: taxi_suite(),
        batch_parameters=JANUARY,
    )

    ge_checkpoint_pass = GXValidateCheckpointOperator(
        task_id="ge_checkpoint_pass",
        context_type="file",
        configure_file_data_context=open_project,
        configure_checkpoint=checkpoint_on_disk,
    )

    @task
    def read_results() -> None:
        """Fetch the three results from S3 and say what they found."""
        # Pulled here and not passed as arguments, because Airflow keeps a task's arguments, as
        # rendered, in its database.
        ti = get_current_context()["ti"]
        for task_id in ("ge_batch_kwargs_list_pass", "ge_batch_kwargs_pass", "ge_checkpoint_pass"):
            result = ti.xcom_pull(task_ids=task_id)
            if result is None or result["success"] is not True:
                raise AirflowFailException(f"{task_id} left no result of success: {result}")
            # A checkpoint's result is a list of those of its validations.
            validations = result.get("validation_results", [result])
            met = sum(v["statistics"]["successful_expectations"] for v in validations)
            total = sum(v["statistics"]["evaluated_expectations"] for v in validations)
            log.info("%s: %d of %d expectations met", task_id, met, total)

    ge_batch_kwargs_list_pass >> ge_batch_kwargs_pass >> ge_checkpoint_pass >> read_results()
