"""Celery on several hosts, each a container: what is lost when one dies or cannot reach the other.

No value is wrong, none is lost whose task succeeded, and what fails says so with an error of this
backend and is tried again by Airflow.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml
from airflow.configuration import conf

pytest.importorskip("dev.follow", reason="only `python3 -m dev test` runs this")
from include.xcom_store.settings import Settings
from tests import waiting
from tests.astro import hosts_dag
from tests.astro.stack import FOLDER, Stack, started
from tests.astro_project import ROOT
from tests.local_s3 import Uploads

DAG = "hosts"
WORKERS = {"worker-1", "worker-2"}
TYPED = {"StoreUnreachable"}
SETTINGS = {
    # A task whose worker is gone, or that it had only taken from the queue, and what a dead scheduler
    # had queued: each is seen after a minute or two, and not five or ten.
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "120",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "20",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "30",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
    "AIRFLOW__CELERY__WORKER_CONCURRENCY": "2",
    "AIRFLOW__CELERY__WORKER_PREFETCH_MULTIPLIER": "1",
    # An outage of 30 s is longer than what the backend waits for by itself.
    "AIRFLOW__XCOM_STORE__RETRY_TIMEOUT": "5",
    "AIRFLOW__XCOM_STORE__CONNECT_TIMEOUT": "2",
    "AIRFLOW__XCOM_STORE__REQUEST_TIMEOUT": "10",
}
OUTAGE_SECONDS = 30


@pytest.fixture(scope="module")
def stack(engine, clone):
    shutil.copy(Path(hosts_dag.__file__), clone / "dags")
    services = [*sorted(WORKERS), "scheduler", "dag-processor", "api-server", "triggerer"]
    settings = {"services": {name: {"environment": SETTINGS} for name in services}}
    (clone / FOLDER / "test.yml").write_text(json.dumps(settings))
    with started(clone, "s3-hosts-test", "docker-compose.yml", "celery.yml", "test.yml") as stack:
        waiting.for_dags(stack.api, [DAG], seconds=300)
        yield stack


def test_the_settings_are_options_and_the_workers_services():
    """Airflow would ignore an option that it does not know, and Compose wait for ever."""
    for name in SETTINGS:
        _, section, option = name.lower().split("__")
        known = option in Settings._fields if section == "xcom_store" else conf.get(section, option)
        assert known, name
    services = yaml.safe_load((ROOT / FOLDER / "celery.yml").read_text())["services"]
    assert services.keys() >= WORKERS


class Run:
    """A run of the DAG, from its start."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.began = time.monotonic()
        self.id = stack.api.trigger(DAG)["dag_run_id"]
        self._uploads = Uploads(stack.s3, "xcom")

    def state(self) -> str:
        states = {run["dag_run_id"]: run["state"] for run in self.stack.api.runs(DAG)}
        return str(states[self.id])

    def uploads(self) -> list[str]:
        """Its objects that are on their way to S3."""
        part = f"/run_id={quote(self.id, safe='')}/"
        return [key for key in self._uploads.keys() if part in key]  # noqa: SIM118 - not a dict

    def tasks(self) -> list[dict]:
        return self.stack.api.task_instances(DAG, self.id)

    def push(self) -> tuple[str, str]:
        """Wait until a value is on its way to S3; the worker that it comes from, and the object."""
        while time.monotonic() < self.began + 300:
            if uploads := self.uploads():
                for task in self.tasks():
                    part = f"/task_id=push/map_index={task['map_index']}/"
                    for key in uploads:
                        if task["state"] == "running" and part in key:
                            return str(task["hostname"]), key
            time.sleep(0.05)
        raise AssertionError("nothing was pushed")

    def end(self) -> list[str]:
        """Wait for it; all is as it should be, and this says why tries failed."""
        while self.state() not in ("success", "failed"):
            assert time.monotonic() < self.began + 900, self.tasks()
            time.sleep(1)
        tasks = self.tasks()
        assert {task["state"] for task in tasks} == {"success"}
        assert len(tasks) == 2 * hosts_dag.VALUES
        reasons = [reason for task in tasks for reason in self.failures(task)]
        print(f"{time.monotonic() - self.began:.0f} s, failed tries: {reasons}")
        self.check_values()
        return reasons

    def failures(self, task: dict) -> list[str]:
        """Of each try before the last: the errors in its log, or that its worker vanished."""
        found = []
        path = (
            f"api/v2/dags/{DAG}/dagRuns/{quote(self.id, safe='')}/taskInstances/{task['task_id']}"
        )
        for number in range(1, task["try_number"]):
            query = f"map_index={task['map_index']}&full_content=true"
            log = self.stack.api.call("GET", f"{path}/logs/{number}?{query}")["content"]
            assert all(isinstance(line, dict) for line in log), log
            errors = [error for line in log for error in line.get("error_detail") or []]
            found.append(errors[0]["exc_type"] if errors else "vanished")
        return found

    def check_values(self) -> None:
        """Each value whose task succeeded is whole in the bucket."""
        verify = ["python", "-m", "include.xcom_tools", "verify", "--json"]
        said = self.stack.inside("triggerer", *verify, "--dag-id", DAG, "--run-id", self.id)
        lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
        states = [line["state"] for line in lines if line.get("task_id") == "push"]
        assert states == ["ok"] * hosts_dag.VALUES, said


def test_values_go_from_worker_to_worker(stack):
    run = Run(stack)
    assert run.end() == []
    assert {task["hostname"] for task in run.tasks()} == WORKERS


def test_a_worker_killed_in_the_middle_of_a_push(stack):
    containers = {worker: stack.container(worker) for worker in WORKERS}
    run = Run(stack)
    worker, key = run.push()
    stack.run("docker", "kill", containers[worker])
    time.sleep(5)
    assert key in run.uploads()  # it was in the middle, and nobody could end it
    stack.compose("start", worker)
    reasons = run.end()
    assert "vanished" in reasons
    assert {*reasons} <= TYPED | {"vanished"}


def test_s3_stopped_and_started(stack):
    run = Run(stack)
    run.push()
    stack.compose("stop", "s3")
    time.sleep(OUTAGE_SECONDS)
    stack.compose("start", "s3")
    assert {*run.end()} == TYPED


def test_a_network_cut_between_a_worker_and_s3(stack):
    if os.geteuid() or not all(map(shutil.which, ("nsenter", "iptables"))):
        pytest.skip("needs root, nsenter and iptables")
    networks = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    address = stack.run("docker", "inspect", "-f", networks, stack.container("s3")).strip()
    processes = {
        worker: stack.run("docker", "inspect", "-f", "{{.State.Pid}}", stack.container(worker))
        for worker in WORKERS
    }
    run = Run(stack)
    worker, _ = run.push()
    inside = ["nsenter", "--target", processes[worker].strip(), "--net"]
    rule = ["OUTPUT", "--destination", address, "--jump", "DROP"]
    subprocess.run([*inside, "iptables", "--append", *rule], check=True)
    time.sleep(OUTAGE_SECONDS)
    subprocess.run([*inside, "iptables", "--delete", *rule], check=True)
    assert {*run.end()} == TYPED


def test_two_schedulers_one_of_which_is_killed(stack):
    stack.compose("up", "--detach", "--no-recreate", "--scale", "scheduler=2", "scheduler")
    first, second = sorted(stack.container("scheduler").split())
    alive = ("airflow", "jobs", "check", "--job-type", "SchedulerJob", "--allow-multiple")
    while "Found 2 alive jobs" not in stack.run("docker", "exec", first, *alive, "--limit", "9"):
        time.sleep(1)
    run = Run(stack)
    run.push()
    stack.run("docker", "kill", first)
    reasons = run.end()
    assert {*reasons} <= TYPED | {"vanished"}
    assert stack.run("docker", "ps", "--quiet", "--filter", f"name={second}").strip()
