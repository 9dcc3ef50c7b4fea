"""Switching over from another XCom backend, and back, in a real Airflow.

Tasks take the setting from the scheduler, which is started anew with the other backend each time.
"""

from __future__ import annotations

import pytest

pytest.importorskip("dev.airflow_server", reason="no dev/ here")
pytest.importorskip("obstore")
pytest.importorskip("airflow.providers.common.io", reason="an optional provider of Airflow")
from include.xcom_store.record import is_record, is_reference
from tests import real_airflow

EARLIER = {
    "Airflow's own": "airflow.sdk.bases.xcom.BaseXCom",
    "common-io": "airflow.providers.common.io.xcom.backend.XComObjectStorageBackend",
}


def test_the_dags_are_those_that_are_waited_for():
    """The long tests would wait for any other for minutes."""
    assert {"switched"} <= real_airflow.dag_ids("switching_dags.py")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("common_io")


@pytest.fixture(scope="module")
def real(tmp_path_factory, folder, s3_server):
    settings = {
        "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH": f"file://{folder}",
        "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_THRESHOLD": "100",
    }
    where = tmp_path_factory.mktemp("real")
    with real_airflow.running(
        where, s3_server, "switching_dags.py", ["switched"], **settings
    ) as real:
        yield real


@pytest.mark.parametrize("name", EARLIER)
@pytest.mark.long
def test_over_and_back(real, folder, name):
    def source():
        return real.rows("switched")["source", -1, "return_value"]

    def files():
        return [path for path in folder.rglob("*") if path.is_file()]

    earlier = {"AIRFLOW__CORE__XCOM_BACKEND": EARLIER[name]}
    real.restart_scheduler(**earlier)
    real.trigger("switched")
    assert real.wait("switched") == "success"
    pushed = source()
    assert not is_record(pushed)
    assert [f"file://{path}" for path in files()] == ([pushed] if name == "common-io" else [])

    # Over: what was pushed is read, and replaced where its task runs again.
    real.restart_scheduler()
    assert real.clear("switched", "reader") == "success"
    assert source() == pushed
    assert real.objects("switched") == set()
    assert real.clear("switched", "source", "reader") == "success"
    assert is_reference(source())
    assert real.objects("switched") == {source()["uri"]}
    assert files() == []

    # Back: first nothing new goes to the store, then the earlier backend reads what is there.
    real.restart_scheduler(AIRFLOW__XCOM_STORE__OFFLOAD="False")
    assert real.clear("switched", "reader") == "success"
    assert real.clear("switched", "source", "reader") == "success"
    assert not is_record(source())
    assert real.objects("switched") == set()
    real.restart_scheduler(**earlier)
    assert real.clear("switched", "reader") == "success"
    assert real.clear("switched", "source", "reader") == "success"
    assert source() == pushed or name == "common-io"
    assert len(files()) == (name == "common-io")
    for path in files():
        path.unlink()
