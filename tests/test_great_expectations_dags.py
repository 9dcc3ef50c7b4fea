"""The example DAGs of Great Expectations, run for real: task runner, validations, values in S3."""

from __future__ import annotations

from pathlib import Path

import obstore
import pytest

from include.taxi_data import data_dir
from tests.airflow_process import ROOT, airflow, documented_objects

__all__ = ["airflow"]

GX_PROJECT = ROOT / "include" / "great_expectations"

PASSING = "example_great_expectations_dag"
VALIDATIONS = ["ge_batch_kwargs_list_pass", "ge_batch_kwargs_pass", "ge_checkpoint_pass"]
FAILING = "example_validation_failure_dag"


@pytest.fixture(scope="module")
def passing_log(airflow) -> str:
    return airflow.run("dags", "test", PASSING)


@pytest.fixture(scope="module")
def failing_log(airflow) -> str:
    return airflow.run("dags", "test", FAILING)


@pytest.fixture(params=[PASSING, pytest.param(FAILING, marks=pytest.mark.long)])
def dag_id(request) -> str:
    """Of a DAG that has run."""
    request.getfixturevalue("passing_log" if request.param == PASSING else "failing_log")
    return request.param


def files_below(directory: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in directory.rglob("*") if file.is_file()}


@pytest.fixture(scope="module", autouse=True)
def _project_stays_as_it_is():
    """Great Expectations writes nothing into the source tree."""
    before = files_below(GX_PROJECT / "gx")
    yield
    assert files_below(GX_PROJECT / "gx") == before


def test_every_task_of_the_passing_dag_succeeds(airflow, passing_log):
    assert airflow.run_of(PASSING)[1] == "success", passing_log
    assert set(airflow.task_states(PASSING).values()) == {"success"}


def test_the_bucket_holds_one_object_for_each_validation(airflow, passing_log):
    references = airflow.references(PASSING)
    assert sorted(references) == VALIDATIONS
    assert {r["__id__"] for r in references.values()} == {"xcom_store/1"}
    assert sorted(r["uri"] for r in references.values()) == sorted(airflow.objects(PASSING))


def test_the_objects_are_the_validation_results(airflow, passing_log):
    references = airflow.references(PASSING)
    weeks, batch, checkpoint = (airflow.result(references[t]["uri"]) for t in VALIDATIONS)
    assert weeks["success"] is batch["success"] is checkpoint["success"] is True
    assert weeks["statistics"]["successful_validations"] == 5
    assert batch["statistics"]["successful_expectations"] == 4
    assert checkpoint["validation_results"][0]["statistics"]["successful_expectations"] == 4
    # Five weeks that leave no trip out and count none twice.
    trips = [v["expectations"][0]["result"]["element_count"] for v in weeks["validation_results"]]
    assert sum(trips) == 10_000


def test_read_results_says_what_it_read_back(airflow, passing_log):
    assert "ge_batch_kwargs_list_pass: 15 of 15 expectations met" in passing_log
    assert "ge_batch_kwargs_pass: 4 of 4 expectations met" in passing_log
    assert "ge_checkpoint_pass: 4 of 4 expectations met" in passing_log


def test_the_objects_lie_where_the_dag_says(airflow, dag_id):
    assert airflow.shape(dag_id) == documented_objects(dag_id)


def test_no_payload_in_the_database(airflow, dag_id):
    for table, column in [("xcom", "value"), ("rendered_task_instance_fields", "rendered_fields")]:
        rows = airflow.rows(f"SELECT {column} FROM {table} WHERE dag_id = ?", dag_id)
        assert rows, table
        assert "partial_unexpected_list" not in str(rows), table


@pytest.mark.long
def test_a_deleted_object_fails_the_task_that_reads_it(airflow, passing_log):
    uri = airflow.references(PASSING)["ge_checkpoint_pass"]["uri"]
    body = bytes(obstore.get(airflow.store, airflow.key(uri)).bytes())
    obstore.delete(airflow.store, airflow.key(uri))
    try:
        log = airflow.run("tasks", "test", PASSING, "read_results", airflow.run_of(PASSING)[0])
        assert airflow.task_states(PASSING)["read_results"] in {"failed", "up_for_retry"}, log
        assert "ge_batch_kwargs_pass: 4 of 4 expectations met" in log
        assert "ge_checkpoint_pass: 4 of 4" not in log
        assert uri in log
    finally:
        obstore.put(airflow.store, airflow.key(uri), body)


@pytest.mark.long
def test_the_failing_dag_does_not_hide_its_failure(airflow, failing_log):
    assert airflow.run_of(FAILING)[1] == "failed", failing_log
    assert airflow.task_states(FAILING) == {
        "validate_february": "failed",
        "publish": "upstream_failed",
        "explain_failure": "success",
    }


@pytest.mark.long
def test_the_result_of_a_failed_validation_is_readable(airflow, failing_log):
    [uri] = airflow.objects(FAILING)
    assert airflow.references(FAILING)["validate_february"]["uri"] == uri
    result = airflow.result(uri)
    assert result["success"] is False
    [failed] = [e for e in result["expectations"] if not e["success"]]
    assert failed["kwargs"]["column"] == "passenger_count"
    count = failed["result"]["unexpected_count"]
    assert 1_500 < count < 1_660
    assert f"passenger_count: {count} of 10000 trips are not as expected" in failing_log


def test_the_data_directory_is_a_setting(monkeypatch, tmp_path):
    (tmp_path / "yellow_tripdata_sample_2019-01.csv").touch()
    monkeypatch.setenv("AIRFLOW_VAR_TAXI_DATA_DIR", str(tmp_path))
    assert data_dir() == tmp_path


def test_a_relative_data_directory_counts_from_the_root_of_the_repository(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AIRFLOW_VAR_TAXI_DATA_DIR", "include/data")
    assert data_dir() == ROOT / "include" / "data"


def test_a_directory_without_trips_is_an_error_that_names_the_setting(monkeypatch, tmp_path):
    monkeypatch.setenv("AIRFLOW_VAR_TAXI_DATA_DIR", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="taxi_data_dir") as raised:
        data_dir()
    assert str(tmp_path) in str(raised.value)
