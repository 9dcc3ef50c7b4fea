"""The tool in a shell sees a connection that only Airflow's database has, as a task would."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytest.importorskip("obstore")
pytest.importorskip("pyarrow")
from tests.airflow_process import ROOT, airflow  # noqa: F401


def check(environment):
    done = subprocess.run(
        [sys.executable, "-m", "include.xcom_tools", "check", "--json"],
        env=environment, cwd=ROOT, timeout=120, check=False, capture_output=True, text=True,
    )  # fmt: skip
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def test_a_connection_of_the_environment(airflow):  # noqa: F811
    code, lines = check(airflow.environment)
    (found,) = [line["found"] for line in lines if line["about"] == "connection"]
    assert code == 0
    assert "AIRFLOW_CONN_AWS_DEFAULT" in found
    assert "database" not in found
    assert "local-secret-key" not in json.dumps(lines)


@pytest.mark.long
def test_a_connection_of_the_database(airflow):  # noqa: F811
    environment = dict(airflow.environment)
    connection = environment.pop("AIRFLOW_CONN_AWS_DEFAULT")
    code, lines = check(environment)
    assert (code, lines[-1]["state"]) == (1, "error")
    assert "no AWS credentials" in lines[-1]["found"]

    airflow.run("connections", "add", "aws_default", "--conn-json", connection)
    code, lines = check(environment)
    found = [line["found"] for line in lines if line["about"] == "connection"]
    assert (code, found) == (0, ["'aws_default' from Airflow's database."])

    code, lines = check(airflow.environment)
    (said,) = [line["found"] for line in lines if line["about"] == "connection"]
    assert said.endswith("AIRFLOW_CONN_AWS_DEFAULT; it hides the one in Airflow's database.")
    assert "local-secret-key" not in json.dumps(lines)
