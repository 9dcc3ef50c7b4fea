"""The example DAGs of DataFrames, mapping, dbt and validation, run for real; see airflow_process.

What a DAG's documentation says of objects, dtypes and logs is held against what a run leaves.
"""

from __future__ import annotations

import importlib.util
import io
import json
import re
from urllib.parse import quote

import obstore
import pandas as pd
import pyarrow.parquet as pq
import pytest

from tests.airflow_process import ROOT, Airflow, airflow, documented_objects

__all__ = ["airflow"]

DATAFRAME = "example_dataframe_dag"
MAPPING = "example_dynamic_mapping_dag"
VALIDATE = "example_validate_dataframe_dag"
BY_REFERENCE = "example_by_reference_dag"
DBT = "example_dbt_cosmos_dag"
SPARK = "example_spark_dag"

TRIPS_A_MONTH = 10_000


def trips(month: str) -> pd.DataFrame:
    return pd.read_csv(ROOT / "include" / "data" / f"yellow_tripdata_sample_{month}.csv")


def frame(airflow: Airflow, uri: str) -> pd.DataFrame:
    """A Parquet object, read without the code under test."""
    return pq.read_table(io.BytesIO(airflow.bytes_of(uri))).to_pandas()


def assert_no_payload_in_the_database(airflow: Airflow, dag_id: str, *payload: object) -> None:
    for table, column in [("xcom", "value"), ("rendered_task_instance_fields", "rendered_fields")]:
        rows = str(airflow.rows(f"SELECT {column} FROM {table} WHERE dag_id = ?", dag_id))
        assert rows, table
        assert not [one for one in payload if str(one) in rows], table


# -------------------------------------------------------------------------- DataFrames


@pytest.fixture(scope="module")
def dataframe_log(airflow) -> str:
    return airflow.run("dags", "test", DATAFRAME)


def test_dataframes_reach_the_last_task(airflow, dataframe_log):
    assert airflow.run_of(DATAFRAME)[1] == "success", dataframe_log
    assert airflow.task_states(DATAFRAME) == dict.fromkeys(
        ["extract", "transform", "summarise", "report"], "success"
    )
    assert "2019-01-03 was the busiest of 31 days" in dataframe_log
    january = pd.to_datetime(trips("2019-01").pickup_datetime).dt.date.value_counts()
    assert str(january.idxmax()) == "2019-01-03"


def test_dataframes_lie_where_the_dag_says(airflow, dataframe_log):
    assert airflow.shape(DATAFRAME) == documented_objects(DATAFRAME)


def test_summaries_are_those_of_the_trips(airflow, dataframe_log):
    by_day = frame(airflow, airflow.xcom(DATAFRAME, "summarise", "by_day")["uri"])
    by_payment = frame(airflow, airflow.xcom(DATAFRAME, "summarise", "by_payment")["uri"])
    assert by_day.trips.sum() == by_payment.trips.sum() == TRIPS_A_MONTH
    assert len(by_day) == 31


def test_dtypes_are_those_that_the_dag_says_and_a_csv_loses_them(airflow, dataframe_log):
    """The table in the DAG's documentation: column, dtype from S3, dtype from a CSV file."""
    text = (ROOT / "dags" / f"{DATAFRAME}.py").read_text(encoding="utf-8")
    table = re.findall(r"^  \| `(\w+)` \| `(\S+)` \| `(\S+)` \|$", text, re.MULTILINE)
    assert len(table) == 4
    january = trips("2019-01").head(100)
    pickup = pd.to_datetime(january.pickup_datetime)
    as_pushed = pd.DataFrame(
        {
            "pickup_datetime": pickup,
            "passenger_count": january.passenger_count.astype("Int8"),
            "payment": january.payment_type.map({1: "card", 2: "cash"}).astype("category"),
            "duration": pd.to_datetime(january.dropoff_datetime) - pickup,
        }
    )
    from_csv = pd.read_csv(io.StringIO(as_pushed.to_csv(index=False)))
    for column, dtype, csv_dtype in table:
        assert re.search(rf"\] {column}: {re.escape(dtype)} ", dataframe_log), column
        assert str(from_csv.dtypes[column]) == csv_dtype, column


def test_no_row_of_a_dataframe_is_in_the_database(airflow, dataframe_log):
    first = trips("2019-01").iloc[0]
    assert_no_payload_in_the_database(
        airflow, DATAFRAME, first.pickup_datetime, first.dropoff_datetime
    )


# ------------------------------------------------------------------------------ mapping


@pytest.fixture(scope="module")
def mapping_log(airflow) -> str:
    return airflow.run("dags", "test", MAPPING)


@pytest.mark.long
def test_one_mapped_try_fails_and_its_retry_succeeds(airflow, mapping_log):
    assert airflow.run_of(MAPPING)[1] == "success", mapping_log
    query = (
        "SELECT map_index, state, try_number FROM task_instance WHERE dag_id = ? AND task_id = ?"
    )
    assert sorted(airflow.rows(query, MAPPING, "trips_of_zone")) == [
        (index, "success", 2 if index == 2 else 1) for index in range(5)
    ]
    assert "RuntimeError: The first try fails, to show what a retry does" in mapping_log


@pytest.mark.long
def test_the_retry_deletes_what_the_first_try_pushed(airflow, mapping_log):
    [deleted] = re.findall(r"Deleted s3://[^/]+/(\S+map_index=2/preview-\S+\.parquet)", mapping_log)
    with pytest.raises(FileNotFoundError):
        obstore.get(airflow.store, deleted)
    assert airflow.shape(MAPPING) == documented_objects(MAPPING)


@pytest.mark.long
def test_the_reduce_reads_every_zone(airflow, mapping_log):
    busiest = trips("2019-01").pickup_location_id.value_counts().head(5)
    logged = re.findall(r"zone (\d+): (\d+) trips, most of them at \d\d:00", mapping_log)
    assert [(int(zone), int(count)) for zone, count in logged] == list(busiest.items())
    assert airflow.xcom(MAPPING, "busiest_zones") == busiest.index.tolist()


# --------------------------------------------------------------------------- validation


@pytest.fixture(scope="module")
def february_log(airflow) -> str:
    return airflow.run("dags", "test", VALIDATE)


@pytest.mark.long
def test_bad_data_takes_the_branch_that_inspects_it(airflow, february_log):
    assert airflow.run_of(VALIDATE)[1] == "success", february_log
    assert airflow.task_states(VALIDATE) == {
        "extract": "success",
        "validate": "success",
        "publish_or_inspect": "success",
        "publish": "skipped",
        "inspect": "success",
    }
    assert "expect_column_values_to_be_between is not met on passenger_count" in february_log
    assert "passengers on them: [0]" in february_log


@pytest.mark.long
def test_result_and_failed_rows_are_kept(airflow, february_log):
    assert airflow.shape(VALIDATE) == documented_objects(VALIDATE)
    result = airflow.result(airflow.xcom(VALIDATE, "validate")["uri"])
    assert result["success"] is False
    failed = frame(airflow, airflow.xcom(VALIDATE, "validate", "failed_trips")["uri"])
    february = trips("2019-02")
    expected = february[february.passenger_count == 0].reset_index(drop=True)
    pd.testing.assert_frame_equal(failed[february.columns], expected)
    assert f"{len(failed)} trips are not as expected" in february_log


@pytest.mark.long
def test_no_validated_row_is_in_the_database(airflow, february_log):
    february = trips("2019-02")
    failed = february[february.passenger_count == 0].iloc[0]
    assert_no_payload_in_the_database(
        airflow, VALIDATE, failed.pickup_datetime, "unexpected_index_list"
    )


@pytest.mark.long
def test_good_data_is_published(airflow, february_log):
    log = airflow.run("dags", "test", VALIDATE, "--conf", json.dumps({"month": "2019-01"}))
    query = "SELECT run_id, state FROM dag_run WHERE dag_id = ? ORDER BY id"
    [_, (run_id, state)] = airflow.rows(query, VALIDATE)
    assert state == "success", log
    query = "SELECT task_id, state FROM task_instance WHERE dag_id = ? AND run_id = ?"
    states = dict(airflow.rows(query, VALIDATE, run_id))
    assert (states["publish"], states["inspect"]) == ("success", "skipped")
    assert "The trips are published" in log
    query = "SELECT key FROM xcom WHERE dag_id = ? AND run_id = ? AND task_id = ?"
    assert airflow.rows(query, VALIDATE, run_id, "validate") == [("return_value",)]


# ------------------------------------------------------------------------- by reference


@pytest.fixture(scope="module")
def by_reference_log(airflow) -> str:
    return airflow.run("dags", "test", BY_REFERENCE)


@pytest.mark.long
def test_engines_read_what_was_pushed(airflow, by_reference_log):
    assert airflow.run_of(BY_REFERENCE)[1] == "success", by_reference_log
    february = trips("2019-02").pickup_location_id.value_counts().rename("trips")
    february = february.rename_axis("zone").reset_index()
    february = february.sort_values(["trips", "zone"], ascending=[False, True]).head(5)
    zones = frame(airflow, airflow.xcom(BY_REFERENCE, "busiest_zones")["uri"])
    assert zones.values.tolist() == february[["zone", "trips"]].values.tolist()
    both = pd.concat([trips("2019-01"), trips("2019-02")])
    longest = frame(airflow, airflow.xcom(BY_REFERENCE, "longest_trips")["uri"])
    assert len(longest) == (both.trip_distance > 15).sum()
    assert f"{len(longest)} trips beyond 15 miles" in by_reference_log


@pytest.mark.long
def test_nobody_pulls_what_is_read_by_reference(airflow, by_reference_log):
    uri = airflow.xcom(BY_REFERENCE, "extract")["uri"]
    named = [line for line in by_reference_log.splitlines() if uri in line]
    assert [line for line in named if "XCom push" in line]
    assert not [line for line in named if "XCom pull" in line]
    assert airflow.shape(BY_REFERENCE) == documented_objects(BY_REFERENCE)


# -------------------------------------------------------------------------------- Spark


@pytest.mark.long
def test_spark_reads_where_the_xcom_lies_and_a_task_finds_its_result(airflow):
    spark = pytest.importorskip("dev.spark", reason="only `python3 -m dev test` runs this")
    if reason := spark.missing():
        pytest.skip(reason)
    local = json.dumps({"conn_type": "spark", "host": "local[1]"})
    log = airflow.run("dags", "test", SPARK, seconds=900, AIRFLOW_CONN_SPARK_DEFAULT=local)
    assert airflow.run_of(SPARK)[1] == "success", log
    both = pd.concat([trips("2019-01"), trips("2019-02")])
    zones = both.groupby("pickup_location_id").total_amount.agg(["count", "sum"]).round(2)
    top = frame(airflow, airflow.xcom(SPARK, "report")["uri"])
    wanted = zones.sort_values("sum", ascending=False).head(5).reset_index()
    assert top.values.tolist() == wanted.values.tolist()
    assert airflow.shape(SPARK) == documented_objects(SPARK)
    source = airflow.xcom(SPARK, "extract")["uri"]
    assert not [line for line in log.splitlines() if source in line and "XCom pull" in line]
    run_id = quote(airflow.run_of(SPARK)[0], safe="")
    result = f"spark/trips/run_id={run_id}/revenue_by_zone"
    assert airflow.xcom(SPARK, "revenue_by_zone") == f"s3://{airflow.bucket}/{result}"
    found = obstore.list(airflow.store, prefix=result).collect()
    names = {one["path"].rpartition("/")[2].partition("-")[0] for one in found}
    assert names == {"_SUCCESS", "part"}


# --------------------------------------------------------------------------- dbt, Cosmos

needs_dbt = pytest.mark.skipif(
    not (ROOT / "dbt_venv" / "bin" / "dbt").exists(),
    reason="no dbt_venv here: `python3 -m dev setup` makes it",
)
DBT_TASKS = (
    "extract",
    "trips.stg_trips_model_build",
    "trips.trips_by_zone_model_build",
    "trips.trips_by_day_model_build",
    "load_mart",
    "validate_mart",
)


@pytest.fixture(scope="module")
def dbt_log(airflow, tmp_path_factory) -> str:
    """Every task in a process of its own, with a working directory, home and temp folder of its own.

    All empty at its start: what it needs it has from S3 and Airflow, as if on another machine.
    """
    log = airflow.run("dags", "reserialize")
    log += airflow.run("dags", "trigger", "--run-id", "apart", DBT)
    for task_id in DBT_TASKS:
        place = tmp_path_factory.mktemp(task_id)
        for name in ("work", "home", "tmp"):
            (place / name).mkdir()
        log += airflow.run(
            "tasks", "test", DBT, task_id, "apart",
            cwd=place / "work", HOME=str(place / "home"), TMPDIR=str(place / "tmp"),
        )  # fmt: skip
        left = [str(path) for path in place.rglob("*") if path.is_file()]
        assert not left, f"{task_id} leaves files behind"
    return log


@pytest.mark.long
@needs_dbt
def test_dbt_tasks_succeed_with_nothing_shared_but_s3(airflow, dbt_log):
    assert airflow.task_states(DBT) == dict.fromkeys(DBT_TASKS, "success"), dbt_log
    assert dbt_log.count(" ERROR=0 ") == 3
    assert "trips_by_zone: 3 of 3 expectations met" in dbt_log


@pytest.mark.long
@needs_dbt
def test_marts_hold_every_trip_that_took_place(airflow, dbt_log):
    january = trips("2019-01")
    january = january[january.trip_distance > 0]
    by_zone = frame(airflow, airflow.xcom(DBT, "load_mart")["uri"])
    assert by_zone.columns.tolist() == ["zone", "trips", "mean_miles", "revenue"]
    by_zone = by_zone.set_index("zone")
    counts = january.pickup_location_id.value_counts()
    assert by_zone.trips.to_dict() == counts.to_dict()
    marts = f"s3://{airflow.bucket}/dbt/trips/run_id=apart"
    by_day = frame(airflow, f"{marts}/trips_by_day.parquet")
    assert by_day.trips.sum() == len(january)
    assert round(float(by_day.revenue.sum()), 2) == round(january.total_amount.sum(), 2)


@pytest.mark.long
@needs_dbt
def test_dbt_reads_the_xcom_by_its_uri_and_no_task_pulls_it(airflow, dbt_log):
    uri = airflow.xcom(DBT, "extract")["uri"]
    query = (
        "SELECT rendered_fields FROM rendered_task_instance_fields WHERE dag_id = ? AND task_id = ?"
    )
    [(rendered,)] = airflow.rows(query, DBT, DBT_TASKS[1])
    assert json.loads(rendered)["vars"] == {"trips_uri": uri}
    assert not [line for line in dbt_log.splitlines() if "XCom pull" in line and uri in line]


@pytest.mark.long
@needs_dbt
def test_the_dbt_dag_leaves_the_objects_that_it_says(airflow, dbt_log):
    assert airflow.shape(DBT) == documented_objects(DBT)
    text = (ROOT / "dags" / f"{DBT}.py").read_text(encoding="utf-8")
    documented = sorted(re.findall(r"^ +dbt/trips/run_id=…/(\S+)$", text, re.MULTILINE))
    found = obstore.list(airflow.store, prefix="dbt/trips/run_id=apart").collect()
    assert sorted(one["path"].rpartition("/")[2] for one in found) == documented


@pytest.mark.long
@needs_dbt
def test_no_key_of_the_bucket_is_logged_or_stored(airflow, dbt_log, s3_server):
    secret = s3_server.secret_access_key
    assert secret not in dbt_log
    [tables] = [airflow.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
    for (table,) in tables:
        assert secret not in str(airflow.rows(f'SELECT * FROM "{table}"')), table


@pytest.mark.long
@needs_dbt
def test_the_manifest_is_that_of_the_project():
    path = ROOT / "dags" / "dbt" / "make_manifest.py"
    spec = importlib.util.spec_from_file_location("make_manifest", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    committed = json.loads(module.MANIFEST.read_text(encoding="utf-8"))
    assert committed == module.make(), "run: python dags/dbt/make_manifest.py"
    assert str(ROOT) not in json.dumps(committed)
