"""Every Airflow process imports the backend: it may not bring heavy libraries with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

# `astro dev pytest` is to be quick, and each test here imports Airflow again.
pytest.importorskip("dev", reason="only `python3 -m dev test` runs this")
ROOT = Path(__file__).parents[1]
HEAVY = {"pandas", "pyarrow", "numpy", "obstore", "boto3", "botocore", "great_expectations"}
COUNT = """
import json, sys
{first}
before = set(sys.modules)
{body}
print(json.dumps(sorted(set(sys.modules) - before)))
"""
BASE = "from airflow.sdk.bases.xcom import BaseXCom"
PUSH_AND_PULL = """
from collections import namedtuple
from include.s3_xcom_backend import S3XComBackend
for value in (None, 1, "a", [1, {"a": 2.5}], (1, b"x")):
    stored = S3XComBackend.serialize_value(
        value, key="k", task_id="t", dag_id="d", run_id="r", map_index=-1
    )
    row = namedtuple("Row", "value")(stored)
    assert S3XComBackend.deserialize_value(row) == value
"""


def imported_by(body, first=BASE, **env):
    # The image switches the backend on, so that `first` would import it already.
    inherited = {k: v for k, v in os.environ.items() if k != "AIRFLOW__CORE__XCOM_BACKEND"}
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", COUNT.format(first=first, body=body)],
        capture_output=True, text=True, check=False, cwd=ROOT, timeout=120,
        env={**inherited, "PYTHONPATH": str(ROOT), **env},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    return {name.partition(".")[0]: name for name in json.loads(run.stdout.splitlines()[-1])}


@pytest.mark.parametrize("body", [
    "import include.s3_xcom_backend", PUSH_AND_PULL,
], ids=["import", "small values"])  # fmt: skip
def test_nothing_heavy(body):
    found = imported_by(body)
    assert "include" in found
    assert not HEAVY & found.keys()


def test_nothing_heavy_when_airflow_imports_it():
    """As it happens in truth: `from airflow.sdk import DAG` with the backend switched on."""
    backend = {"AIRFLOW__CORE__XCOM_BACKEND": "include.s3_xcom_backend.S3XComBackend"}
    body = "from airflow.sdk import DAG\nimport airflow.sdk.execution_time.xcom"
    with_ours, without = imported_by(body, "", **backend), imported_by(body, "")
    assert "include" in with_ours
    assert not HEAVY & (with_ours.keys() - without.keys())


KEYS = {"conn_type": "aws", "login": "k", "password": "s", "extra": {"region_name": "us-east-1"}}
GCS_KEY = {"gcs_base_url": "http://127.0.0.1:9", "disable_oauth": True, "private_key": ""}
STORES = {
    "s3://bucket": ({"s3", "aws"}, KEYS),
    "gs://bucket": ({"gcs"}, {"conn_type": "google_cloud_platform",
                              "extra": {"keyfile_dict": json.dumps({**GCS_KEY, "client_email": ""})}}),
    "az://container": ({"azure"}, {"conn_type": "wasb", "login": "account", "password": "a2V5"}),
    "hdfs://host": ({"hdfs", "webhdfs"}, {"conn_type": "webhdfs", "host": "host", "login": "u"}),
}  # fmt: skip
OF_SERVICES = {"s3", "aws", "gcs", "azure", "hdfs", "webhdfs"}
CONNECTED = """
import sys
from include.xcom_store.settings import Settings
from include.xcom_store.stores.base import Store
Store(Settings(url={url!r})).prepare()
print(sorted(name for name in sys.modules if name.startswith("include.xcom_store.stores.")))
print(sorted({heavy!r} & {{name.partition(".")[0] for name in sys.modules}}))
"""


@pytest.mark.parametrize("url", [
    url if url.startswith("s3:") else pytest.param(url, marks=pytest.mark.long) for url in STORES
])  # fmt: skip
def test_no_module_of_another_service(url):
    pytest.importorskip("obstore")
    wanted, connection = STORES[url]
    conn_id = {"s3": "aws", "gs": "google_cloud", "az": "wasb", "hdfs": "webhdfs"}[
        url.split(":")[0]
    ]
    heavy = {"boto3", "google", "azure", "requests", "fsspec"}
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CONNECTED.format(url=url, heavy=heavy)],
        capture_output=True, text=True, check=False, cwd=ROOT, timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT),
             f"AIRFLOW_CONN_{conn_id.upper()}_DEFAULT": json.dumps(connection)},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    modules, others = run.stdout.splitlines()[-2:]
    found = {name.rpartition(".")[2] for name in json.loads(modules.replace("'", '"'))}
    assert found & OF_SERVICES == wanted
    assert {"boto3", "azure"} & set(json.loads(others.replace("'", '"'))) == set()
