"""The plugin: found in each way of starting Airflow, off by default, and light."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest

pytest.importorskip("include.xcom_viewer", reason="the viewer was deleted")
from tests.astro_project import ROOT

NAME = "xcom_viewer"
# What the API server makes of the plugins folder, asked as the UI asks.
LIST = """
import json
from fastapi.testclient import TestClient
from airflow.api_fastapi.app import create_app
client = TestClient(create_app())
from airflow import settings
from airflow.models.revoked_token import RevokedToken
RevokedToken.__table__.create(settings.engine)
token = client.get("/auth/token").json()["access_token"]
headers = {"Authorization": f"Bearer {token}"}
listed = client.get("/api/v2/plugins?limit=100", headers=headers).json()["plugins"]
errors = client.get("/api/v2/plugins/importErrors", headers=headers).json()["import_errors"]
page = client.get("/xcom-viewer/nothing")
print("RESULT", json.dumps([listed, errors, page.status_code, page.text]))
"""
COST = """
import sys, time
{before}
from airflow import plugins_manager
modules = set(sys.modules)
sys.path.insert(0, "plugins")
started = time.process_time()
import xcom_viewer
print(1000 * (time.process_time() - started))
print(*sorted(name for name in set(sys.modules) - modules))
"""


def in_airflow(code, home, cwd=ROOT, **environment):
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "AWS_"))}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=cwd, timeout=200, check=False,
        capture_output=True, text=True,
        env=kept | {
            "AIRFLOW_HOME": str(home), "PYTHONPATH": str(cwd),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True", **environment,
        },
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3_000:]
    return done.stdout


def listed(home, cwd=ROOT, **environment):
    """What `GET /api/v2/plugins` says, and the viewer's answer to an address that it has not."""
    [result] = re.findall(
        r"^RESULT (.*)$", in_airflow(LIST, home, cwd, **environment), re.MULTILINE
    )
    plugins, errors, status, text = json.loads(result)
    assert errors == []
    return {plugin["name"]: plugin for plugin in plugins}, status, text


def assert_on(found, status, text):
    views = {view["destination"]: view["href"] for view in found[NAME]["external_views"]}
    assert views == {
        "task_instance": "xcom-viewer/task?dag_id={DAG_ID}&run_id={RUN_ID}"
        "&task_id={TASK_ID}&map_index={MAP_INDEX}",
        "dag_run": "xcom-viewer/run?dag_id={DAG_ID}&run_id={RUN_ID}",
    }
    assert [app["url_prefix"] for app in found[NAME]["fastapi_apps"]] == ["/xcom-viewer"]
    assert status == 404
    assert "status-404" in text  # our page, and not Airflow's


@pytest.mark.long
def test_as_dev_up_starts_it(tmp_path, monkeypatch):
    environment = pytest.importorskip(
        "dev.airflow_environment", reason="only `python3 -m dev test` runs this"
    )
    from dev import settings_file

    made = environment.make(tmp_path, 8080, settings_file.read().env)
    assert made["AIRFLOW__XCOM_STORE__VIEWER"] == "true"
    keep = {k: v for k, v in made.items() if k.startswith("AIRFLOW__") and "DATABASE" not in k}
    assert_on(*listed(tmp_path, **keep))


@pytest.mark.long
def test_a_plugins_folder_relative_to_the_working_directory(tmp_path):
    """As `.env` has it, for standalone mode and for the image alike (tests/astro runs both)."""
    assert_on(
        *listed(tmp_path, AIRFLOW__CORE__PLUGINS_FOLDER="plugins", AIRFLOW__XCOM_STORE__VIEWER="1")
    )


@pytest.mark.long
def test_off_by_default(tmp_path):
    found, _, text = listed(tmp_path, AIRFLOW__CORE__PLUGINS_FOLDER="plugins")
    assert found[NAME]["external_views"] == found[NAME]["fastapi_apps"] == []
    assert "status-404" not in text


@pytest.mark.parametrize("before", [
    pytest.param("import airflow.sdk.execution_time.task_runner", id="task"),
    pytest.param("import airflow.jobs.scheduler_job_runner", id="scheduler", marks=pytest.mark.long),
])  # fmt: skip
def test_it_costs_every_process_next_to_nothing(tmp_path, before):
    """Beside what such a process has imported by itself."""
    out = in_airflow(COST.format(before=before), tmp_path, AIRFLOW__XCOM_STORE__VIEWER="true")
    milliseconds, imported = out.splitlines()[-2:]
    assert imported.split() == [NAME]
    assert float(milliseconds) < 20
