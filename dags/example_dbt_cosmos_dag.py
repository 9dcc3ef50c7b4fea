"""dbt models that read an XCom where it lies in S3, as Airflow tasks by Cosmos.

| task | does |
| --- | --- |
| `extract` | returns January's taxi trips as a DataFrame: a Parquet file in S3 |
| `trips.stg_trips_model_build` | dbt reads that file by its URI and writes the staged trips to S3 |
| `trips.trips_by_zone_model_build` | dbt builds a mart from the staged trips: one row a taxi zone |
| `trips.trips_by_day_model_build` | dbt builds another: one row a day |
| `load_mart` | returns the mart `trips_by_zone` as a DataFrame |
| `validate_mart` | validates it with Great Expectations, and fails if it is not as expected |

Cosmos makes a task of each model of the dbt project `dags/dbt/trips`; its dbt tests run in the same
task, and a failing one fails it. dbt has an environment of its own, `dbt_venv`, and starts each
time with an empty DuckDB in memory. Only S3 is shared, so every task may run on another machine.

#### What to look at after a run

- **Rendered Templates of `trips.stg_trips_model_build`**: `vars` has the URI of the XCom,
  `compiled_sql` what dbt made of the model. The trips went from S3 to DuckDB; no task has pulled
  them.
- **The log of `validate_mart`**: how many expectations were met.
- **The bucket**: XComs, and below `dbt/` the marts, that stay when the XComs are swept.

      xcom/dag_id=example_dbt_cosmos_dag/run_id=…/task_id=extract/map_index=-1/return_value-….parquet
      xcom/dag_id=example_dbt_cosmos_dag/run_id=…/task_id=load_mart/map_index=-1/return_value-….parquet
      xcom/dag_id=example_dbt_cosmos_dag/run_id=…/task_id=validate_mart/map_index=-1/return_value-….json
      dbt/trips/run_id=…/stg_trips.parquet
      dbt/trips/run_id=…/trips_by_day.parquet
      dbt/trips/run_id=…/trips_by_zone.parquet

Cosmos draws the tasks from `dags/dbt/trips/manifest.json`, so that Airflow need not call dbt to
read this file. After a change of the project, make it again: `python dags/dbt/make_manifest.py`.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from airflow.sdk import DAG, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException
from cosmos import DbtTaskGroup, ExecutionConfig, ProfileConfig, ProjectConfig, RenderConfig
from cosmos.constants import InvocationMode, LoadMode, TestBehavior, TestIndirectSelection
from pendulum import datetime

from include import dbt_s3
from include.taxi_data import data_dir

# Airflow imports this file all the time: so only the tasks import pandas and Great Expectations.
if TYPE_CHECKING:
    import pandas as pd
    from great_expectations.core import ExpectationSuiteValidationResult

log = logging.getLogger("airflow.task")

PROJECT = Path(__file__).parent / "dbt" / "trips"

project_config = ProjectConfig(
    manifest_path=PROJECT / "manifest.json",
    project_name="trips",
    partial_parse=False,  # its cache is a folder that another machine would not have
    env_vars={"TRIPS_MARTS_URI": "{{ marts_uri(run_id) }}"},
    install_dbt_deps=False,
)
# Cosmos has made an ObjectStoragePath of it. To open that, Airflow imports the file systems of all
# its providers and all its plugins, which doubles the time that this file takes to import.
project_config.manifest_path = PROJECT / "manifest.json"

with DAG(
    dag_id="example_dbt_cosmos_dag",
    description="dbt reads an XCom in S3 by its URI, and writes marts that a task validates",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2025, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args={"owner": "data-team", "retries": 2, "retry_delay": timedelta(seconds=30)},
    user_defined_macros={"xcom_uri": dbt_s3.xcom_uri, "marts_uri": dbt_s3.marts_uri},
    tags=["example", "dbt", "cosmos", "xcom"],
):

    @task
    def extract() -> pd.DataFrame:
        """Read the trips of January."""
        import pandas as pd

        return pd.read_csv(data_dir() / "yellow_tripdata_sample_2019-01.csv")

    trips = DbtTaskGroup(
        group_id="trips",
        project_config=project_config,
        profile_config=ProfileConfig(
            profile_name="trips", target_name="s3", profiles_yml_filepath=PROJECT / "profiles.yml"
        ),
        render_config=RenderConfig(
            load_method=LoadMode.DBT_MANIFEST,
            test_behavior=TestBehavior.BUILD,
            emit_datasets=False,
        ),
        execution_config=ExecutionConfig(
            dbt_project_path=PROJECT,
            dbt_executable_path=dbt_s3.DBT_VENV / "bin" / "dbt",
            invocation_mode=InvocationMode.SUBPROCESS,
            # A model's task runs the tests that need this model and those before it, no other.
            test_indirect_selection=TestIndirectSelection.BUILDABLE,
        ),
        operator_args={
            "vars": {"trips_uri": "{{ xcom_uri(ti, 'extract') }}"},
            "interceptors": [dbt_s3.grant_access],
        },
    )

    @task
    def load_mart() -> pd.DataFrame:
        """Read the mart that dbt has written."""
        from include import xcom_reference

        mart = f"{dbt_s3.marts_uri(get_current_context()['run_id'])}/trips_by_zone.parquet"
        with xcom_reference.bucket_access().duckdb() as db:
            # Without a column for `run_id=…` in the path.
            return db.read_parquet(mart, hive_partitioning=False).df()

    @task
    def validate_mart() -> ExpectationSuiteValidationResult:
        """Validate the mart; the result is an XCom, as a dict."""
        import great_expectations as gx
        import great_expectations.expectations as gxe

        mart = get_current_context()["ti"].xcom_pull(task_ids="load_mart")
        context = gx.get_context(mode="ephemeral")
        batch = (
            context.data_sources.add_pandas("marts")
            .add_dataframe_asset("trips_by_zone")
            .add_batch_definition_whole_dataframe("whole")
            .get_batch({"dataframe": mart})
        )
        result = batch.validate(
            gx.ExpectationSuite(
                name="trips_by_zone",
                expectations=[
                    gxe.ExpectColumnValuesToBeUnique(column="zone"),
                    gxe.ExpectColumnValuesToBeBetween(column="trips", min_value=1),
                    gxe.ExpectColumnSumToBeBetween(
                        column="trips", min_value=9_000, max_value=11_000
                    ),
                ],
            )
        )
        statistics = result.statistics
        met, total = statistics["successful_expectations"], statistics["evaluated_expectations"]
        if not result.success:
            raise AirflowFailException(f"Only {met} of {total} expectations met")
        log.info("trips_by_zone: %d of %d expectations met", met, total)
        return result

    extract() >> trips >> load_mart() >> validate_mart()
