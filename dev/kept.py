"""What `up` keeps in `.dev/up` from one start to the next, and what a running `up` tells `tools`.

    .dev/up/state.json      the Airflow and format it is of, ports, Airflow's secret keys
    .dev/up/airflow/        Airflow's home: database, logs
    .dev/up/s3/             what the S3 server stores
    .dev/up/running.json    Airflow's settings while it runs, and the process that runs it

`state.json` is written once all else is there, so a folder without it is left from an interrupted
first start, and is made again.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from contextlib import closing
from importlib import metadata
from typing import TYPE_CHECKING, Any

from dev import airflow_environment, ports, project
from dev.errors import DevError
from dev.project import STATE
from include.xcom_store.record import MARK

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from dev.airflow_server import AirflowServer

FOLDER = STATE / "up"
_STATE, _RUNNING = FOLDER / "state.json", FOLDER / "running.json"
_FRESH = "Start without it: python3 -m dev up --fresh"


class Kept:
    """The state of `up`: opened, used with an Airflow, saved.

    Attributes:
        is_new: whether nothing was there.
    """

    def __init__(self, *, fresh: bool) -> None:
        """Open what is there, or nothing with `fresh`.

        Raises:
            DevError: it is of a newer Airflow, or its values are of another format.
        """
        if fresh or not _STATE.exists():
            shutil.rmtree(FOLDER, ignore_errors=True)
        FOLDER.mkdir(parents=True, exist_ok=True)
        _RUNNING.unlink(missing_ok=True)
        self._state = _read_state()
        self.is_new = not self._state
        if not self.is_new:
            self._check()

    def _check(self) -> None:
        if self._state["format"] != MARK:
            raise DevError(
                f"The values in {FOLDER} are of format {self._state['format']}; this version"
                f" of the project writes {MARK}. {_FRESH}"
            )
        if _version(self._state["airflow"]) > _version(_airflow()):
            raise DevError(
                f"{FOLDER} is of Airflow {self._state['airflow']}; this one is {_airflow()}, and"
                f" its database cannot be taken back. {_FRESH}"
            )

    def port(self, name: str) -> int | None:
        """The port of last time, if it is free."""
        port = self._state.get("ports", {}).get(name)
        return port if port and ports.is_free(port) else None

    @property
    def secrets(self) -> dict[str, str]:
        """Airflow's keys of last time: connections in its database are encrypted with one."""
        found: dict[str, str] = self._state.get("secrets", {})
        return found

    def migrate(self, airflow: AirflowServer) -> bool:
        """Bring the database to this Airflow's schema if it is of an older one; whether it was.

        A copy is migrated and then put in place, so that an interruption leaves the old one.
        """
        if self.is_new or self._state["airflow"] == _airflow():
            return False
        database = airflow.home / "airflow.db"
        copy = airflow.home / "airflow-migrating.db"
        _into_one_file(database)
        shutil.copyfile(database, copy)
        name = airflow_environment.DATABASE
        airflow.migrate({name: airflow.env[name].replace(str(database), str(copy))})
        _into_one_file(copy)
        copy.replace(database)
        return True

    def end_jobs(self, airflow: AirflowServer) -> None:
        """Say in the database that the Airflow of last time has ended: killed, it has not said so.

        Else the next one waits five minutes before it runs again what was running then.
        """
        if not self.is_new:
            with closing(sqlite3.connect(airflow.home / "airflow.db")) as database, database:
                database.execute("UPDATE job SET state = 'failed' WHERE state = 'running'")

    def save(self, env: Mapping[str, str], **used_ports: int) -> None:
        """Say that all is there: from now on the next start goes on with it."""
        self._state = {
            "airflow": _airflow(),
            "format": MARK,
            "ports": used_ports,
            "secrets": {name: env[name] for name in airflow_environment.SECRETS},
        }
        _write(_STATE, self._state)


def running(env: Mapping[str, str]) -> None:
    """Tell `tools` how to reach the Airflow that runs from now on; its state may not be kept."""
    names = ("PYTHONPATH", "NO_PROXY", "no_proxy")
    settings = {n: v for n, v in env.items() if n.startswith("AIRFLOW") or n in names}
    FOLDER.mkdir(parents=True, exist_ok=True)
    _write(_RUNNING, {"process": os.getpid(), "settings": settings})


def running_settings() -> dict[str, str] | None:
    """The settings of the Airflow that a running `up` has; None if there is none, or not yet."""
    found = _read(_RUNNING)
    if not found or found["process"] != project.holder("demo"):
        return None
    settings: dict[str, str] = found["settings"]
    return settings


def _into_one_file(database: Path) -> None:
    """Write SQLite's log (`-wal`) into the database, which can be copied and moved then."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _read_state() -> dict[str, Any]:
    try:
        return _read(_STATE)
    except ValueError as error:
        raise DevError(f"{_STATE} cannot be read: {error}. {_FRESH}") from error


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return found


def _write(path: Path, content: dict[str, Any]) -> None:
    """Write it so that it is there whole or not at all, and for its owner only."""
    unfinished = path.with_suffix(".tmp")
    unfinished.touch(mode=0o600)
    unfinished.write_text(json.dumps(content, indent=1))
    unfinished.replace(path)


def _airflow() -> str:
    return metadata.version("apache-airflow")


def _version(text: str) -> list[int]:
    return [int(part) for part in text.split(".")[:3] if part.isdecimal()]
