"""A whole Airflow on this machine: database, API server, scheduler, DAG processor, triggerer.

The components are those of `airflow standalone`, started one by one: that way they start at the
same time, each has a log of its own, and scheduler and triggerer can be told not to serve their
logs, which they would do on all network interfaces. Nothing listens beyond 127.0.0.1; only
therefore is everyone taken as admin.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from dev import airflow_environment, environment, ports, processes
from dev.airflow_rest import AirflowApi
from dev.errors import DevError
from dev.project import ROOT, STATE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from dev.settings_file import LocalSettings

_NEEDED_FIRST = {
    "api-server": ["api-server"],
    "scheduler": ["scheduler", "--skip-serve-logs"],
    "dag-processor": ["dag-processor"],
}
# Only deferred tasks need it: it starts when the others are up, as each takes a core for seconds.
_NEEDED_LATER = {"triggerer": ["triggerer", "--skip-serve-logs"]}
# Short, as nothing here is worth a wait: a running task would ask the API server that has gone, and
# the API server takes seconds to end after it has closed its port.
_GRACE_SECONDS = 3.0
_START_SECONDS = 240.0  # some 20 s on two cores; a loaded machine takes long


class AirflowServer:
    """A running Airflow; a context manager that stops it.

    Attributes:
        home: Airflow's home.
        url: of its UI.
        api: its REST API.
        env: the environment that its components run in.
        components: its processes, by name.
    """

    def __init__(self, home: Path, port: int, env: Mapping[str, str]) -> None:
        self.home = home
        self.url = f"http://localhost:{port}"
        self.api = AirflowApi(f"http://{ports.LOOPBACK}:{port}")
        self.env = env
        self.components: dict[str, processes.Process] = {}

    @classmethod
    def start(
        cls,
        home: Path,
        port: int,
        settings: Mapping[str, str],
        executor: Mapping[str, str] | None = None,
    ) -> AirflowServer:
        """Start it in the fresh folder `home`; returns at once, `wait_until_healthy` comes next.

        Args:
            home: Airflow's home.
            port: of API and UI.
            settings: more environment variables; ours win over them.
            executor: those of an executor with its database; these win over ours.
        """
        home.mkdir(parents=True)
        env = {**airflow_environment.make(home, port, settings), **(executor or {})}
        server = cls(home, port, env)
        server.make_database()
        try:
            server._launch(_NEEDED_FIRST)
        except BaseException:
            server.stop()
            raise
        return server

    def _launch(self, components: dict[str, list[str]]) -> None:
        for name, arguments in components.items():
            self.launch(name, arguments, {}, self.home)

    def launch(
        self, name: str, arguments: Sequence[str], changes: Mapping[str, str], cwd: Path
    ) -> None:
        """Start one more component: `airflow ARGUMENTS…` in our environment with these changes."""
        with self.log(name).open("wb") as output:
            self.components[name] = processes.start(
                [str(_airflow()), *arguments],
                env={**self.env, **changes},
                cwd=cwd,
                output=output,
                grace=_GRACE_SECONDS,
            )

    @property
    def dags_folder(self) -> Path:
        return ROOT / "dags"

    def log(self, component: str) -> Path:
        return self.home / f"{component}.log"

    def wait_until_healthy(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not self.api.healthy():
            self.check_alive()
            if time.monotonic() > deadline:
                raise DevError(
                    f"Airflow was not healthy after {_START_SECONDS:.0f} s."
                    f" The end of its scheduler's log:\n{processes.tail(self.log('scheduler'))}"
                )
            time.sleep(0.2)
        self._launch(_NEEDED_LATER)

    def import_settings(self, settings: LocalSettings) -> None:
        """Make connections, variables and pools, as the Astro CLI does."""
        self.api.overwrite("connections", settings.connections)
        self.api.overwrite("variables", settings.variables)
        self.api.overwrite("pools", settings.pools)

    def check_alive(self) -> None:
        """Raise DevError with the end of its log if a component has ended."""
        for name, process in self.components.items():
            status = process.poll()
            if status is not None:
                log = self.log(name)
                raise DevError(
                    f"Airflow's {name} ended with status {status}."
                    f" The end of its log, {log}:\n{processes.tail(log)}"
                )

    def stop(self) -> None:
        processes.stop_all(self.components.values())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def make_database(self) -> None:
        """An empty migrated database; SQLite's is a copy of the last one of the same packages."""
        if not self.env[airflow_environment.DATABASE].startswith("sqlite:"):
            self._migrate()
            return
        key = environment.MAIN.wanted().split()[0][:16]
        template = STATE / "cache" / f"airflow-{key}.db"
        database = self.home / "airflow.db"
        if not template.exists():
            self._migrate()
            template.parent.mkdir(parents=True, exist_ok=True)
            unfinished = template.with_suffix(f".{os.getpid()}")  # others may be at it, too
            shutil.copyfile(database, unfinished)
            unfinished.replace(template)
        else:
            shutil.copyfile(template, database)

    def _migrate(self) -> None:
        log = self.log("db-migrate")
        with log.open("wb") as output:
            command = [str(_airflow()), "db", "migrate"]
            with processes.start(command, env=self.env, cwd=self.home, output=output) as made:
                status = made.wait()
        if status:
            raise DevError(f"airflow db migrate failed, {log}:\n{processes.tail(log)}")


def _airflow() -> Path:
    return Path(sys.executable).with_name("airflow")
