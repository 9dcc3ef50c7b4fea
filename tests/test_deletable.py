"""A starter repository: what is not the backend can be deleted by folder, and the rest still works."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

# `astro dev pytest` is to be quick, and each test here imports Airflow again.
pytest.importorskip("dev", reason="only `python3 -m dev test` runs this")
from tests import local_s3

ROOT = Path(__file__).parents[1]
MAY_GO = ["dev", "infra", "docs", "plugins", "include/xcom_reference", "include/xcom_tools"]
MAY_GO += ["include/xcom_viewer"]
TRY = """
import airflow.sdk
from types import SimpleNamespace
from airflow.sdk.execution_time.xcom import XCom
import sys
where = dict(dag_id="d", run_id="r", task_id="t", map_index=-1)
for value in (1, (1, 2), ["x" * 2_000] * bool(int(sys.argv[1])), *sys.argv[2:]):
    stored = XCom.serialize_value(value, key="k", **where)
    assert XCom.deserialize_value(SimpleNamespace(value=stored)) == value
    print(XCom.__name__, stored["uri"] if isinstance(stored, dict) and "uri" in stored else "inline")
"""
PARSE = """
import sys
from airflow.dag_processing.dagbag import DagBag
for folder in sys.argv[1:]:
    bag = DagBag(folder)
    assert not bag.import_errors, bag.import_errors
    assert bag.dags, folder
    print(*bag.dags, sep="\\n")
"""


@pytest.fixture(scope="module")
def what_is_left(tmp_path_factory):
    """A copy of the project without anything that may go."""
    copy = tmp_path_factory.mktemp("left")
    ignore = shutil.ignore_patterns("__pycache__", ".*", "tests", "dbt_venv", "spark_venv", "*.pyc")
    shutil.copytree(ROOT, copy, ignore=ignore, dirs_exist_ok=True)
    for folder in MAY_GO:
        shutil.rmtree(copy / folder, ignore_errors=True)
    return copy


def run(folder, code, *arguments, **env):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *arguments],
        capture_output=True, text=True, check=False, cwd=folder, timeout=300,
        env={
            **os.environ, "PYTHONPATH": str(folder), "PYTHONSAFEPATH": "1",
            "AIRFLOW__CORE__XCOM_BACKEND": "include.s3_xcom_backend.S3XComBackend", **env,
        },
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3_000:]
    return done.stdout


def test_without_a_store_small_values_travel(what_is_left):
    assert run(what_is_left, TRY, "0").splitlines()[-3:] == ["S3XComBackend inline"] * 3


def test_with_a_store_large_ones_as_well(what_is_left, s3_server):
    printed = run(what_is_left, TRY, "1", **local_s3.settings(s3_server, "deletable"))
    assert f"S3XComBackend s3://{s3_server.bucket}/deletable/dag_id=d/" in printed


def test_each_dag_parses_without_the_others(what_is_left, tmp_path):
    names = sorted(file.stem for file in what_is_left.glob("dags/*.py"))
    for name in names:
        shutil.copytree(what_is_left, tmp_path / name)
        for file in (tmp_path / name).glob("dags/*.py"):
            if file.stem != name:
                file.unlink()
    printed = run(what_is_left, PARSE, *(str(tmp_path / name / "dags") for name in names))
    assert set(names) <= set(printed.splitlines())


def test_no_dag_and_no_part_of_the_backend_imports_the_development_tools():
    for folder in ("include", "dags", "plugins"):
        for file in (ROOT / folder).rglob("*.py"):
            lines = file.read_text().splitlines()
            assert not [ln for ln in lines if ln.strip().startswith(("import dev", "from dev"))], (
                file
            )
