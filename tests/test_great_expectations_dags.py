"""The example DAGs, run for real: Airflow's task runner, Great Expectations, values in S3.

Each command is a process of its own, as `airflow` is in life, because Airflow reads its settings
and finds the XCom backend when it is imported. What is asserted is read from the metadata database
and from the bucket, past the code under test.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path

import obstore
import pyarrow as pa
import pytest
from obstore.store import S3Store

from include.great_expectations.taxi import data_dir

ROOT = Path(__file__).resolve().parents[1]
GX_PROJECT = ROOT / "include" / "great_expectations"

PASSING = "example_great_expectations_dag"
VALIDATIONS = ["ge_batch_kwargs_list_pass", "ge_batch_kwargs_pass", "ge_checkpoint_pass"]
FAILING = "example_validation_failure_dag"


@dataclass
class Airflow:
    """An Airflow with a database of its own, and a part of the bucket of its own."""

    environment: dict[str, str]
    database: Path
    bucket: str
    prefix: str
    store: S3Store

    def run(self, *command: str) -> str:
        """Run an `airflow` command; return all that it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "airflow", *command],
            env=self.environment, cwd=ROOT, timeout=300, check=False, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        return done.stdout

    def rows(self, query: str, *values: str) -> list[tuple]:
        connection = sqlite3.connect(self.database)
        try:
            return connection.execute(query, values).fetchall()
        finally:
            connection.close()

    def run_of(self, dag_id: str) -> tuple[str, str]:
        """The run id and the state of the DAG's only run."""
        [run] = self.rows("SELECT run_id, state FROM dag_run WHERE dag_id = ?", dag_id)
        return run

    def task_states(self, dag_id: str) -> dict[str, str]:
        return dict(self.rows("SELECT task_id, state FROM task_instance WHERE dag_id = ?", dag_id))

    def references(self, dag_id: str) -> dict[str, dict]:
        """What the database holds for the DAG's XComs, by task."""
        rows = self.rows("SELECT task_id, value FROM xcom WHERE dag_id = ?", dag_id)
        return {task_id: json.loads(value) for task_id, value in rows}

    def objects(self, dag_id: str) -> list[str]:
        """The URIs of the DAG's objects in the bucket."""
        pages = obstore.list(self.store, prefix=f"{self.prefix}/dag_id={dag_id}")
        return [f"s3://{self.bucket}/{found['path']}" for page in pages for found in page]

    def key(self, uri: str) -> str:
        return uri.removeprefix(f"s3://{self.bucket}/")

    def result(self, uri: str) -> dict:
        """The validation result in an object."""
        body = bytes(obstore.get(self.store, self.key(uri)).bytes())
        if uri.endswith(".zst"):
            body = pa.input_stream(pa.BufferReader(body), compression="zstd").read()
        return json.loads(body)


@pytest.fixture(scope="module")
def airflow(tmp_path_factory, s3_server) -> Airflow:
    home = tmp_path_factory.mktemp("airflow")
    prefix = f"xcom-{uuid.uuid4().hex}"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    connection = {
        "conn_type": "aws",
        "login": s3_server.access_key_id,
        "password": s3_server.secret_access_key,
        "extra": {"region_name": "us-east-1"},
    }
    airflow = Airflow(
        environment=kept
        | {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__XCOM_BACKEND": "include.s3_xcom_backend.S3XComBackend",
            "AIRFLOW__S3_XCOM__BUCKET": s3_server.bucket,
            "AIRFLOW__S3_XCOM__PREFIX": prefix,
            "AIRFLOW__S3_XCOM__ENDPOINT_URL": s3_server.endpoint_url,
            "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(connection),
            "PYTHONPATH": str(ROOT),
        },
        database=home / "airflow.db",
        bucket=s3_server.bucket,
        prefix=prefix,
        store=S3Store(
            s3_server.bucket,
            endpoint=s3_server.endpoint_url,
            access_key_id=s3_server.access_key_id,
            secret_access_key=s3_server.secret_access_key,
            region="us-east-1",
            client_options={"allow_http": True},
        ),
    )
    log = airflow.run("db", "migrate")
    assert "Database migration done" in log, log
    return airflow


@pytest.fixture(scope="module")
def passing_log(airflow) -> str:
    return airflow.run("dags", "test", PASSING)


@pytest.fixture(scope="module")
def failing_log(airflow) -> str:
    return airflow.run("dags", "test", FAILING)


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
    assert {r["__id__"] for r in references.values()} == {"s3_xcom/1"}
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


@pytest.mark.parametrize("dag_id", [PASSING, FAILING])
def test_the_objects_lie_where_the_dag_says(airflow, passing_log, failing_log, dag_id):
    text = (ROOT / "dags" / f"{dag_id}.py").read_text(encoding="utf-8")
    for uri in airflow.objects(dag_id):
        path = airflow.key(uri).replace(airflow.prefix, "xcom")
        path = re.sub(r"run_id=[^/]+", "run_id=…", path)
        path = re.sub(r"return_value-[^.]+", "return_value-…", path)
        assert f"{path}\n" in text


@pytest.mark.parametrize("dag_id", [PASSING, FAILING])
def test_no_payload_in_the_database(airflow, passing_log, failing_log, dag_id):
    for table, column in [("xcom", "value"), ("rendered_task_instance_fields", "rendered_fields")]:
        rows = airflow.rows(f"SELECT {column} FROM {table} WHERE dag_id = ?", dag_id)
        assert rows, table
        assert "partial_unexpected_list" not in str(rows), table


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


def test_the_failing_dag_does_not_hide_its_failure(airflow, failing_log):
    assert airflow.run_of(FAILING)[1] == "failed", failing_log
    assert airflow.task_states(FAILING) == {
        "validate_february": "failed",
        "publish": "upstream_failed",
        "explain_failure": "success",
    }


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
