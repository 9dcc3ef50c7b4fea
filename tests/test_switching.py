"""Switching over from another XCom backend, and back, in a real Airflow.

Tasks take the setting from the scheduler, which is started anew with the other backend each time.
"""

from __future__ import annotations

import json
import subprocess
import sys
from urllib.parse import quote

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


@pytest.mark.long
def test_from_one_store_to_another_with_values_in_flight(real, tmp_path):
    """Push, change `url`, pull, run again, sweep both: no value is lost, none is left behind."""
    stores = pytest.importorskip("dev.stores", reason="no dev/ here")

    def source():
        return real.rows("switched")["source", -1, "return_value"]

    def tool(*arguments):
        command = [sys.executable, "-m", "include.xcom_tools", *arguments, "--json"]
        env = {**real.server.env, **moved, "AIRFLOW_API_URL": real.server.url}
        done = subprocess.run(
            command, env=env, check=False, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def swept(*arguments):
        found = tool("sweep", "--grace-hours", "0.0001", *arguments)
        return [(row["kind"], row["uri"]) for row in found if row["kind"] not in ("dag", "total")]

    earlier = f"s3://{real.bucket}/{real.prefix}"
    with stores.start("gcs", tmp_path) as server:
        real.restart_scheduler()
        for _ in range(2):  # the first run's values stay, the second one's rows will be gone
            real.trigger("switched")
            assert real.wait("switched") == "success"
        gone, run = source()["uri"], real.runs["switched"]
        real.trigger("switched")
        assert real.wait("switched") == "success"
        pushed = source()
        assert pushed["uri"].startswith(f"{earlier}/")

        moved = {
            **server.environment("xcom"),
            "AIRFLOW__XCOM_STORE__ALSO_READ": earlier,
            "AIRFLOW__XCOM_STORE__OPERATION_TIMEOUT": "0.1",  # twice that is the least grace
        }
        real.restart_scheduler(**{**moved, "AIRFLOW__XCOM_STORE__OPERATION_TIMEOUT": "60"})
        assert real.clear("switched", "reader") == "success"
        assert source() == pushed  # read where it was
        assert real.clear("switched", "source", "reader") == "success"
        again = source()["uri"]
        assert again.startswith(f"{server.url('xcom')}/")
        assert pushed["uri"] not in real.objects("switched")  # the new try has deleted it

        assert real.clear("switched", "source", "reader") == "success"
        assert source()["uri"] != again
        where = "xcom", "switched", real.runs["switched"]
        assert {*server.objects_of_run(*where)} == {source()["uri"]}

        real.api.call("DELETE", f"api/v2/dags/switched/dagRuns/{quote(run)}")
        assert swept() == []
        assert swept("--url", earlier) == [("orphan", gone)]
        found = swept("--url", earlier, "--claim", "--delete")
        assert found == [("orphan", gone)]
        assert gone not in real.objects("switched")
        assert {row["kind"] for row in tool("sweep", "--grace-hours", "0.0001")} <= {"dag", "total"}
