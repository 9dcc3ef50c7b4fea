"""The environment of all processes of our Airflow: what is inherited, what is set, what is not."""

from __future__ import annotations

import base64
import os
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from dev import ports
from dev.project import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

DATABASE = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"

# SQLite's own 5 s are too short on a busy machine: "database is locked" ends a component. But the
# API server of Airflow 3.3.0 writes its audit log on the loop that all requests need to end: if one
# of them holds the database then, nothing moves until this wait is over.
_PATIENT, _API_SERVERS = "?timeout=60", "?timeout=10"


def make(home: Path, port: int, settings: Mapping[str, str]) -> dict[str, str]:
    """The user's, less what would lead elsewhere; the project's settings; ours, which win."""
    return {**inherited(), **settings, **_ours(home, port), **_macos()}


def inherited() -> dict[str, str]:
    """The user's environment, less what would lead elsewhere."""
    return {
        name: value
        for name, value in os.environ.items()
        # Your own AWS account and Airflow have no part in this; a connection or variable from the
        # environment would hide the one imported from airflow_settings.yaml.
        if not name.startswith(("AWS_", "AIRFLOW_CONN_", "AIRFLOW__DATABASE__"))
        and name not in ("AIRFLOW_HOME", "AIRFLOW_CONFIG", "PYTHONDONTWRITEBYTECODE", "PYTHONHOME")
    }


SECRETS = (
    "AIRFLOW__CORE__FERNET_KEY",
    "AIRFLOW__API__SECRET_KEY",
    "AIRFLOW__API_AUTH__JWT_SECRET",
)
"""New for each Airflow. One that goes on needs them again: its database is encrypted with one."""


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
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",  # not 1 s, before each task
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",  # for new DAG files; not 300 s
        "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "120",  # DAG files import much; machines are busy
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://{ports.LOOPBACK}:{port}/execution/",
        # A task may begin before the API server does, or while that is started again. The last of
        # Airflow's own five tries comes after ten seconds.
        "AIRFLOW__WORKERS__EXECUTION_API_RETRIES": "40",
        "AIRFLOW__WORKERS__EXECUTION_API_RETRY_WAIT_MAX": "3",
        "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "AIRFLOW__API__HOST": ports.LOOPBACK,
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://localhost:{port}",
        "AIRFLOW__API__SECRET_KEY": secrets.token_urlsafe(32),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(48),
        DATABASE: f"sqlite:///{home}/airflow.db{_PATIENT}",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "AIRFLOW__COSMOS__CACHE_DIR": str(home / "cosmos"),
        "AIRFLOW__COSMOS__ENABLE_TELEMETRY": "False",
        "DO_NOT_TRACK": "1",
        "GX_ANALYTICS_ENABLED": "false",
    }


def of_component(name: str, env: Mapping[str, str]) -> dict[str, str]:
    """The environment of one of its components."""
    if name != "api-server":
        return {**env}
    return {**env, DATABASE: env[DATABASE].replace(_PATIENT, _API_SERVERS)}


def _macos() -> dict[str, str]:
    """Airflow forks its tasks; the Objective-C runtime of macOS aborts some forks otherwise."""
    return {"OBJC_DISABLE_INITIALIZE_FORK_SAFETY": "YES"} if sys.platform == "darwin" else {}
