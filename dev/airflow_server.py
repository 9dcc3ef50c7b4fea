"""A whole Airflow on this machine: database, API server, scheduler, DAG processor, triggerer.

The components are those of `airflow standalone`, started one by one: that way they start at the
same time, each has a log of its own, and scheduler and triggerer can be told not to serve their
logs, which they would do on all network interfaces. Nothing listens beyond 127.0.0.1; only
therefore is everyone taken as admin.
"""

from __future__ import annotations

import base64
import os
import secrets
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from dev import environment, ports, processes
from dev.airflow_rest import AirflowApi
from dev.errors import DevError
from dev.project import ROOT, STATE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

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
    """A running Airflow; a context manager that stops it."""

    def __init__(self, home: Path, port: int, env: Mapping[str, str]) -> None:
        self.home = home
        self.url = f"http://localhost:{port}"
        self.api = AirflowApi(f"http://{ports.LOOPBACK}:{port}")
        self._env = env
        self._processes: dict[str, processes.Process] = {}

    @classmethod
    def start(cls, home: Path, port: int, settings: dict[str, str]) -> AirflowServer:
        """Start it in the fresh folder `home`; `settings` are more environment variables.

        Returns at once; `wait_until_healthy` comes next.
        """
        home.mkdir(parents=True)
        env = _environment(home, port, settings)
        server = cls(home, port, env)
        server._make_database()
        try:
            server._launch(_NEEDED_FIRST)
        except BaseException:
            server.stop()
            raise
        return server

    def _launch(self, components: dict[str, list[str]]) -> None:
        for name, arguments in components.items():
            with self.log(name).open("wb") as output:
                self._processes[name] = processes.start(
                    [str(_airflow()), *arguments],
                    env=self._env,
                    cwd=self.home,
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

    def check_alive(self) -> None:
        """Raise DevError with the end of its log if a component has ended."""
        for name, process in self._processes.items():
            status = process.poll()
            if status is not None:
                log = self.log(name)
                raise DevError(
                    f"Airflow's {name} ended with status {status}."
                    f" The end of its log, {log}:\n{processes.tail(log)}"
                )

    def stop(self) -> None:
        processes.stop_all(self._processes.values())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _make_database(self) -> None:
        """An empty migrated database: copied from the last one made by the same packages."""
        key = environment.MAIN.wanted().split()[0][:16]
        template = STATE / "cache" / f"airflow-{key}.db"
        database = self.home / "airflow.db"
        if not template.exists():
            log = self.log("db-migrate")
            with log.open("wb") as output:
                command = [str(_airflow()), "db", "migrate"]
                with processes.start(command, env=self._env, cwd=self.home, output=output) as made:
                    status = made.wait()
            if status:
                raise DevError(f"airflow db migrate failed, {log}:\n{processes.tail(log)}")
            template.parent.mkdir(parents=True, exist_ok=True)
            unfinished = template.with_suffix(".unfinished")
            shutil.copyfile(database, unfinished)
            unfinished.rename(template)
        else:
            shutil.copyfile(template, database)


def _airflow() -> Path:
    return Path(sys.executable).with_name("airflow")


def _environment(home: Path, port: int, settings: dict[str, str]) -> dict[str, str]:
    """The environment of all components: the user's, less what would lead elsewhere, and ours."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        # Your own AWS account and Airflow have no part in this; a connection or variable from the
        # environment would hide the one imported from airflow_settings.yaml.
        if not name.startswith(("AWS_", "AIRFLOW_CONN_", "AIRFLOW__DATABASE__"))
        and name not in ("AIRFLOW_HOME", "AIRFLOW_CONFIG", "PYTHONDONTWRITEBYTECODE", "PYTHONHOME")
    }
    return inherited | settings | _ours(home, port) | _macos()


def _ours(home: Path, port: int) -> dict[str, str]:
    local = ",".join(filter(None, [os.environ.get("NO_PROXY"), "localhost", ports.LOOPBACK]))
    return {
        "AIRFLOW_HOME": str(home),
        "PYTHONPATH": str(ROOT),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "NO_PROXY": local,
        "no_proxy": local,
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "120",  # DAG files import much; machines are busy
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://{ports.LOOPBACK}:{port}/execution/",
        "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "AIRFLOW__API__HOST": ports.LOOPBACK,
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://localhost:{port}",
        "AIRFLOW__API__SECRET_KEY": secrets.token_urlsafe(32),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(48),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "AIRFLOW__COSMOS__CACHE_DIR": str(home / "cosmos"),
        "AIRFLOW__COSMOS__ENABLE_TELEMETRY": "False",
        "DO_NOT_TRACK": "1",
        "GX_ANALYTICS_ENABLED": "false",
    }


def _macos() -> dict[str, str]:
    """Airflow forks its tasks; the Objective-C runtime of macOS aborts some forks otherwise."""
    return {"OBJC_DISABLE_INITIALIZE_FORK_SAFETY": "YES"} if sys.platform == "darwin" else {}
