"""`astro dev parse`: every DAG file imports, on a machine that has nothing of production.

The Astro CLI runs this file in the image, also before a deploy. Connections, Airflow Variables and
environment variables of a Deployment do not exist there, nor does S3. Whatever a DAG file asks for
while it is parsed gets a stand-in, so that only its own mistakes count.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.dag_processing.dagbag import DagBag
from airflow.models.connection import Connection as StoredConnection
from airflow.models.variable import Variable as StoredVariable
from airflow.sdk import BaseHook, Connection, Variable

if TYPE_CHECKING:
    import pytest

DAGS = Path(__file__).resolve().parents[1] / "dags"
EXCEPTIONS = Path(__file__).with_name("dag_integrity_exceptions.txt")
NOT_GIVEN = object()


def stand_in_for(key: str) -> str:
    return f"MOCKED_{key.upper()}_VALUE"


def getenv(key: str, default: Any = None) -> Any:
    """`os.getenv`, with a value for what is neither set nor has a default."""
    value = os.environ.get(key) or default
    if value is None and key != "JENKINS_HOME":  # libraries take any value of it for a Jenkins
        return stand_in_for(key)
    return value


class AnyKey(dict[str, Any]):
    """A Variable's JSON in which every key has a value."""

    def __missing__(self, key: str) -> str:
        return stand_in_for(key)


def get_variable(
    key: str,
    default: Any = NOT_GIVEN,
    deserialize_json: bool = False,  # noqa: FBT001, FBT002 - Airflow's signature
    *,
    default_var: Any = NOT_GIVEN,
    **_: Any,
) -> Any:
    """`Variable.get` of the Task SDK (`default`) and of airflow.models (`default_var`)."""
    for given in (default, default_var):
        if given is not NOT_GIVEN:
            return given
    return AnyKey() if deserialize_json else stand_in_for(key)


def get_connection(conn_id: str, *_: Any, **__: Any) -> Connection:
    """An empty connection of that name."""
    return Connection(conn_id=conn_id, conn_type="generic")


def exceptions() -> set[str]:
    """The files that may fail, as dags/name.py."""
    lines = EXCEPTIONS.read_text().splitlines() if EXCEPTIONS.exists() else []
    return {line.strip() for line in lines if line.strip() and not line.startswith("#")}


def test_dag_files_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getenv", getenv)
    monkeypatch.setattr(Variable, "get", staticmethod(get_variable))
    monkeypatch.setattr(StoredVariable, "get", staticmethod(get_variable))
    monkeypatch.setattr(BaseHook, "get_connection", staticmethod(get_connection))
    monkeypatch.setattr(Connection, "get", staticmethod(get_connection))
    monkeypatch.setattr(
        StoredConnection, "get_connection_from_secrets", staticmethod(get_connection)
    )

    errors = DagBag(DAGS, bundle_path=DAGS).import_errors

    failed = {f"dags/{path}": error for path, error in errors.items()}
    unexpected = [f"{path}\n{failed[path]}" for path in sorted(failed.keys() - exceptions())]
    assert not unexpected, "\n\n".join(unexpected)
