"""examples/docker-compose, run: the official image without the Astro CLI, as its guide says."""

from __future__ import annotations

import re
from importlib import metadata

import pytest
import yaml

pytest.importorskip("dev.follow", reason="only `python3 -m dev test` runs this")
from dev import report, spark
from tests.astro.stack import FOLDER, run_of, started
from tests.astro_project import ROOT

GUIDE = ROOT / "docs/production.md"


@pytest.fixture(scope="module")
def stack(engine, clone):
    with started(clone, "s3-xcom-test", "docker-compose.yml") as stack:
        yield stack


def restarted() -> list[str]:
    """The services that the guide restarts after a change in include/."""
    (services,) = re.findall(r"`docker compose … restart ([a-z -]+)`", GUIDE.read_text())
    return str(services).split()


def test_the_guide_restarts_all_that_imports_the_backend():
    services = yaml.safe_load((ROOT / FOLDER / "docker-compose.yml").read_text())["services"]
    importing = {name for name, it in services.items() if "PYTHONPATH" in it["environment"]}
    assert {*restarted()} == importing - {"init"}  # which has ended


def test_every_dag_ends_as_expected(stack):
    assert stack.api.version() == metadata.version("apache-airflow")
    wanted = report.EXPECTED.keys() - {spark.DAG}  # the image has no Java
    while {dag["dag_id"] for dag in stack.api.dags()} < wanted:
        assert stack.api.import_errors() == []
    for dag_id in wanted:
        assert run_of(stack.api, stack.s3, dag_id).problems == []


def test_check_in_the_scheduler(stack):
    said = stack.inside("scheduler", "python", "-m", "include.xcom_tools", "check")
    assert "s3://airflow-xcoms/xcom/" in said
    assert "AIRFLOW_CONN_AWS_DEFAULT" in said, said


def test_a_restart_takes_a_changed_line(stack):
    """include/ is mounted and on PYTHONPATH; a running process keeps what it has imported."""
    module = stack.root / "include/s3_xcom_backend.py"
    module.write_text(module.read_text() + "\nCHANGED = True\n")
    stack.compose("restart", *restarted())
    stack.wait_until_healthy()
    code = "import airflow.sdk; from include.s3_xcom_backend import CHANGED"
    stack.inside("scheduler", "python", "-W", "ignore", "-c", code)
    assert run_of(stack.api, stack.s3, "example_dataframe_dag").problems == []
