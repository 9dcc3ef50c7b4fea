"""A copy of the project to run `python -m dev` in, and what is running of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from dev.project import ROOT
from tests import waiting

BASE_PYTHON = getattr(sys, "_base_executable", sys.executable)
MARK = "DEV_TEST_MARK"
TINY_DAGS = '''
"""Small airflow DAGs of the tests."""
import time
from pendulum import datetime
from airflow.sdk import dag, task

@dag(schedule="@daily", start_date=datetime(2025, 1, 1), catchup=False, max_active_runs=1)
def tiny():
    @task
    def make():
        return {"numbers": list(range(500))}

    @task
    def use(value):
        assert value["numbers"][-1] == 499

    use(make())

@dag(schedule=None)
def tiny_failing():
    @task(retries=0)
    def fail():
        raise ValueError("this is what went wrong")

    fail()

@dag(schedule=None)
def tiny_slow():
    @task
    def sleep():
        time.sleep(600)

    sleep()

tiny(), tiny_failing(), tiny_slow()
'''


@dataclass
class Copy:
    """A copy of the project, and what is started in it."""

    root: Path
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)

    def environ(self, **extra: str) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "PYTHON"))}
        return {**kept, MARK: self.mark, **extra}

    def start(self, *arguments: str, python: str = BASE_PYTHON, **extra: str) -> subprocess.Popen:
        with (self.root / "output.txt").open("w") as output:
            return subprocess.Popen(
                [python, "-m", "dev", *arguments],
                cwd=self.root,
                env=self.environ(**extra),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def run(
        self, *arguments: str, python: str = BASE_PYTHON, **extra: str
    ) -> subprocess.CompletedProcess:
        return subprocess.run(
            [python, "-m", "dev", *arguments],
            cwd=self.root,
            env=self.environ(**extra),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    @property
    def output(self) -> str:
        return (self.root / "output.txt").read_text()

    def wait_for(self, text: str, process: subprocess.Popen, seconds: float = 180) -> None:
        def said() -> bool:
            ended = process.poll() is not None
            found = text in self.output  # what it has said last is there when it has ended
            assert found or not ended, f"ended before it said {text!r}:\n{self.output}"
            return found

        waiting.until(said, lambda: f"never said {text!r}:\n{self.output}", seconds=seconds)

    def running(self) -> list[str]:
        """Command lines of all processes that inherited our mark."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get(MARK) == self.mark:
                    found.append(f"{process.pid} {' '.join(process.cmdline())[:200]}")
            except (psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess):
                continue
        return found


def copy_project(target: Path) -> None:
    target.mkdir()
    unwanted = shutil.ignore_patterns("__pycache__", "uncommitted", "*.csv")
    for folder in ("dev", "dags", "include"):
        shutil.copytree(ROOT / folder, target / folder, ignore=unwanted)
    for name in (".env", "airflow_settings.yaml", "requirements.txt"):
        shutil.copy(ROOT / name, target / name)


def gone(pid: int, seconds: float = 15) -> bool:
    """Whether a process ends within that time; a zombie has ended."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False
