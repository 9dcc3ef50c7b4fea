"""examples/docker-compose as it runs: its containers, Airflow's API, the bucket."""

from __future__ import annotations

import contextlib
import shutil
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from dev import follow, ports, report
from dev.airflow_rest import AirflowApi
from tests import waiting
from tests.astro.conftest import Project, answers, named, need

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = "examples/docker-compose"


def command() -> list[str]:
    """Docker Compose, second edition."""
    for found in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(found[0]) and answers(*found, "version", "--short"):
            return found
    pytest.skip("no docker compose on the PATH")


class Stack(Project):
    """A project's example, from some of its files."""

    def __init__(self, root: Path, name: str, files: list[str], **environment: str) -> None:
        api, s3 = ports.free_ports(2)
        super().__init__(
            root, root, COMPOSE_PROJECT_NAME=name, UI_PORT=str(api), S3_PORT=str(s3), **environment
        )
        self._command = [*command(), *(f"-f{file}" for file in files)]
        self.api = AirflowApi(f"http://localhost:{api}")
        self.s3: Any = SimpleNamespace(
            bucket="airflow-xcoms", endpoint_url=f"http://127.0.0.1:{s3}",
            access_key_id="local-access-key", secret_access_key="local-secret-key",
        )  # fmt: skip

    def compose(self, *arguments: str, check: bool = True) -> str:
        return self.run(*self._command, *arguments, check=check, seconds=1800)

    def compose_project(self) -> str:
        return self.environment["COMPOSE_PROJECT_NAME"]

    def wait_until_healthy(self, seconds: float = 900) -> None:
        said = partial(self.compose, "logs", "--tail", "40")
        waiting.until(self.api.healthy, said, seconds=seconds, every=1)


def run_of(api: AirflowApi, s3: Any, dag_id: str) -> report.DagReport:
    """Run a DAG to its end; what has become of it."""
    server: Any = SimpleNamespace(
        api=api, check_alive=lambda: None, log=lambda _: "its container's log"
    )
    run, tasks = follow.one_run(server, dag_id, print)
    run_id = run["dag_run_id"]
    stored = follow.objects_of_run(s3, "xcom", dag_id, run_id)
    return report.make(run, tasks, api.xcoms(dag_id, run_id), stored)


@contextlib.contextmanager
def started(clone: Path, name: str, *files: str, **environment: str) -> Iterator[Stack]:
    """Build and start it; at the end all is removed, with its data."""
    paths = [f"{FOLDER}/{file}" for file in files]
    need(*named(f"{FOLDER}/Dockerfile", *paths, root=clone))
    stack = Stack(clone, name, paths, **environment)
    try:
        stack.compose("up", "--build", "--detach", "--quiet-pull")
        stack.wait_until_healthy()
        yield stack
    finally:
        stack.compose("down", "--volumes", "--timeout", "20", check=False)
