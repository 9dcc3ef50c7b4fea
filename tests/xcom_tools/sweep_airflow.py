"""A real API server of Airflow for tests of the sweep, and its database to write rows into.

Rows are written as Airflow's execution API does it (delete, insert), with what the backend's own
`serialize_value` returned: so their objects are in the bucket, as after a push by a task.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from include.xcom_store.keys import Owner
from tests import waiting

HIDDEN_DAG, LIMITED_USER = "hidden", "limited"
PASSWORD = "of-the-tests"
BIG = ["x" * 100] * 100


def owner(dag="trips", run="manual__1", task="load", index=-1, key="return_value"):
    return Owner(dag, run, task, index, key)


class Rows:
    """The XCom table; a task's push, and what else happens to rows."""

    def __init__(self, database):
        self._database = database

    def push(self, value, whose, *, later=0.0):
        """Push as a task does; return what the database holds. `later`: than the object, in s."""
        from include.s3_xcom_backend import S3XComBackend

        record = S3XComBackend.serialize_value(value, **whose._asdict())
        self.put(record, whose, written=datetime.now(UTC) + timedelta(seconds=later))
        return record

    def put(self, record, whose, *, written=None):
        with self.connect() as db:
            self._make_task_instance(db, whose)
            self._delete(db, whose)
            run = db.execute(
                "SELECT id FROM dag_run WHERE dag_id = ? AND run_id = ?", whose[:2]
            ).fetchone()[0]  # fmt: skip
            moment = (written or datetime.now(UTC)).strftime("%Y-%m-%d %H:%M:%S.%f")
            db.execute(
                "INSERT INTO xcom (dag_run_id, dag_id, run_id, task_id, map_index, key, value,"
                " timestamp) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (run, *whose, json.dumps(record), moment),
            )
        db.close()

    def value(self, whose):
        with self.connect() as db:
            found = db.execute(f"SELECT value FROM xcom WHERE {_WHERE}", whose).fetchone()
        db.close()
        # SQLite keeps a JSON number as a number.
        return json.loads(str(found[0])) if found else None

    def delete_xcom(self, whose):
        with self.connect() as db:
            self._delete(db, whose)
        db.close()

    def delete_run(self, dag_id, run_id):
        self._execute("DELETE FROM dag_run WHERE dag_id = ? AND run_id = ?", dag_id, run_id)

    def delete_dag(self, dag_id):
        self._execute("DELETE FROM dag_run WHERE dag_id = ?", dag_id)
        self._execute("DELETE FROM dag WHERE dag_id = ?", dag_id)

    def clear(self):
        for table in ("dag_run", "dag", "variable"):
            self._execute(f"DELETE FROM {table}")

    def set_variable(self, key, value):
        self._execute("DELETE FROM variable WHERE key = ?", key)
        self._execute("INSERT INTO variable (key, val, is_encrypted) VALUES (?, ?, 0)", key, value)

    def _execute(self, statement, *values):
        with self.connect() as db:
            db.execute(statement, values)
        db.close()

    def connect(self):
        db = sqlite3.connect(self._database, timeout=60)
        db.execute("PRAGMA foreign_keys = ON")
        return db

    def _delete(self, db, whose):
        db.execute(f"DELETE FROM xcom WHERE {_WHERE}", whose)

    def _make_task_instance(self, db, whose):
        db.execute(
            "INSERT INTO dag (dag_id, is_paused, is_stale, bundle_name, timetable_type,"
            " partition_mapper_info, max_active_tasks, max_active_runs, has_import_errors,"
            " max_consecutive_failed_dag_runs, has_task_concurrency_limits, fileloc)"
            " VALUES (?, 0, 0, 'tests', '', '[]', 1, 1, 0, 0, 0, 'f') ON CONFLICT DO NOTHING",
            (whose.dag_id,),
        )
        db.execute(
            "INSERT INTO dag_run (dag_id, run_id, run_type, state, run_after)"
            " VALUES (?, ?, 'manual', 'success', '2026-11-22 10:00:00') ON CONFLICT DO NOTHING",
            whose[:2],
        )
        db.execute(
            "INSERT INTO task_instance (id, dag_id, run_id, task_id, map_index, try_number, pool,"
            " pool_slots) VALUES (?, ?, ?, ?, ?, 1, 'default_pool', 1) ON CONFLICT DO NOTHING",
            (uuid.uuid4().hex, *whose[:4]),
        )


_WHERE = "dag_id = ? AND run_id = ? AND task_id = ? AND map_index = ? AND key = ?"


@pytest.fixture(scope="session")
def api_server(tmp_path_factory):
    """An API server, without scheduler; users `sweeper` and `limited` (may not see one DAG)."""
    pytest.importorskip("dev.airflow_server", reason="only `python3 -m dev test` runs this")
    with start(tmp_path_factory.mktemp("sweep")) as server:
        yield server


@contextmanager
def start(folder):
    """Start that API server in an empty folder."""
    from dev import airflow_environment, airflow_server, ports

    (folder / "dags").mkdir()
    passwords = folder / "passwords.json"
    passwords.write_text(json.dumps({"sweeper": PASSWORD, LIMITED_USER: PASSWORD}))
    settings = {
        "AIRFLOW__CORE__AUTH_MANAGER": "tests.xcom_tools.sweep_auth.OneDagHidden",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"sweeper:admin,{LIMITED_USER}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
    }
    home, [port] = folder / "home", ports.free_ports(1)
    home.mkdir()
    env = airflow_environment.make(home, port, settings)
    env["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS"] = "False"
    env["AIRFLOW__CORE__DAGS_FOLDER"] = str(folder / "dags")
    server = airflow_server.AirflowServer(home, port, env)
    server.make_database()
    with sqlite3.connect(home / "airflow.db") as db:
        db.execute("INSERT INTO dag_bundle (name) VALUES ('tests')")
    db.close()
    with server:
        launch(server)
        url = f"http://127.0.0.1:{port}"
        yield SimpleNamespace(url=url, port=port, rows=Rows(home / "airflow.db"), server=server)


def launch(server):
    """Start the API server of an Airflow alone; it answers when this returns."""

    def answers():
        with suppress(ConnectionError):  # after a minute
            return server.api.version()
        return None

    server.launch("api-server", ["api-server"], {}, server.home)
    waiting.until(answers, seconds=120)


@pytest.fixture
def connect(api_server, monkeypatch):
    """Return a client for a user, as the tool makes it from the environment."""
    from include.xcom_tools import airflow_access

    clients = ExitStack()

    def connect(user="sweeper", **more):
        monkeypatch.setenv("AIRFLOW_API_URL", api_server.url)
        monkeypatch.setenv("AIRFLOW_API_USERNAME", user)
        monkeypatch.setenv("AIRFLOW_API_PASSWORD", PASSWORD)
        return clients.enter_context(airflow_access.connect(**more))

    with clients:
        yield connect


@pytest.fixture
def airflow(api_server):
    """The rows of an Airflow that is empty when a test begins."""
    api_server.rows.clear()
    return api_server.rows


@pytest.fixture
def sweep(s3, store, connect):
    """Sweep the test's prefix; what it told, and the sweep itself."""
    from include.xcom_tools.sweep_run import Sweep

    def sweep(api=None, *, delete=True, grace=timedelta(0), **more):
        run = Sweep(store(), api or connect(), delete, grace, **more)
        told = list(run.findings())
        return SimpleNamespace(told=told, run=run, total=run.total, kinds=[f.kind for f in told])

    return sweep
