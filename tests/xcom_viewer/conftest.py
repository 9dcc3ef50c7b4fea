"""The viewer in Airflow's real FastAPI application, on a real S3 server, with users of all kinds."""

from __future__ import annotations

import importlib
import json
import os
import sqlite3
import uuid
from types import SimpleNamespace
from urllib.parse import urlencode

import pytest

from tests.xcom_store.conftest import configure, s3, service  # noqa: F401

DAG, OTHER_DAG, RUN = "trips", "payroll", "manual__2026-11-22T10:00:00+00:00"
PREFIX = "/xcom-viewer"
# Who is signed in: `admin`, `viewer`, and `trips_only`, who may not see OTHER_DAG.
AUTH = importlib.import_module(os.environ.get("VIEWER_USERS", "tests.xcom_viewer.auth_manager"))
"""Makes them known to an auth manager of Airflow's; `test_access_fab.py` chooses another."""


@pytest.fixture(scope="session")
def airflow_app(tmp_path_factory):
    """Airflow's own application with the plugin mounted, and an empty database."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__XCOM_STORE__VIEWER", "true")
        patch.setenv("_AIRFLOW_PROCESS_CONTEXT", "server")
        patch.setenv(
            "AIRFLOW__CORE__AUTH_MANAGER",
            AUTH.MANAGER,
        )
        patch.setenv("AIRFLOW__API_AUTH__JWT_SECRET", "a" * 64)
        from airflow import plugins_manager, settings
        from airflow.api_fastapi.app import create_app, purge_cached_app
        from airflow.utils import db

        from tests.astro_project import ROOT

        patch.setattr(settings, "PLUGINS_FOLDER", str(ROOT / "plugins"))
        for cached in vars(plugins_manager).values():
            if hasattr(cached, "cache_clear"):
                cached.cache_clear()
        db.initdb()
        app = create_app()
        AUTH.make_users(DAG)
        yield app
        purge_cached_app()


@pytest.fixture
def table(airflow_app):
    """The rows of Airflow's XCom table, written past Airflow."""
    from airflow import settings

    connection = sqlite3.connect(settings.engine.url.database)

    def put(stored, *, dag_id=DAG, run_id=RUN, task_id="load", map_index=-1, key="return_value",
            text=None, run_after="2026-11-22 10:00:00.000000"):  # fmt: skip
        run = dag_id, run_id
        connection.execute(
            "INSERT OR IGNORE INTO dag_run (dag_id, run_id, run_type, run_after)"
            " VALUES (?, ?, 'manual', ?)",
            (*run, run_after),
        )
        found = connection.execute("SELECT id FROM dag_run WHERE dag_id = ? AND run_id = ?", run)
        connection.execute(
            "INSERT OR REPLACE INTO xcom"
            " (dag_run_id, task_id, map_index, key, dag_id, run_id, value, timestamp)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, '2026-11-22 10:00:05.000000')",
            (*found.fetchone(), task_id, map_index, key, *run, text or json.dumps(stored)),
        )
        connection.commit()
        return stored

    def clean():
        for name in ("xcom", "dag_run"):
            connection.execute(f"DELETE FROM {name}")
        connection.commit()

    clean()
    yield put
    clean()
    connection.close()


@pytest.fixture
def viewer(airflow_app, table, s3):  # noqa: F811
    """Push values, and ask for the viewer's pages as somebody."""
    from fastapi.testclient import TestClient

    from include.s3_xcom_backend import S3XComBackend
    from include.xcom_viewer.app import application

    lookup = application().state.lookup
    lookup.forget()

    def push(value, run_after="2026-11-22 10:00:00.000000", **where):
        names = {"dag_id": DAG, "run_id": RUN, "task_id": "load", "map_index": -1}
        names |= {"key": "return_value"} | where
        stored = S3XComBackend.serialize_value(value, **names)
        return table(stored, run_after=run_after, **names)

    def key(record):
        return record["uri"].removeprefix(f"{s3.url}/")

    def client(user):
        headers = {}
        if user:
            headers["Cookie"] = f"_token={AUTH.token(user)}"
        return TestClient(airflow_app, headers=headers)

    def get(page, user="admin", **query):
        names = {"dag_id": DAG, "run_id": RUN}
        if page != "run":
            names |= {"task_id": "load", "map_index": "{MAP_INDEX}"}
        if page not in ("run", "task"):
            names["key"] = "return_value"
        if page == "chart":
            names["y"] = 0
        return client(user).get(f"{PREFIX}/{page}?{urlencode(names | query)}")

    yield SimpleNamespace(
        push=push, get=get, client=client, s3=s3, table=table, key=key, lookup=lookup
    )
    lookup.forget()


@pytest.fixture
def unique():
    return uuid.uuid4().hex
