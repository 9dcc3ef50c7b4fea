"""A real Airflow for tests: scheduler, API server, triggerer and task processes.

What is asserted are states, database records and objects in the bucket.

    @pytest.fixture(scope="module")
    def real(tmp_path_factory, s3_server):
        folder, files = tmp_path_factory.mktemp("real"), ["real_airflow_dags.py"]
        with Real.running(folder, s3_server, files, DAGS) as real:
            yield real

    assert real.run("real_mapped") == "success"
"""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import uuid
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import obstore

from dev import ports
from dev.airflow_server import AirflowServer
from tests import local_s3, waiting

SECONDS = 400.0


class Real:
    """A running Airflow, and what the tests ask of it."""

    def __init__(self, server, s3_server, prefix):
        self.server, self.api = server, server.api
        self.store_url = f"s3://{s3_server.bucket}/{prefix}"
        self.store = local_s3.client(s3_server, prefix)
        self.runs = {}

    @classmethod
    @contextmanager
    def running(cls, folder, s3_server, files, dag_ids, prefix=None, **settings):
        """Run an Airflow with the DAGs of these files.

        Args:
            folder: an empty one.
            s3_server: has the bucket.
            files: whole paths, or names beside this file.
            dag_ids: those that are waited for.
            prefix: of its values; one of its own if none is said.
            settings: more environment variables; what is None is left out.
        """
        (folder / "dags").mkdir()
        for name in files:
            shutil.copy(Path(__file__).parent / name, folder / "dags")
        prefix = prefix or f"xcom-{uuid.uuid4().hex[:12]}"
        settings = {
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
            # It is five seconds, which a busy machine does not always keep.
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
            **settings,
        }
        win = local_s3.settings(s3_server, prefix, **settings)
        [port] = ports.free_ports(1)
        with AirflowServer.start(folder / "airflow", port, {}, win) as server:
            server.wait_until_healthy()
            waiting.for_dags(server.api, dag_ids, SECONDS)
            yield cls(server, s3_server, prefix)

    def trigger(self, dag_id, **conf):
        """Begin a run; it is the one that is asked about from now on."""
        self.runs[dag_id] = self.api.trigger(dag_id, **conf)["dag_run_id"]

    def run(self, dag_id, **conf):
        """The state that a new run ends in."""
        self.trigger(dag_id, **conf)
        return self.wait(dag_id)

    def trigger_all(self, dag_ids):
        """Trigger many DAGs while the scheduler is away.

        With SQLite the API server may else wait for the database, and a task that starts, which has
        it, for the API server, until SQLite gives up.
        """
        self.server.components["scheduler"].stop()
        for dag_id in dag_ids:
            self.trigger(dag_id)
        self.restart_scheduler()

    def follow(self, dag_id):
        """Take the DAG's only run, which Airflow has made, for the one that is asked about."""
        [run] = waiting.until(lambda: self.api.runs(dag_id), f"no run of {dag_id}", seconds=SECONDS)
        self.runs[dag_id] = run["dag_run_id"]

    def path(self, dag_id):
        """Of the run, in the REST API."""
        return f"api/v2/dags/{dag_id}/dagRuns/{quote(self.runs[dag_id], safe='')}"

    def state(self, dag_id):
        return self.api.call("GET", self.path(dag_id))["state"]

    def wait(self, dag_id, *states):
        """The run's state once it is one of these; when it has ended if none is said."""
        wanted = states or ("success", "failed")

        def reached():
            self.server.check_alive()
            return (state := self.state(dag_id)) in wanted and state

        said = f"{dag_id} does not end; see {self.server.home}"
        return waiting.until(reached, said, seconds=SECONDS, every=0.5)

    def states(self, dag_id):
        """The state of each task instance, by task id, of mapped ones with `[index]` behind it."""
        found = {}
        for ti in self.api.task_instances(dag_id, self.runs[dag_id]):
            index = "" if ti["map_index"] == -1 else f"[{ti['map_index']}]"
            found[f"{ti['task_id']}{index}"] = ti["state"]
        return found

    def clear(self, dag_id, *tasks):
        """Clear these tasks of the run, wait for its end; its state."""
        body = {
            "dry_run": False, "only_failed": False, "dag_run_id": self.runs[dag_id],
            "task_ids": list(tasks),
        }  # fmt: skip
        self.api.call("POST", f"api/v2/dags/{dag_id}/clearTaskInstances", body)
        return self.wait(dag_id)

    def delete_run(self, dag_id):
        self.api.call("DELETE", self.path(dag_id))

    def objects(self, dag_id=None, task_id=None):
        """The URIs under the prefix, under a DAG's part of it, or under a task's."""
        pages = obstore.list(self.store, f"dag_id={dag_id}" if dag_id else None)
        found = {f"{self.store_url}/{o['path']}" for page in pages for o in page}
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
        """Start it again, with these changes to the environment that its tasks inherit."""
        self.server.components["scheduler"].stop()
        arguments = ["scheduler", "--skip-serve-logs"]
        self.server.launch("scheduler", arguments, changes, self.server.home)


def dag_ids(file):
    """The DAGs in a file of this folder."""
    from airflow.dag_processing.dagbag import DagBag

    return {*DagBag(Path(__file__).with_name(file)).dag_ids}
