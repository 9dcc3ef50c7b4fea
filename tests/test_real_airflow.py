"""The backend in a real Airflow: scheduler, API server, triggerer and task processes.

What is asserted are states, database records and objects in the bucket, by their URIs in the task's
log lines. One Airflow runs for all tests of the module, which go from top to bottom: each begins
where the one before has left off.
"""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import time
import uuid
from pathlib import Path

import pytest

pytest.importorskip("dev.airflow_server", reason="no dev/ here")
pytest.importorskip("obstore")
import obstore

from dev import ports
from dev.airflow_server import AirflowServer
from dev.errors import DevError
from tests import local_s3, real_airflow_dags
from tests.real_airflow_dags import MAPPED

DAGS = ["real_mapped", "real_retried", "real_cleared", "real_deferred", "real_inline"]
SECONDS = 400.0


class Real:
    """A running Airflow, and what the tests ask of it."""

    def __init__(self, server, s3_server, prefix):
        self.server, self.api = server, server.api
        self.bucket, self.prefix = s3_server.bucket, prefix
        self.runs = {}
        self.store = local_s3.client(s3_server)

    def trigger(self, dag_id):
        body = {"logical_date": None, "conf": {}}
        run = self.api.call("POST", f"api/v2/dags/{dag_id}/dagRuns", body)
        self.runs[dag_id] = run["dag_run_id"]

    def wait(self, dag_id):
        """The run's state when it has ended."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            self.server.check_alive()
            [run] = [r for r in self.api.runs(dag_id) if r["dag_run_id"] == self.runs[dag_id]]
            if run["state"] in ("success", "failed"):
                return run["state"]
            time.sleep(0.5)
        pytest.fail(f"{dag_id} does not end; see {self.server.home}")

    def clear(self, dag_id, *tasks):
        """Clear these tasks of the run, wait for its end; its state."""
        body = {
            "dry_run": False, "only_failed": False, "dag_run_id": self.runs[dag_id],
            "task_ids": list(tasks),
        }  # fmt: skip
        self.api.call("POST", f"api/v2/dags/{dag_id}/clearTaskInstances", body)
        return self.wait(dag_id)

    def objects(self, dag_id, task_id=None):
        """The URIs under a DAG's part of the prefix, or under a task's."""
        pages = obstore.list(self.store, f"{self.prefix}/dag_id={dag_id}")
        found = {f"s3://{self.bucket}/{o['path']}" for page in pages for o in page}
        return {uri for uri in found if task_id is None or f"/task_id={task_id}/" in uri}

    def rows(self, dag_id):
        """What the database holds: value by task, map index and key."""
        return {
            (row["task_id"], row["map_index"], row["key"]): row["value"]
            for row in self.api.xcoms(dag_id, self.runs[dag_id])
        }

    def log(self, dag_id, task_id, attempt=None):
        """The text of a task's log, of its last attempt if none is said."""
        folder = self.server.home / "logs" / f"dag_id={dag_id}"
        folder = folder / f"run_id={self.runs[dag_id]}" / f"task_id={task_id}"
        names = [re.fullmatch(r"attempt=(\d+)\.log", path.name) for path in folder.iterdir()]
        number = attempt or max(int(name[1]) for name in names if name)  # no trigger's log
        return (folder / f"attempt={number}.log").read_text()

    def pushed(self, dag_id, task_id, attempt):
        """The URIs that an attempt pushed, as its log says."""
        lines = [line for line in self.log(dag_id, task_id, attempt).splitlines()
                 if "XCom push:" in line]  # fmt: skip
        return {re.search(r"s3://[^\s\"]+", line)[0] for line in lines}

    def write_row(self, dag_id, task_id, key, value):
        """Change a row in the database, past all checks of the REST API."""
        with sqlite3.connect(self.server.home / "airflow.db", timeout=60) as database:
            changed = database.execute(
                "UPDATE xcom SET value = ? WHERE dag_id = ? AND run_id = ? AND task_id = ?"
                " AND key = ?",
                (json.dumps(value), dag_id, self.runs[dag_id], task_id, key),
            )
            assert changed.rowcount == 1
        database.close()

    def restart_scheduler(self, **changes):
        self.server.components["scheduler"].stop()
        arguments = ["scheduler", "--skip-serve-logs"]
        self.server.launch("scheduler", arguments, changes, self.server.home)


@pytest.fixture(scope="module")
def real(tmp_path_factory, s3_server):
    folder = tmp_path_factory.mktemp("real")
    (folder / "dags").mkdir()
    shutil.copy(Path(__file__).with_name("real_airflow_dags.py"), folder / "dags" / "real_dags.py")
    prefix = f"xcom-{uuid.uuid4().hex[:12]}"
    settings = {
        "AIRFLOW__CORE__XCOM_BACKEND": "include.s3_xcom_backend.S3XComBackend",
        "AIRFLOW__XCOM_STORE__URL": f"s3://{s3_server.bucket}/{prefix}",
        "AIRFLOW__XCOM_STORE__ENDPOINT_URL": s3_server.endpoint_url,
        "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(local_s3.connection(s3_server)),
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
    }
    win = {"AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags")}
    port = ports.free_ports(1)[0]
    with AirflowServer.start(folder / "airflow", port, settings, win) as server:
        server.wait_until_healthy()
        deadline = time.monotonic() + SECONDS
        while len(server.api.dags()) < len(DAGS):
            assert server.api.import_errors() == []
            assert time.monotonic() < deadline, "the DAGs are not listed"
            time.sleep(0.5)
        real = Real(server, s3_server, prefix)
        for dag_id in DAGS[:-1]:
            real.trigger(dag_id)
        yield real


def test_the_dags_are_those_that_are_waited_for():
    """The long tests would wait for any other for minutes."""
    for dag_id in DAGS:
        assert getattr(real_airflow_dags, dag_id)().tasks


@pytest.mark.long
def test_a_mapped_task_of_frames_and_a_reduce(real):
    assert real.wait("real_mapped") == "success"
    rows = real.rows("real_mapped")
    assert rows.pop(("reduce", -1, "return_value")) == MAPPED
    assert [index for _, index, _ in sorted(rows)] == list(range(MAPPED))
    assert {row["uri"] for row in rows.values()} == real.objects("real_mapped")
    assert len(real.objects("real_mapped")) == MAPPED


@pytest.mark.long
def test_a_retry_deletes_what_the_first_try_pushed_and_nothing_else(real):
    assert real.wait("real_retried") == "success"
    first = real.pushed("real_retried", "flaky", 1)
    second = real.pushed("real_retried", "flaky", 2)
    assert (len(first), len(second)) == (2, 3)
    visible = real.objects("real_retried", "flaky")
    assert not first & visible
    [nested] = [uri for uri in second if "/nested-" in uri]
    leaves = {uri for uri in visible if uri.startswith(nested.rpartition(".json")[0] + "/")}
    assert visible == second | leaves
    assert len(leaves) == 1
    keys = {key for task, _, key in real.rows("real_retried") if task == "flaky"}
    assert keys == {"nested", "only_2", "return_value"}
    [bystander] = real.pushed("real_retried", "bystander", 1)
    assert real.objects("real_retried", "bystander") == {bystander}


@pytest.mark.long
def test_a_value_pushed_before_a_deferral_is_there_after_it(real):
    assert real.wait("real_deferred") == "success"
    rows = real.rows("real_deferred")
    uris = {row["uri"] for row in rows.values()}
    assert {key for _, _, key in rows} == {"before", "return_value"}
    assert uris < real.objects("real_deferred")
    assert len(real.objects("real_deferred")) == 3  # a frame is a leaf of the dict
    assert "Deleted s3://" not in real.log("real_deferred", "deferred")


@pytest.mark.long
def test_a_cleared_task_replaces_its_objects(real):
    assert real.wait("real_cleared") == "success"
    before = real.objects("real_cleared")
    assert real.clear("real_cleared", "source", "reader") == "success"
    after = real.objects("real_cleared")
    assert (len(before), len(after)) == (1, 1)
    assert before != after
    assert after == {real.rows("real_cleared")["source", -1, "return_value"]["uri"]}


@pytest.mark.long
def test_a_reference_of_another_dag_is_neither_read_nor_deleted(real):
    foreign = real.rows("real_retried")["bystander", -1, "return_value"]
    own = real.rows("real_cleared")["source", -1, "return_value"]
    run = f"api/v2/dags/real_cleared/dagRuns/{real.runs['real_cleared']}".replace(":", "%3A")
    entries = f"{run.replace('+', '%2B')}/taskInstances/source/xcomEntries"
    with pytest.raises(DevError, match=r"answered 4\d\d"):
        real.api.call("PATCH", f"{entries}/return_value", {"value": foreign})
    with pytest.raises(DevError, match=r"answered 4\d\d"):
        real.api.call("POST", entries, {"key": "new", "value": foreign})
    assert real.rows("real_cleared")["source", -1, "return_value"] == own

    real.write_row("real_cleared", "source", "return_value", foreign)
    assert real.clear("real_cleared", "reader") == "failed"
    log = real.log("real_cleared", "reader")
    assert "AccessDenied" in log
    assert "is not an object of" in log
    assert real.clear("real_cleared", "source", "reader") == "success"
    assert "Left the object of XCom" in real.log("real_cleared", "source")
    assert foreign["uri"] in real.objects("real_retried")
    new = real.rows("real_cleared")["source", -1, "return_value"]["uri"]
    assert real.objects("real_cleared") == {own["uri"], new}  # the first is an orphan now


@pytest.mark.long
def test_a_deleted_run_leaves_its_objects(real):
    """Airflow tells a backend nothing of it: orphans, for a sweep."""
    before = real.objects("real_mapped")
    run = real.runs["real_mapped"].replace(":", "%3A").replace("+", "%2B")
    real.api.call("DELETE", f"api/v2/dags/real_mapped/dagRuns/{run}")
    assert real.api.runs("real_mapped") == []
    assert real.objects("real_mapped") == before
    assert len(before) == MAPPED


@pytest.mark.long
def test_offload_is_switched_off_in_a_running_deployment(real):
    real.restart_scheduler(AIRFLOW__XCOM_STORE__OFFLOAD="False")
    before = real.objects("real_cleared")
    old = real.rows("real_cleared")["source", -1, "return_value"]["uri"]
    assert real.clear("real_cleared", "reader") == "success"  # an old value
    assert real.objects("real_cleared") == before
    real.trigger("real_inline")
    assert real.wait("real_inline") == "success"
    assert real.rows("real_inline")["plain", -1, "return_value"] == {"numbers": list(range(500))}
    assert real.objects("real_inline") == set()
    # A frame has nowhere to go.
    assert real.clear("real_cleared", "source", "reader") == "failed"
    log = real.log("real_cleared", "source")
    assert "ValueNotStorable" in log
    assert "[xcom_store] offload is False" in log
    # And on again.
    real.restart_scheduler()
    assert real.clear("real_cleared", "source", "reader") == "success"
    new = real.rows("real_cleared")["source", -1, "return_value"]["uri"]
    assert real.objects("real_cleared") == before - {old} | {new}
