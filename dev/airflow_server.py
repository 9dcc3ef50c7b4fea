"""A whole Airflow on this machine: database, API server, scheduler, DAG processor, triggerer.

The components are those of `airflow standalone`, started one by one: that way they start at the
same time, each has a log of its own, and scheduler and triggerer can be told not to serve their
logs, which they would do on all network interfaces. Nothing listens beyond 127.0.0.1; only
therefore is everyone taken as admin.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dev import airflow_environment, environment, ports, processes
from dev.airflow_rest import AirflowApi
from dev.errors import DevError
from dev.project import ROOT, STATE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

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
_GRACE_SECONDS = 1.0
_START_SECONDS = 240.0  # some 20 s on two cores; a loaded machine takes long
_SAID_SECONDS = 5.0  # the longest silence while it starts
_SLOW_SECONDS = 30.0  # from then on with the log to look into
_RESTARTS = 3  # of one component, before all is given up


class _Command(NamedTuple):
    """What a component was started with, to start it again."""

    arguments: Sequence[str]
    changes: Mapping[str, str]
    cwd: Path


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


class AirflowServer(processes.Stoppable):
    """A running Airflow; a context manager that stops it.

    `say` is told what is waited for, and what has died.

    Attributes:
        home: Airflow's home.
        url: of its UI.
        api: its REST API.
        env: the environment that its components run in.
        components: its processes, by name.
    """

    def __init__(
        self, home: Path, port: int, env: Mapping[str, str], say: Callable[[str], None] = _say
    ) -> None:
        self.home = home
        self.url = f"http://localhost:{port}"
        self.api = AirflowApi(f"http://{ports.LOOPBACK}:{port}", self.check_alive)
        self.env = env
        self.components: dict[str, processes.Process] = {}
        self._commands: dict[str, _Command] = {}
        self._restarts: Counter[str] = Counter()
        self._say = say

    @classmethod
    def start(
        cls,
        home: Path,
        port: int,
        settings: Mapping[str, str],
        winning: Mapping[str, str] | None = None,
        *,
        go_on: Callable[[AirflowServer], None] = lambda _server: None,
        say: Callable[[str], None] = _say,
    ) -> AirflowServer:
        """Start it; returns once there is a database, `wait_until_healthy` comes next.

        Args:
            home: Airflow's home; goes on with the database that is there.
            port: of API and UI.
            settings: more environment variables; ours win over them.
            winning: those of an executor with its database, secrets; these win over ours.
            go_on: called when there is a database, and no component yet.
            say: takes a line for the user.
        """
        home.mkdir(parents=True, exist_ok=True)
        env = {**airflow_environment.make(home, port, settings), **(winning or {})}
        server = cls(home, port, env, say)
        server.make_database()
        go_on(server)
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
        self._commands[name] = _Command(arguments, changes, cwd)
        self._restarts[name] = 0
        self._run(name, "wb")

    def _run(self, name: str, mode: str) -> None:
        command = self._commands[name]
        with self.log(name).open(mode) as output:
            self.components[name] = processes.start(
                [str(_airflow()), *command.arguments],
                env=airflow_environment.of_component(name, {**self.env, **command.changes}),
                cwd=command.cwd,
                output=output,
                grace=_GRACE_SECONDS,
            )

    @property
    def dags_folder(self) -> Path:
        return ROOT / "dags"

    def log(self, component: str) -> Path:
        return self.home / f"{component}.log"

    def wait_until_healthy(self) -> None:
        """Return once tasks can run; says what is waited for, at least every 5 s."""
        began = time.monotonic()
        said, before = -_SAID_SECONDS, ["API server"]
        asking = ThreadPoolExecutor(1)  # an API server that starts may answer after half a minute
        try:
            answer = asking.submit(self.api.awaited)
            while True:
                seconds = time.monotonic() - began
                awaited = answer.result() if answer.done() else before
                if not awaited and self._listens():
                    break
                self.check_alive()
                if seconds > _START_SECONDS:
                    raise DevError(
                        f"Airflow was not healthy after {seconds:.0f} s: {', '.join(awaited)}."
                        f" The end of its scheduler's log:\n{processes.tail(self.log('scheduler'))}"
                    )
                if awaited != before or seconds > said + _SAID_SECONDS:
                    log = f" (see {self.log('api-server')})" if seconds > _SLOW_SECONDS else ""
                    self._say(f"  {seconds:6.1f} s  waiting for: {', '.join(awaited)}{log}")
                    before, said = awaited, seconds
                if answer.done():
                    answer = asking.submit(self.api.awaited)
                time.sleep(0.2)
        finally:
            asking.shutdown(wait=False, cancel_futures=True)
        self._launch(_NEEDED_LATER)

    def _listens(self) -> bool:
        """Whether it is our API server that answers on its port, and not somebody else's."""
        import psutil  # in .venv only, as all that runs an Airflow

        with contextlib.suppress(psutil.NoSuchProcess):  # it may be ending
            guard = psutil.Process(self.components["api-server"].pid)
            listening = {
                connection.laddr.port
                for process in guard.children(recursive=True)
                for connection in process.net_connections("tcp")
                if connection.status == psutil.CONN_LISTEN
            }
            return int(self.url.rpartition(":")[2]) in listening
        return False

    def import_settings(self, settings: LocalSettings) -> None:
        """Make connections, variables and pools, as the Astro CLI does."""
        self.api.overwrite("connections", settings.connections)
        self.api.overwrite("variables", settings.variables)
        self.api.overwrite("pools", settings.pools)

    def check_alive(self) -> None:
        """Start again a component that has ended; DevError with its log if it keeps ending."""
        for name, process in list(self.components.items()):
            status = process.poll()
            if status is None:
                continue
            log = self.log(name)
            if "address already in use" in processes.tail(log):
                raise DevError(
                    f"Another program has taken the port of {self.url} since it was found free."
                    " Run this again, or name a port with --port."
                )
            if self._restarts[name] == _RESTARTS:
                raise DevError(
                    f"Airflow's {name} ended with status {status}, after {_RESTARTS} restarts."
                    f" The end of its log, {log}:\n{processes.tail(log)}"
                )
            process.stop()  # its guard has ended, too
            self._restarts[name] += 1
            self._say(
                f"Airflow's {name} ended with status {status} and is started again"
                f" ({self._restarts[name]} of {_RESTARTS} times; its log: {log})"
            )
            self._run(name, "ab")

    def stop(self) -> None:
        processes.stop_all(self.components.values())

    def make_database(self) -> None:
        """An empty migrated database if there is none; SQLite's is a copy of an earlier one."""
        if not self.env[airflow_environment.DATABASE].startswith("sqlite:"):
            self.migrate()
            return
        database = self.home / "airflow.db"
        if database.exists():
            return
        key = environment.MAIN.wanted().split()[0][:16]
        template = STATE / "cache" / f"airflow-{key}.db"
        if not template.exists():
            self.migrate()
            template.parent.mkdir(parents=True, exist_ok=True)
            unfinished = template.with_suffix(f".{os.getpid()}")  # others may be at it, too
            shutil.copyfile(database, unfinished)
            unfinished.replace(template)
        else:
            shutil.copyfile(template, database)

    def migrate(self, changes: Mapping[str, str] | None = None) -> None:
        """Make the database, or bring it to the schema of this Airflow."""
        self._say("  preparing its database")
        log = self.log("db-migrate")
        with log.open("wb") as output:
            command = [str(_airflow()), "db", "migrate"]
            env = {**self.env, **(changes or {})}
            with processes.start(command, env=env, cwd=self.home, output=output) as made:
                status = made.wait()
        if status:
            raise DevError(f"airflow db migrate failed, {log}:\n{processes.tail(log)}")


def _airflow() -> Path:
    return Path(sys.executable).with_name("airflow")
