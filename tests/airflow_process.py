"""An Airflow for tests, run as processes: its task runner, a database and a part of the bucket.

Each command is a process of its own, as `airflow` is in life, because Airflow reads its settings
and finds the XCom backend when it is imported. What is asserted is read from the metadata database
and from the bucket, past the code under test.

    from tests.airflow_process import airflow   # the fixture, one Airflow for the test module
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

from tests import local_s3

ROOT = Path(__file__).resolve().parents[1]


@dataclass
class Airflow:
    """An Airflow with a database of its own, and a part of the bucket of its own."""

    environment: dict[str, str]
    database: Path
    bucket: str
    prefix: str
    store: S3Store

    def run(
        self,
        *command: str,
        module: str = "airflow",
        cwd: Path = ROOT,
        seconds: int = 600,
        **environment: str,
    ) -> str:
        """Run an `airflow` command, or another module; return all that it printed."""
        done = subprocess.run(
            [sys.executable, "-m", module, *command],
            env=self.environment | environment, cwd=cwd, timeout=seconds, check=False, text=True,
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

    def xcom(self, dag_id: str, task_id: str, key: str = "return_value") -> object:
        """What the database holds for one XCom."""
        [(value,)] = self.rows(
            "SELECT value FROM xcom WHERE dag_id = ? AND task_id = ? AND key = ?",
            dag_id, task_id, key,
        )  # fmt: skip
        return json.loads(value)

    def objects(self, dag_id: str) -> list[str]:
        """The URIs of the DAG's objects in the bucket."""
        pages = obstore.list(self.store, prefix=f"{self.prefix}/dag_id={dag_id}")
        return [f"s3://{self.bucket}/{found['path']}" for page in pages for found in page]

    def shape(self, dag_id: str) -> list[str]:
        """The DAG's objects as its documentation names them, without what differs by run."""
        paths = [self.key(uri).replace(self.prefix, "xcom") for uri in self.objects(dag_id)]
        paths = [re.sub(r"run_id=[^/]+", "run_id=…", path) for path in paths]
        return sorted(re.sub(r"-[0-9a-f]{32}(?=[./])", "-…", path) for path in paths)

    def key(self, uri: str) -> str:
        return uri.removeprefix(f"s3://{self.bucket}/")

    def bytes_of(self, uri: str) -> bytes:
        return bytes(obstore.get(self.store, self.key(uri)).bytes())

    def result(self, uri: str) -> dict:
        """The validation result in an object."""
        body = self.bytes_of(uri)
        if uri.endswith(".zst"):
            body = pa.input_stream(pa.BufferReader(body), compression="zstd").read()
        return json.loads(body)


def documented_objects(dag_id: str) -> list[str]:
    """The object paths that a DAG's documentation names."""
    text = (ROOT / "dags" / f"{dag_id}.py").read_text(encoding="utf-8")
    return sorted(re.findall(r"xcom/dag_id=\S+", text))


@pytest.fixture(scope="module")
def airflow(tmp_path_factory, s3_server) -> Airflow:
    return make(tmp_path_factory.mktemp("airflow"), s3_server)


def make(home: Path, s3_server) -> Airflow:
    """An Airflow with its home in this folder."""
    prefix = f"xcom-{uuid.uuid4().hex}"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    airflow = Airflow(
        environment=kept
        | local_s3.settings(s3_server, prefix)
        | {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "DO_NOT_TRACK": "1",
            "PYTHONPATH": str(ROOT),
        },
        database=home / "airflow.db",
        bucket=s3_server.bucket,
        prefix=prefix,
        store=local_s3.client(s3_server),
    )
    server = pytest.importorskip(
        "dev.airflow_server", reason="only `python3 -m dev test` runs this"
    ).AirflowServer
    server(home, 0, airflow.environment).make_database()
    return airflow
