"""What every DAG in dags/ keeps to. `astro dev pytest` runs it too: pytest, no server, no network."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag

ROOT = Path(__file__).resolve().parents[2]
DAG_FILES = sorted((ROOT / "dags").glob("*.py"))
HEAVY = ("boto3", "great_expectations", "obstore", "pandas", "pyarrow")

bag = DagBag(str(ROOT / "dags"))
dags = pytest.mark.parametrize("dag", bag.dags.values(), ids=bag.dags.keys())


def test_all_files_import():
    assert bag.import_errors == {}


def test_the_examples_are_there():
    assert {"example_great_expectations_dag", "example_validation_failure_dag"} <= set(bag.dags)


@dags
def test_can_be_found_by_tag(dag):
    assert dag.tags


@dags
def test_explains_itself_in_the_ui(dag):
    assert dag.doc_md


@dags
def test_has_an_owner(dag):
    assert dag.default_args.get("owner")


@dags
def test_retries_at_least_twice_unless_a_task_says_otherwise(dag):
    assert dag.default_args.get("retries", 0) >= 2


@dags
def test_does_not_catch_up(dag):
    assert dag.catchup is False


@pytest.mark.parametrize("file", DAG_FILES, ids=lambda file: file.name)
def test_parsing_imports_nothing_heavy_and_needs_nothing(file, tmp_path):
    """In a fresh process, with no connection, no Variable and no database to look for one in."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIRFLOW_CONN_", "AIRFLOW_VAR_", "AIRFLOW__XCOM_STORE__", "AWS_"))
    }
    environment |= {
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/there-is-none/airflow.db",
        "PYTHONPATH": str(ROOT),
    }
    code = (
        "import runpy, sys; runpy.run_path(sys.argv[1]); "
        f"print('heavy:', *(name for name in {HEAVY} if name in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(file)],
        env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "heavy:"
