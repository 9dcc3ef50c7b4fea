"""Airflow on more than one machine, on one: PostgreSQL, Redis and two Celery workers.

The workers have the database's and the queue's address and the S3 bucket in common, as workers in
production do, and no folder: each has an Airflow home, a temporary folder, a home directory and a
copy of the project of its own. So what passes from a task on the one to a task on the other passes
through S3, or is a small value in the database.

    <folder>/worker-1/         home; logs/ has the logs of the tasks that ran there
    <folder>/worker-1/project  dags/, include/ …; dbt_venv is a link: programs, as .venv
    <folder>/worker-1/tmp

A task that has to run on one of them says so: `@task(queue="worker-1")`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from dev import postgres, processes, project, redis_server
from dev.errors import DevError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from dev.airflow_server import AirflowServer
    from dev.report import DagReport

EXECUTOR = "CeleryExecutor"
WORKERS = ("worker-1", "worker-2")
_READY_SECONDS = 120.0
_SHIPPED = ("dags", "include", "plugins")
_NOT_SHIPPED = shutil.ignore_patterns("__pycache__", "uncommitted", "target", "logs")


def check_installed() -> None:
    """Raise DevError naming what has to be installed, and how, if a server is missing."""
    missing = []
    for find in (postgres.find, redis_server.find):
        try:
            find()
        except FileNotFoundError as error:
            missing.append(str(error))
    if missing:
        raise DevError(
            f"--executor {EXECUTOR} needs {' and '.join(missing)}: not on PATH, nor where Debian"
            " and Homebrew put it.\n"
            "  Debian, Ubuntu:  sudo apt-get install postgresql redis-server\n"
            "  macOS:           brew install postgresql@17 redis\n"
            "Neither has to run: this starts its own, with new data, and stops them."
        )
    postgres.as_user()


@contextlib.contextmanager
def services(folder: Path) -> Iterator[dict[str, str]]:
    """Run PostgreSQL and Redis; yields the settings with which Airflow uses them."""
    with (
        postgres.serve(folder / "postgres") as database,
        redis_server.serve(folder / "redis") as queue,
    ):
        url = database.replace("postgresql:", "postgresql+psycopg2:")
        yield {
            "AIRFLOW__CORE__EXECUTOR": EXECUTOR,
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url,
            "AIRFLOW__CELERY__BROKER_URL": queue,
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{url}",
            # A worker that is busy leaves what waits to the other one.
            "AIRFLOW__CELERY__WORKER_CONCURRENCY": "1",
            "AIRFLOW__CELERY__WORKER_PREFETCH_MULTIPLIER": "1",
        }


def start(airflow: AirflowServer, folder: Path) -> None:
    """Start the workers; returns when both take tasks."""
    for name in WORKERS:
        home = folder / name
        environment = _make_home(home, name)
        command = ["celery", "worker", "--celery-hostname", name, "--queues", f"default,{name}"]
        airflow.launch(name, [*command, "--skip-serve-logs"], environment, home)
    deadline = time.monotonic() + _READY_SECONDS
    for name in WORKERS:
        log = airflow.log(name)
        while f"{name} ready" not in log.read_text(errors="replace"):
            airflow.check_alive()
            if time.monotonic() > deadline:
                raise DevError(f"{name} takes no tasks; {log}:\n{processes.tail(log)}")
            time.sleep(0.2)


def problems(reports: Sequence[DagReport]) -> list[str]:
    """What is wrong with where the tasks ran."""
    used = {worker for report in reports for worker in report.workers.values()}
    found = [f"tasks ran on {name}, which is none of ours" for name in sorted(used - {*WORKERS})]
    if not any(set(WORKERS) <= set(report.workers.values()) for report in reports):
        found.append(f"no run had tasks on each of {' and '.join(WORKERS)}")
    return found


def found_on_disk(folder: Path, objects: Collection[bytes]) -> list[str]:
    """Files with the bytes of an object: what passes through S3 is to lie nowhere else.

    Args:
        folder: of this run, with the workers' homes; this machine's temporary folder is searched
            as well.
        objects: what the run has put into the bucket.
    """
    contents = {len(content): set[bytes]() for content in objects if content}
    for content in objects:
        contents.get(len(content), set()).add(content)
    found = [
        f"{path}: a file with the bytes of an object in S3"
        for place in (folder, Path(tempfile.gettempdir()))
        for path in _files(place)
        if (same_size := contents.get(_size(path))) and path.read_bytes() in same_size
    ]
    if task_logs := [*(folder / "airflow" / "logs").glob("dag_id=*")]:
        found.append(f"{task_logs[0]}: the log of a task that did not run in a worker's home")
    return list(dict.fromkeys(found))


def _files(place: Path) -> Iterator[Path]:
    """Every file below, without what S3 servers store."""
    for root, folders, names in os.walk(place):
        folders[:] = [name for name in folders if name != "s3"]
        yield from (Path(root, name) for name in names)


def _size(path: Path) -> int:
    """Bytes of a regular file; 0 for what is none, is gone, or is not ours to read."""
    try:
        status = path.lstat()
    except OSError:
        return 0
    ours = stat.S_ISREG(status.st_mode) and os.access(path, os.R_OK)
    return status.st_size if ours else 0


def _make_home(home: Path, name: str) -> Mapping[str, str]:
    """Make a worker's folders and its copy of the project; what sets its environment apart."""
    copy = home / "project"
    for part in _SHIPPED:
        if (project.ROOT / part).exists():
            shutil.copytree(project.ROOT / part, copy / part, ignore=_NOT_SHIPPED)
    (copy / project.DBT_VENV.name).symlink_to(project.DBT_VENV)
    (home / "tmp").mkdir()
    # What Airflow asks for the machine's name; it stands beside each task in the UI.
    (home / "config").mkdir()
    (home / "config" / "machine.py").write_text(f"def name() -> str:\n    return {name!r}\n")
    return {
        "HOME": str(home),
        "TMPDIR": str(home / "tmp"),
        "AIRFLOW_HOME": str(home),
        "PYTHONPATH": os.pathsep.join([str(copy), str(home / "config")]),
        "AIRFLOW__CORE__DAGS_FOLDER": str(copy / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(copy / "plugins"),
        "AIRFLOW__CORE__HOSTNAME_CALLABLE": "machine.name",
        "AIRFLOW__COSMOS__CACHE_DIR": str(home / "cosmos"),
    }
