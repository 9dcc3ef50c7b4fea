"""`astro dev start --standalone`: Airflow without a container, the S3 server of `python3 -m dev s3`.

The CLI needs `uv`, a Python of the image's version, and hosts of Astronomer for its constraints.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

pytest.importorskip("dev.ports", reason="only `python3 -m dev test` runs this")
from dev import follow, ports, report, settings_file, spark
from dev.airflow_rest import AirflowApi
from tests.astro.conftest import Project
from tests.astro.stack import run_of
from tests.astro.test_docker import destinations, see_a_value
from tests.astro_project import ROOT, dotenv

DAG = "example_great_expectations_dag"


@pytest.fixture(scope="module")
def project(cli, clone, tmp_path_factory):
    """Started, with a free port for S3 in `.env`, which is the one setting of it."""
    if shutil.which("uv") is None:
        pytest.skip("standalone mode needs uv on the PATH")
    env = clone / ".env"
    env.write_text(env.read_text().replace(":8333", f":{ports.free_ports(1)[0]}"))
    project = Project(clone, tmp_path_factory.mktemp("home"))
    project.run("sh", "-c", dbt_line(), seconds=900)
    project.astro("config", "set", "dev.mode", "standalone")
    port = str(ports.free_ports(1)[0])
    said = project.astro(
        "dev", "start", "--no-browser", "--no-proxy", "--port", port, "--wait", "8m", check=False
    )
    if "constraints" in said and "Airflow is ready" not in said:
        pytest.skip(f"the CLI cannot reach its hosts: {said[-300:]}")
    assert "Added Connection: aws_default" in said, said[-5_000:]
    project.port = port
    project.api = AirflowApi(f"http://localhost:{port}")
    yield project
    project.astro("dev", "kill", check=False)


def dbt_line() -> str:
    """The Dockerfile's line for dbt, which standalone mode does not read."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    (line,) = re.findall(r"^RUN (.*dbt_venv(?:.*\\\n)*.*)$", dockerfile, re.MULTILINE)
    return line


def test_what_is_changed_here_is_there():
    """The plugin's tab of a run, the Dockerfile's line for dbt."""
    assert (ROOT / "plugins/xcom_viewer.py").read_text().count('"dag_run"') == 1
    assert "dbt-requirements.lock" in dbt_line()


@pytest.fixture(scope="module")
def s3(project):
    """`python3 -m dev s3`, started last: it and the CLI have an environment each."""
    (project.root / ".dev").mkdir()
    log = project.root / ".dev/s3.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            [getattr(sys, "_base_executable", sys.executable), "-m", "dev", "s3"],
            cwd=project.root, env=project.environment, stdout=output, stderr=output,
        )  # fmt: skip
    while "Ctrl-C stops this server" not in log.read_text():
        assert server.poll() is None, log.read_text()
        time.sleep(0.2)
    key_id, secret = settings_file.read().keys
    endpoint = dotenv(project.root)["AIRFLOW__XCOM_STORE__ENDPOINT_URL"]
    yield SimpleNamespace(
        bucket="airflow-xcoms", endpoint_url=endpoint, access_key_id=key_id,
        secret_access_key=secret,
    )  # fmt: skip
    server.terminate()
    server.wait(timeout=60)


@pytest.mark.weekly
def test_every_dag_ends_as_expected(project, s3):
    for dag_id in report.EXPECTED.keys() - {spark.DAG}:  # its packages are not there
        assert run_of(project.api, s3, dag_id).problems == []
    assert destinations(project.api) == {"task_instance", "dag_run"}


@pytest.mark.weekly
def test_the_viewer_shows_a_value(project, s3):
    see_a_value(project.api, f"http://localhost:{project.port}", "astro-standalone")


@pytest.mark.weekly
def test_check(project, s3):
    """In the shell that docs/tools.md names."""
    said = project.astro("dev", "bash", typed="python -m include.xcom_tools check\n")
    assert "s3://airflow-xcoms/xcom/" in said, said
    assert not re.search(r"^error", said, re.MULTILINE), said


@pytest.mark.weekly
def test_parse_and_pytest(project):
    """Of the tests those that need no more than the image has; what needs `dev` is skipped."""
    assert "No errors detected" in project.astro("dev", "parse")
    began = time.monotonic()
    said = project.astro("dev", "pytest", seconds=600)
    assert re.search(r"\d+ passed", said), said[-3_000:]
    print(f"astro dev pytest: {time.monotonic() - began:.0f} s")
    assert (project.root / ".venv/bin/airflow").exists(), "the tests have touched their environment"


@pytest.mark.weekly
def test_a_restart_takes_a_changed_line_and_keeps_the_data(project, s3):
    run_id = project.api.runs(DAG)[0]["dag_run_id"]
    plugin = project.root / "plugins/xcom_viewer.py"
    plugin.write_text(plugin.read_text().replace('"dag_run"', '"dag"'))
    project.astro("dev", "restart", "--no-proxy", "--port", project.port, "--wait", "8m")
    assert destinations(project.api) == {"task_instance", "dag"}
    assert run_id in {run["dag_run_id"] for run in project.api.runs(DAG)}
    assert follow.objects_of_run(s3, "xcom", DAG, run_id)


@pytest.mark.weekly
def test_stop_and_kill(project, s3):
    run_id = project.api.runs(DAG)[0]["dag_run_id"]
    project.astro("dev", "stop")
    assert not project.api.healthy()
    project.astro("dev", "kill")
    assert follow.objects_of_run(s3, "xcom", DAG, run_id)
