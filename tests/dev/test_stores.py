"""`--store`: what is missing, or cannot work, is told before anything is started."""

from __future__ import annotations

import pytest

from dev import demo_options, ports, stores
from dev.errors import DevError

ASKED = {
    "data": None, "dags": None, "all_dags": False, "port": None, "s3_port": None,
    "executor": "LocalExecutor", "stay": False, "as_json": False,
}  # fmt: skip


@pytest.mark.parametrize(("name", "program"), [("azure", "npm"), ("hdfs", "java")])
def test_a_missing_program_is_named(monkeypatch, tmp_path, name, program):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DevError, match=f"needs .*no program {program} on the PATH"):
        demo_options.check(**ASKED, store=name)
    with pytest.raises(DevError, match=f"no program {program}"):  # benchmark and tests go on
        stores.start(name, tmp_path)


def test_gcs_needs_nothing(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert demo_options.check(**ASKED, store="gcs").store == "gcs"


@pytest.mark.parametrize("dag", ["example_by_reference_dag", "example_spark_dag"])
def test_a_dag_that_reads_s3_by_itself_is_refused(dag):
    with pytest.raises(DevError, match=f"{dag}: it reads a bucket of S3 by itself"):
        demo_options.check(**{**ASKED, "dags": [dag]}, store="gcs")


def test_spark_reads_hdfs_by_itself(monkeypatch):
    monkeypatch.setattr(stores.Hdfs, "check", lambda: None)
    chosen = demo_options.check(**{**ASKED, "dags": ["example_spark_dag"]}, store="hdfs")
    assert chosen.needs_spark


def test_a_server_is_stopped_and_leads_airflow_to_it(tmp_path):
    with stores.start("gcs", tmp_path) as server:
        found = server.environment("xcom")
        assert found["AIRFLOW__XCOM_STORE__URL"] == "gs://airflow-xcoms/xcom"
        assert "AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT" in found
        server.client("xcom").put("dag_id=a/run_id=b/x", b"1")
        assert server.objects_of_run("xcom", "a", "b") == {
            "gs://airflow-xcoms/xcom/dag_id=a/run_id=b/x": b"1"
        }
    assert ports.is_free(server.port)
