"""The backend on a real S3 server, with a stand-in for the supervisor that holds the database."""

from __future__ import annotations

import json
import uuid
from types import SimpleNamespace

import pytest

from tests import services
from tests.xcom_store.supervisor import Supervisor

DAG, RUN, TASK = "trips", "manual__2026-11-22T10:00:00+00:00", "load"


@pytest.fixture
def configure(monkeypatch):
    """Set `[xcom_store]` options, and forget what was read before."""
    from include.xcom_store import settings
    from include.xcom_store.stores import base, common_io

    def forget():
        settings.load.cache_clear()
        common_io.base_path.cache_clear()
        base.connect.cache_clear()

    def configure(**options):
        for name, value in options.items():
            if value is None:
                monkeypatch.delenv(settings.variable(name), raising=False)
            else:
                monkeypatch.setenv(settings.variable(name), str(value))
        forget()

    forget()
    yield configure
    forget()


@pytest.fixture
def no_credentials_around(monkeypatch, tmp_path):
    """No credentials, files or metadata service of the machine the tests run on."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AIRFLOW_CONN_AWS_DEFAULT", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def connect(monkeypatch):
    """Define a connection, as an environment variable."""

    def connect(conn_id="aws_default", conn_type="aws", extra=None, **fields):
        text = json.dumps({"conn_type": conn_type, "extra": extra or {}, **fields})
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", text)

    return connect


@pytest.fixture(scope="session")
def service(s3_server):
    """The service that the values go to; `test_services.py` has the others in its place."""
    return services.S3(s3_server)


@pytest.fixture
def s3(service, configure, monkeypatch):
    """A prefix of its own in the bucket, with the backend configured for it; see `place`."""
    return services.place(service, f"xcom-{uuid.uuid4().hex[:12]}", configure, monkeypatch)


@pytest.fixture
def store(configure):
    """Return the process's store for what is configured now."""
    from include.xcom_store import settings
    from include.xcom_store.stores import base

    return lambda: base.connect(settings.load())


@pytest.fixture
def supervisor(monkeypatch):
    """What a task process talks to; its `rows` are the XCom table."""
    from airflow.sdk.execution_time import task_runner

    supervisor = Supervisor()
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", supervisor, raising=False)
    return supervisor


@pytest.fixture
def xcom(s3, supervisor):
    """Push and pull by the backend's real `set` and `get_one`, through S3 and the stand-in."""
    from include.s3_xcom_backend import S3XComBackend

    where = {"dag_id": DAG, "run_id": RUN, "task_id": TASK}

    def push(value, key="return_value", **more):
        S3XComBackend.set(key, value, **{**where, "map_index": -1, **more})
        return supervisor.value(key=key, **{**where, **more})

    def pull(key="return_value", **more):
        return S3XComBackend.get_one(key=key, **{**where, "map_index": -1, **more})

    def delete(key="return_value", **more):
        S3XComBackend.delete(key, **{**where, "map_index": -1, **more})

    return SimpleNamespace(
        push=push, pull=pull, delete=delete, backend=S3XComBackend, s3=s3, rows=supervisor.rows
    )


@pytest.fixture
def allow(monkeypatch):
    """Set `[core] allowed_deserialization_classes`, past what Airflow has cached of it."""
    from airflow.sdk import serde

    def forget():
        for name in ("_match_glob", "_match_regexp", "_get_patterns", "_get_regexp_patterns"):
            getattr(serde, name).cache_clear()

    def allow(classes="airflow.*", regexp=""):
        monkeypatch.setenv("AIRFLOW__CORE__ALLOWED_DESERIALIZATION_CLASSES", classes)
        monkeypatch.setenv("AIRFLOW__CORE__ALLOWED_DESERIALIZATION_CLASSES_REGEXP", regexp)
        forget()

    yield allow
    monkeypatch.undo()
    forget()
