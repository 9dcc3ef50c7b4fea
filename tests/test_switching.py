"""Switching over from another XCom backend, and back, in a real Airflow.

Tasks take the setting from the scheduler, which is started again with the other backend each time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

pytest.importorskip("dev.airflow_server", reason="only `python3 -m dev test` runs this")
pytest.importorskip("obstore")
pytest.importorskip("airflow.providers.common.io", reason="an optional provider of Airflow")
import obstore

from dev.project import ROOT
from include.xcom_store.record import is_record, is_reference
from include.xcom_store.stores import common_io
from tests import local_s3, real_airflow, uv
from tests.real_airflow import Real

EARLIER = {
    "Airflow's own": "airflow.sdk.bases.xcom.BaseXCom",
    "common-io": "airflow.providers.common.io.xcom.backend.XComObjectStorageBackend",
}


def test_the_dags_are_those_that_are_waited_for():
    """The long tests would wait for any other for minutes."""
    assert {"switched"} <= real_airflow.dag_ids("switching_dags.py")


def running(tmp_path_factory, s3_server, path, **settings):
    """Run an Airflow in which common-io's backend has this path."""
    return Real.running(
        tmp_path_factory.mktemp("real"), s3_server, ["switching_dags.py"], ["switched"],
        AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH=path,
        AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_THRESHOLD="100",
        **settings,
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("common_io")


@pytest.fixture(scope="module")
def real(tmp_path_factory, folder, s3_server):
    with running(tmp_path_factory, s3_server, f"file://{folder}") as real:
        yield real


@pytest.mark.parametrize("name", EARLIER)
@pytest.mark.weekly
def test_over_and_back(real, folder, name):
    def left():
        return [f"file://{path}" for path in folder.rglob("*") if path.is_file()]

    over_and_back(real, name, left)


@pytest.mark.weekly
def test_over_from_s3_and_back(tmp_path_factory, s3_server):
    """With s3fs, which common-io's backend needs there, and which no package of ours asks for."""
    libraries, base = tmp_path_factory.mktemp("s3fs"), f"{s3_server.bucket}/common-io"
    command = ["pip", "install", "--python", sys.executable, "--target", str(libraries), "s3fs"]
    subprocess.run([uv.PROGRAM, *command], env=uv.environment(), check=True)
    connection = local_s3.connection(s3_server, endpoint_url=s3_server.endpoint_url)

    def left():
        pages = obstore.list(local_s3.client(s3_server), "common-io")
        return [f"s3://common@{s3_server.bucket}/{one['path']}" for page in pages for one in page]

    settings = {
        "AIRFLOW_CONN_COMMON": json.dumps(connection),
        "PYTHONPATH": os.pathsep.join([str(libraries), str(ROOT)]),
    }
    with running(tmp_path_factory, s3_server, f"s3://common@{base}", **settings) as real:
        over_and_back(real, "common-io", left)


def rows_checked(real, **changes):
    """What `check --rows` says about rows, with these changes to the settings."""
    done = subprocess.run(
        [sys.executable, "-m", "include.xcom_tools", "check", "--rows", "--json"],
        env=real.server.env | changes, cwd=ROOT, check=False, capture_output=True, text=True,
    )  # fmt: skip
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return [f"{line['found']} {line['to_do']}" for line in lines if line["about"] == "rows"]


def over_and_back(real, name, left):
    """Push by an earlier backend, read and replace it by this one, and the other way round.

    Args:
        real: an Airflow.
        name: of the earlier backend.
        left: gives the paths of the objects that the earlier backend has now.
    """

    def source():
        return real.rows("switched")["source", -1, "return_value"]

    earlier = {"AIRFLOW__CORE__XCOM_BACKEND": EARLIER[name]}
    real.restart_scheduler(**earlier)
    assert real.run("switched") == "success"
    pushed = source()
    assert not is_record(pushed)
    assert left() == ([pushed] if name == "common-io" else [])

    # Over: what was pushed is read, and replaced where its task runs again.
    real.restart_scheduler()
    assert real.clear("switched", "reader") == "success"
    assert source() == pushed
    assert real.objects("switched") == set()
    if name == "common-io":
        [said] = rows_checked(real)
        assert "1 readable ones of common-io's backend" in said
        base = pushed.partition("/switched/")[0]
        [_, said] = rows_checked(real, **{common_io.VARIABLE: ""})
        assert said.startswith("1 hold the path of an object")
        assert f"Set {common_io.VARIABLE}={base} for all components" in said
    assert real.clear("switched", "source", "reader") == "success"
    assert is_reference(source())
    assert real.objects("switched") == {source()["uri"]}
    assert left() == []

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
    assert len(left()) == (name == "common-io")


@pytest.mark.long
def test_from_one_store_to_another_with_values_in_flight(real, tmp_path):
    """Push, change `url`, pull, run again, sweep both: no value is lost, none is left behind."""
    stores = pytest.importorskip("dev.stores", reason="only `python3 -m dev test` runs this")

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

    earlier = real.store_url
    with stores.start("gcs", tmp_path) as server:
        real.restart_scheduler()
        for _ in range(2):  # the first run's values stay, the second one's rows will be gone
            assert real.run("switched") == "success"
        gone, run = source()["uri"], real.path("switched")
        assert real.run("switched") == "success"
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

        real.api.call("DELETE", run)
        assert swept() == []
        assert swept("--url", earlier) == [("orphan", gone)]
        found = swept("--url", earlier, "--claim", "--delete")
        assert found == [("orphan", gone)]
        assert gone not in real.objects("switched")
        assert {row["kind"] for row in tool("sweep", "--grace-hours", "0.0001")} <= {"dag", "total"}
