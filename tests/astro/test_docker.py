"""`astro dev start` in containers: every DAG, the bucket, the viewer, restart, stop, kill.

One story in the order in which a user would live it; a step counts on the one before. Half an hour
of building and starting on two cores.
"""

from __future__ import annotations

import re
from datetime import timedelta
from importlib import metadata
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest

pytest.importorskip("dev.follow", reason="only `python3 -m dev test` runs this")
from dev import follow, ports, report, settings_file, spark
from dev.airflow_rest import AirflowApi
from include.xcom_store.settings import Settings
from include.xcom_tools import sweep
from include.xcom_tools.errors import ToolError
from tests import waiting
from tests.astro.conftest import Project
from tests.astro.stack import run_of
from tests.astro_project import ROOT

DAG = "example_great_expectations_dag"
MAINTENANCE = "xcom_storage_maintenance_dag"
GRACE = 60
"""Seconds."""


@pytest.fixture(scope="module")
def project(cli, images, clone, tmp_path_factory):
    project = Project(clone, tmp_path_factory.mktemp("home"), S3_PORT=str(ports.free_ports(1)[0]))
    for name, port in zip(("api-server", "postgres"), ports.free_ports(2), strict=True):
        project.astro("config", "set", f"{name}.port", str(port))
    yield project
    project.astro("dev", "kill", check=False)


@pytest.fixture(scope="module")
def said(project) -> str:
    """What `astro dev start` says."""
    return project.astro("dev", "start", "--no-browser", "--wait", "8m")


@pytest.fixture(scope="module")
def airflow(project, said) -> AirflowApi:
    return api_of(project)


def api_of(project: Project) -> AirflowApi:
    address = project.run("docker", "port", project.container("api-server"), "8080/tcp")
    return AirflowApi(f"http://localhost:{address.strip().rpartition(':')[2]}")


@pytest.fixture(scope="module")
def s3(project, said) -> Any:
    """What `dev` wants to know of an S3 server, of the one in its container."""
    key_id, secret = settings_file.read().keys
    port = project.environment["S3_PORT"]
    return SimpleNamespace(
        bucket="airflow-xcoms", endpoint_url=f"http://127.0.0.1:{port}",
        access_key_id=key_id, secret_access_key=secret,
    )  # fmt: skip


def test_the_sweep_of_this_story_is_one_that_deletes():
    """Its grace period needs the setting of the restart; the DAG reads a Variable of this name."""
    asked = timedelta(seconds=GRACE)
    assert sweep.grace(Settings(operation_timeout=GRACE // 2), asked) == asked
    with pytest.raises(ToolError):
        sweep.grace(Settings(), asked)
    dag = (ROOT / f"dags/{MAINTENANCE}.py").read_text()
    assert f'DELETE = "{MAINTENANCE[:-4]}_delete"' in dag


def test_start_imports_the_connection(said, airflow, project):
    assert "Added Connection: aws_default" in said
    assert airflow.call("GET", "api/v2/connections/aws_default")["login"] == "local-access-key"
    assert airflow.version() == metadata.version("apache-airflow")
    assert f"127.0.0.1:{project.environment['S3_PORT']}" in project.run(
        "docker", "port", project.container("s3")
    )


def test_every_dag_ends_as_expected(airflow, s3):
    assert airflow.import_errors() == []
    assert {dag["dag_id"] for dag in airflow.dags()} == report.EXPECTED.keys()
    for dag_id in report.EXPECTED.keys() - {spark.DAG}:  # the image has no Java
        assert run_of(airflow, s3, dag_id).problems == []


def see_a_value(airflow: AirflowApi, address: str, picture: str) -> None:
    """Open the viewer's tab in a browser.

    Its frame is of one origin with the page around it, needs no cookie, and nothing is blocked.
    """
    pytest.importorskip("playwright", reason="playwright is not installed here")
    from playwright.sync_api import expect, sync_playwright

    from tests.xcom_viewer.browser import Visit, chromium, launch

    if not chromium():
        pytest.skip("no Chromium here; CHROMIUM may name one")
    run_id = airflow.runs(DAG)[0]["dag_run_id"]
    with sync_playwright() as playwright, launch(playwright) as browser:
        visit = Visit(browser.new_page())
        visit.page.goto(f"{address}/dags/{DAG}/runs/{quote(run_id)}")
        values = visit.open_tab()
        values.get_by_role("link", name="return_value").first.click()
        expect(values.get_by_text("expectations met").first).to_be_visible()
        expect(values.locator("[aria-busy=true]")).to_have_count(0)
        origins = [frame.evaluate("window.origin") for frame in visit.page.frames]
        visit.picture(picture)
        assert visit.page.context.cookies() == []
    assert origins == [address, address]
    assert visit.wrong == []


def test_the_viewer_is_on(airflow):
    """By the settings of `.env`, which the CLI gives to the containers."""
    assert destinations(airflow) == {"task_instance", "dag_run"}


def destinations(airflow: AirflowApi) -> set[str]:
    """Where the viewer has a tab."""
    plugins = airflow.call("GET", "api/v2/plugins?limit=100")["plugins"]
    (viewer,) = (plugin for plugin in plugins if plugin["name"] == "xcom_viewer")
    return {view["destination"] for view in viewer["external_views"]}


def test_the_viewer_shows_a_value_through_the_cli_s_proxy(said, airflow):
    """The CLI puts the UI under a name of its own, on another port: `project.localhost:6563`."""
    (proxied,) = re.findall(r"Airflow UI: (http://[\w.-]+:\d+)", said)
    see_a_value(airflow, proxied, "astro-proxy")


def test_check_in_the_scheduler(project):
    said = project.inside("scheduler", "python", "-m", "include.xcom_tools", "check")
    assert "s3://airflow-xcoms/xcom/" in said
    assert not re.search(r"^error", said, re.MULTILINE), said


def test_parse(project):
    assert "No errors detected" in project.astro("dev", "parse")


def test_pytest(project):
    """Only what runs in the image; what is skipped there says why."""
    said = project.astro("dev", "pytest", seconds=1200)
    assert re.search(r"\d+ passed", said), said[-3_000:]


def test_a_restart_takes_a_changed_line_and_keeps_the_data(project, airflow, s3):
    before = airflow.runs(DAG)[0]["dag_run_id"]
    module = project.root / "include/s3_xcom_backend.py"
    module.write_text(module.read_text() + "\nCHANGED = True\n")
    env = project.root / ".env"
    # What the grace period of a sweep goes by; nobody waits two hours here.
    env.write_text(f"{env.read_text()}AIRFLOW__XCOM_STORE__OPERATION_TIMEOUT={GRACE // 2}\n")
    project.astro("dev", "restart", "--wait", "8m")
    code = "import airflow.sdk; from include.s3_xcom_backend import CHANGED"
    project.inside("scheduler", "python", "-W", "ignore", "-c", code)
    assert before in {run["dag_run_id"] for run in api_of(project).runs(DAG)}
    assert follow.objects_of_run(s3, "xcom", DAG, before)


def test_what_a_deleted_run_left_is_swept(project, airflow, s3):
    """As an operator does it: a dry run of the sweep in a container, then the DAG that deletes."""
    airflow = api_of(project)
    left, kept = (airflow.runs(dag)[0] for dag in ("example_dataframe_dag", DAG))
    orphans = follow.objects_of_run(s3, "xcom", left["dag_id"], left["dag_run_id"])
    assert orphans
    run = f"dagRuns/{quote(left['dag_run_id'])}"
    airflow.call("DELETE", f"api/v2/dags/{left['dag_id']}/{run}")
    command = ["python", "-m", "include.xcom_tools", "sweep", "--grace-hours", str(GRACE / 3600)]
    said = project.inside("scheduler", *command, "--claim", check=False)
    assert f"({len(orphans)} objects, " in said, said
    assert said.count(f"/dag_id={left['dag_id']}/") < len(orphans)  # parts are not listed apart
    airflow.overwrite("variables", [{"key": f"{MAINTENANCE[:-4]}_delete", "value": "true"}])
    airflow.unpause(MAINTENANCE)
    run_id = airflow.trigger(MAINTENANCE, grace_hours=GRACE / 3600)["dag_run_id"]

    def state():
        (found,) = (run for run in airflow.runs(MAINTENANCE) if run["dag_run_id"] == run_id)
        return found["state"] if found["state"] in {"success", "failed"} else None

    assert waiting.until(state, seconds=300, every=1) == "success"
    assert not follow.objects_of_run(s3, "xcom", left["dag_id"], left["dag_run_id"])
    assert follow.objects_of_run(s3, "xcom", kept["dag_id"], kept["dag_run_id"])


def test_stop_keeps_the_data_and_kill_deletes_it(project, s3):
    project.astro("dev", "stop")
    state = "{{.State.Status}} {{.State.ExitCode}}"
    assert project.run("docker", "inspect", "-f", state, project.container("s3")).split() == [
        "exited", "0"
    ]  # fmt: skip
    project.astro("dev", "start", "--no-browser", "--wait", "8m")
    run_id = api_of(project).runs(DAG)[0]["dag_run_id"]
    assert follow.objects_of_run(s3, "xcom", DAG, run_id)
    name = project.compose_project()
    project.astro("dev", "kill")
    assert project.run("docker", "volume", "ls", "-q", "--filter", f"name={name}") == ""
