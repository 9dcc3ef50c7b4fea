"""AIRFLOW_CONN_AWS_DEFAULT in the environment beats the connection imported into the database."""

from __future__ import annotations

import json

import pytest

from tests.airflow_process import airflow

__all__ = ["airflow"]

DAG = """
from airflow.sdk import dag, task

@dag(schedule=None)
def which_keys():
    @task(retries=0)
    def push():
        return "x" * 2_000

    push()

which_keys()
"""


@pytest.fixture(scope="module")
def wrong_connection_in_the_database(airflow, tmp_path_factory):
    """The database has a connection of that name with keys that S3 does not know."""
    folder = tmp_path_factory.mktemp("dags")
    (folder / "which_keys.py").write_text(DAG)
    airflow.environment["AIRFLOW__CORE__DAGS_FOLDER"] = str(folder)
    wrong = {"conn_type": "aws", "login": "wrong-access-key", "password": "wrong-secret-key"}
    said = airflow.run("connections", "add", "aws_default", "--conn-json", json.dumps(wrong))
    assert "Successfully added" in said, said


def test_airflow_asks_the_environment_first():
    from airflow.secrets import DEFAULT_SECRETS_SEARCH_PATH

    names = [path.rpartition(".")[2] for path in DEFAULT_SECRETS_SEARCH_PATH]
    assert names.index("EnvironmentVariablesBackend") < names.index("MetastoreBackend")


@pytest.mark.long
@pytest.mark.usefixtures("wrong_connection_in_the_database")
def test_the_environment_comes_first(airflow):
    log = airflow.run("dags", "test", "which_keys")
    assert airflow.task_states("which_keys") == {"push": "success"}, log
    assert airflow.xcom("which_keys", "push")["uri"] in airflow.objects("which_keys")


@pytest.mark.long
@pytest.mark.usefixtures("wrong_connection_in_the_database")
def test_without_it_the_database_counts(airflow, monkeypatch):
    monkeypatch.delitem(airflow.environment, "AIRFLOW_CONN_AWS_DEFAULT")
    log = airflow.run("dags", "test", "which_keys", "2026-01-02")
    assert "AccessDenied" in log, log
    assert "connection 'aws_default'" in log
