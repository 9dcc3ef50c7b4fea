"""Where the time of a task goes, in a real Airflow: LocalExecutor, API server, task processes.

One task makes a frame of 27 MB and pushes it, the next pulls it and groups it; runs follow one
another. Queued and ended are the task instance's in Airflow's database; the process's start is the
kernel's; what lies between is noted by the task and in its log. A push ends with its line in the
log. Making a frame and pulling one both load pandas and pyarrow, as each task is a new process.
"""

from __future__ import annotations

import json
import shutil
from contextlib import contextmanager
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dev import follow, ports
from dev.airflow_server import AirflowServer
from dev.benchmarks.harness import Bench, Result, median, spread
from dev.errors import DevError

if TYPE_CHECKING:
    from collections.abc import Iterator

TITLE = "Where the time of a task goes"
PEERS = ("ours",)
RUNS, QUICK_RUNS = 6, 2
DAG_FILE = Path(__file__).with_name("task_time_dag.py")
TASKS = ("make", "use")
PHASES = (
    "from queued to its process: executor, supervisor",
    "imports, the DAG file",
    "until the function is called",
    "pull",
    "the task's own code",
    "push",
    "end: supervisor, API server",
)
OURS = ("pull", "push")
A_DAY = 10_000_000
REQUEST_DOLLARS = {"PUT": 0.005 / 1000, "GET": 0.0004 / 1000}
"""Of S3 Standard in us-east-1, November 2026: https://aws.amazon.com/s3/pricing/"""


def run(bench: Bench) -> Result:
    found: dict[str, list[list[float]]] = {name: [] for name in TASKS}
    with _airflow(bench) as server:
        for number_of_run in range(QUICK_RUNS if bench.quick else RUNS):
            ended, tasks = follow.one_run(server, "task_time", bench.say)
            if ended["state"] != "success":
                raise DevError(f"the run ended as {ended['state']}; see {server.home}/logs")
            for task in tasks if number_of_run else ():  # the first fills caches
                log = _log(server.home, task)
                found[task["task_id"]].append(_phases(task, log))
    with bench.s3() as env:
        bench.say("CPU of a small push and a pull")
        cpu = bench.call("ours", env, "task_time:small_cpu")
    shares = [
        f"{name}: {100 * sum(_ours(one) for one in each) / sum(map(sum, each)):.1f}% of the time "
        "is pull and push."
        for name, each in found.items()
    ]
    figures = {"phases": PHASES, "seconds": found, "small_cpu": cpu}
    return Result(
        ["", *(f"{name}, ms" for name in TASKS)],
        [
            [phase, *(spread([1000 * one[n] for one in found[name]]) for name in TASKS)]
            for n, phase in enumerate(PHASES)
        ],
        [],
        figures,
        [*shares, *_a_day(cpu)],
    )


@contextmanager
def _airflow(bench: Bench) -> Iterator[AirflowServer]:
    dags = bench.folder / "dags"
    dags.mkdir()
    shutil.copy(DAG_FILE, dags)
    with bench.s3() as env:
        ours = ("AIRFLOW__XCOM_STORE__", "AIRFLOW_CONN_")
        settings = {name: value for name, value in env.items() if name.startswith(ours)}
        settings["AIRFLOW__CORE__XCOM_BACKEND"] = "include.s3_xcom_backend.S3XComBackend"
        home, (port,) = bench.folder / "airflow-tasks", ports.free_ports(1)
        winning = {"AIRFLOW__CORE__DAGS_FOLDER": str(dags)}
        bench.say("Airflow starts")
        with AirflowServer.start(home, port, settings, winning) as server:
            server.wait_until_healthy()
            follow.listed_dags(server, ["task_time"], bench.say)
            yield server


def _log(home: Path, task: dict[str, Any]) -> list[dict[str, Any]]:
    """The events of a task's log."""
    place = f"dag_id=task_time/run_id={task['dag_run_id']}/task_id={task['task_id']}"
    (file,) = (home / "logs" / place).glob("*.log")
    return [json.loads(line) for line in file.read_text().splitlines() if line.startswith("{")]


def _phases(task: dict[str, Any], log: list[dict[str, Any]]) -> list[float]:
    """Seconds of each phase."""
    (noted,) = (event["event"] for event in log if event["event"].startswith("TIMES "))
    process, read, called, pulled, ended = map(float, noted.split()[1:])
    pushes = [_at(event["timestamp"]) for event in log if event["event"].startswith("XCom push")]
    pushed = max([ended, *pushes])
    queued, end = _at(task["queued_when"]), _at(task["end_date"])
    moments = [queued, process, read, called, pulled, ended, pushed, end]
    return [after - before for before, after in pairwise(moments)]


def _at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _ours(phases: list[float]) -> float:
    return sum(seconds for name, seconds in zip(PHASES, phases, strict=True) if name in OURS)


def small_cpu() -> float:
    """In the child, connected: seconds of CPU of a push and a pull of 1.4 KB."""
    from dev.benchmarks import meters
    from dev.benchmarks.first_value import make_value
    from dev.benchmarks.peers import ours

    value = make_value()
    ours.pull(ours.push(value))
    times = 500
    _, found = meters.measure(lambda: [ours.pull(ours.push(value)) for _ in range(times)])
    return float(found["cpu"]) / times


def _a_day(cpu: float) -> list[str]:
    dollars = A_DAY * sum(REQUEST_DOLLARS.values())
    requests = ", ".join(f"{A_DAY:,} {name}" for name in REQUEST_DOLLARS)
    asked = (
        f"{A_DAY:,} XComs a day that go to the store, each pulled once: {requests}, which is "
        f"{A_DAY / 86_400:.0f} of each a second on the average; {dollars:,.0f} dollars a day for "
        "them; a new connection for each task that pushes or pulls."
    )
    of_ours = (
        f"CPU of ours: {1000 * cpu:.2f} ms for a push and a pull of 1.4 KB, which is "
        f"{A_DAY * cpu / 3600:.1f} hours a day, {A_DAY * cpu / 86_400:.2f} cores on the average; "
        "the first use in each process comes on top (first_value)."
    )
    return [asked, of_ours]


def median_phases(figures: dict[str, Any]) -> dict[str, list[float]]:
    """By task: the median milliseconds of each phase, for the picture."""
    return {
        name: [1000 * median([one[n] for one in each]) for n in range(len(PHASES))]
        for name, each in figures["seconds"].items()
    }
