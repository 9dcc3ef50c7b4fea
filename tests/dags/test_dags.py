"""What every DAG in dags/ keeps to. `astro dev pytest` runs it too: pytest, no server, no network.

These are the rules of this project, as a team might have them: change them to yours.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag

ROOT = Path(__file__).resolve().parents[2]
DAG_FILES = sorted((ROOT / "dags").glob("*.py"))
PARSE = """
import json, os, runpy, sys, tempfile
import airflow.sdk

HEAVY = ("boto3", "great_expectations", "obstore", "pandas", "pyarrow")
said = {}
for file in sys.argv[1:]:
    with tempfile.TemporaryFile("w+") as output:
        if not (child := os.fork()):
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
            runpy.run_path(file)
            print("heavy:", [name for name in HEAVY if name in sys.modules], flush=True)
            os._exit(0)
        os.waitpid(child, 0)
        output.seek(0)
        said[file] = output.read()
print(json.dumps(said))
"""

bag = DagBag(str(ROOT / "dags"))
dags = pytest.mark.parametrize("dag", bag.dags.values(), ids=bag.dags.keys())


def test_all_files_import():
    assert not bag.import_errors, "\n".join(bag.import_errors.values())


def test_the_examples_are_there():
    assert {"example_great_expectations_dag", "example_validation_failure_dag"} <= set(bag.dags)


@dags
def test_can_be_found_by_tag(dag):
    assert dag.tags, f'{dag.dag_id} has no tags: tags=["mine"]'


@dags
def test_explains_itself_in_the_ui(dag):
    assert dag.doc_md, f"{dag.dag_id} has no text for the UI: doc_md=__doc__"


@dags
def test_has_an_owner(dag):
    assert dag.default_args.get("owner"), f'{dag.dag_id}: default_args={{"owner": "me"}}'


@dags
def test_retries_at_least_twice_unless_a_task_says_otherwise(dag):
    retries = dag.default_args.get("retries", 0)
    assert retries >= 2, f'{dag.dag_id} retries {retries} times: default_args={{"retries": 2}}'


@dags
def test_does_not_catch_up(dag):
    assert dag.catchup is False


@pytest.fixture(scope="module")
def parsed(tmp_path_factory):
    """By file: what parsing says and imports, in a process that has imported Airflow alone.

    With no connection, no Variable and no database to look for one in.
    """
    folder = tmp_path_factory.mktemp("parsed")
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIRFLOW_CONN_", "AIRFLOW_VAR_", "AIRFLOW__XCOM_STORE__", "AWS_"))
    }
    environment |= {
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder}/there-is-none/airflow.db",
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [sys.executable, "-c", PARSE, *map(str, DAG_FILES)],
        env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("file", DAG_FILES, ids=lambda file: file.name)
def test_parsing_imports_nothing_heavy_and_needs_nothing(file, parsed):
    said = parsed[str(file)]
    if str(file) in bag.import_errors:
        pytest.skip("it cannot be imported, as test_all_files_import says")
    assert said.splitlines()[-1] == "heavy: []", f"import these inside of the tasks: {said}"
