"""The command `sweep` beside a real Airflow whose tasks write while rows are being deleted.

The tests go from top to bottom: each begins where the one before has left off.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import quote

import pytest

pytest.importorskip("dev.airflow_server", reason="only `python3 -m dev test` runs this")
pytest.importorskip("obstore")
import obstore
import pyarrow.parquet as pq

from dev.errors import DevError
from tests import waiting
from tests.real_airflow import SECONDS, Real
from tests.xcom_tools import sweep_dags

ROOT = Path(__file__).parents[2]
GRACE = 20.0
DAGS = ["fill", "gone", "churn"]
MAINTENANCE = "xcom_storage_maintenance_dag"
MAINTENANCE_FILE = ROOT / "dags" / f"{MAINTENANCE}.py"


class Swept(Real):
    """A running Airflow, its part of the bucket, and the command."""

    def delete_xcom(self, dag_id, index, key):
        entry = f"{self.path(dag_id)}/taskInstances/push/xcomEntries/{quote(key, safe='')}"
        self.api.call("DELETE", f"{entry}?map_index={index}")

    def referenced(self, dag_id):
        rows = self.api.xcoms(dag_id, self.runs[dag_id])
        return {row["value"]["uri"] for row in rows if isinstance(row["value"], dict)}

    def sweep(self, *arguments):
        """Start the command, as a shell in the Airflow environment would."""
        return subprocess.Popen(
            [sys.executable, "-m", "include.xcom_tools", "sweep", "--json",
             "--grace-hours", str(GRACE / 3600), *arguments],
            env=self.server.env, cwd=ROOT, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def swept(self, *arguments):
        """Run it to its end; exit code, findings, and the total."""
        process = self.sweep(*arguments)
        out, err = process.communicate(timeout=SECONDS)
        *lines, total = map(json.loads, out.splitlines() or ["{}"])
        found = [line for line in lines if line["kind"] != "dag"]
        print(total)
        return process.returncode, found, total, err


@pytest.fixture(scope="module")
def real(tmp_path_factory, s3_server):
    folder, files = tmp_path_factory.mktemp("sweep-real"), [sweep_dags.__file__, MAINTENANCE_FILE]
    timeout = {"AIRFLOW__XCOM_STORE__OPERATION_TIMEOUT": str(GRACE / 2)}
    with Swept.running(folder, s3_server, files, [*DAGS, MAINTENANCE], **timeout) as real:
        yield real


def test_the_dags_are_those_that_are_waited_for():
    """The long tests would wait for any other for minutes."""
    for dag_id in DAGS:
        assert getattr(sweep_dags, dag_id)().tasks
    assert MAINTENANCE_FILE.exists()


@pytest.mark.weekly
def test_2000_xcoms_of_which_300_are_orphans(real, tmp_path):
    for dag_id in ("fill", "gone"):
        real.trigger(dag_id)
    assert {real.wait("fill"), real.wait("gone")} == {"success"}
    assert len(real.objects()) == 2_000
    real.delete_run("gone")
    for number in range(100):
        real.delete_xcom("fill", 16, f"key {number}")
    live = real.referenced("fill")
    orphans = real.objects() - live
    assert (len(live), len(orphans)) == (1_700, 300)
    time.sleep(GRACE + 1)
    code, found, total, err = real.swept("--claim")
    assert (code, total["orphans"], total["deleted"]) == (0, 300, 0), err
    swept = tmp_path / "swept"
    real.trigger("churn", until=str(swept))
    real.wait("churn", "running")
    waiting.until(lambda: real.objects("churn"), "churn writes nothing", seconds=SECONDS)

    stop, deleted = threading.Event(), []

    def delete_rows():
        """Rows that lists are being made of, and rows of a task that is writing."""
        for number in range(300):
            if stop.is_set():
                return
            try:
                real.delete_xcom("fill", number // 100, f"inline {number % 100}")
                deleted.append(number)
            except DevError:  # SQLite was locked (dev/airflow_environment.py says by whom)
                continue

    thread = threading.Thread(target=delete_rows)
    thread.start()
    try:
        code, found, total, err = real.swept("--delete")
    finally:
        stop.set()
        thread.join()
    state = real.state("churn")
    swept.touch()
    assert code == 0, err
    assert state == "running"
    assert len(deleted) > 10
    assert {line["uri"] for line in found} == orphans
    assert all(line["deleted"] for line in found)
    assert total["deleted"] == 300
    assert real.objects("fill") == live
    assert real.objects("gone") == set()
    assert total["young"] > 0
    assert real.wait("churn") == "success"
    assert real.referenced("churn") <= real.objects("churn")


@pytest.mark.weekly
def test_a_second_sweep_finds_none_of_them(real):
    code, found, total, _err = real.swept("--delete", "--dag-id", "fill")
    assert (code, found, total["live"]) == (0, [], 1_700)
    # What the churn pushed twice is there to be found by now.
    time.sleep(GRACE + 1)
    _code, found, total, _err = real.swept("--delete")
    assert {line["uri"].split("/dag_id=")[1].split("/")[0] for line in found} == {"churn"}
    assert real.objects("churn") == real.referenced("churn")


@pytest.mark.weekly
def test_the_api_is_killed_halfway(real):
    before = real.objects("fill")
    real.delete_run("fill")
    process = real.sweep("--delete")
    told = [json.loads(process.stdout.readline()) for _ in range(600)]
    real.server.components["api-server"].kill()
    out, err = process.communicate(timeout=SECONDS)
    told += [line for line in map(json.loads, out.splitlines()) if line["kind"] == "orphan"]
    assert process.returncode == 3
    assert "does not answer" in err
    assert "Stopped: nothing more is deleted. To go on: --resume-after" in err
    deleted = {line["uri"] for line in told}
    assert 600 <= len(deleted) < 1_700
    assert real.objects("fill") == before - deleted
    time.sleep(3)
    assert real.objects("fill") == before - deleted

    del real.server.components["api-server"]
    real.server.launch("api-server", ["api-server"], {}, real.server.home)
    waiting.until(real.api.healthy, seconds=SECONDS, every=0.5)
    behind = err.split("--resume-after '")[1].split("'")[0]
    code, found, _total, err = real.swept("--delete", "--resume-after", behind)
    assert code == 0, err
    assert {line["uri"] for line in found} == before - deleted
    assert real.objects("fill") == set()


@pytest.mark.weekly
def test_the_maintenance_dag(real):
    """Paused at first; a dry run until the Variable says otherwise; then orphans are deleted."""
    [dag] = [dag for dag in real.api.dags() if dag["dag_id"] == MAINTENANCE]
    assert dag["is_paused"]
    assert real.run("gone") == "success"
    orphans = real.objects("gone")
    assert len(orphans) == 100
    real.delete_run("gone")
    real.api.unpause(MAINTENANCE)
    time.sleep(GRACE + 1)

    def run(**conf):
        assert real.run(MAINTENANCE, grace_hours=GRACE / 3600, **conf) == "success"
        rows = real.api.xcoms(MAINTENANCE, real.runs[MAINTENANCE])
        [findings] = [row["value"]["uri"] for row in rows if row["key"] == "findings"]
        key = findings.removeprefix(f"{real.store_url}/")
        table = pq.read_table(io.BytesIO(bytes(obstore.get(real.store, key).bytes())))
        return {row["uri"]: row["deleted"] for row in table.to_pylist()}

    assert run() == dict.fromkeys(orphans, False)
    assert real.objects("gone") == orphans
    real.api.overwrite("variables", [{"key": f"{MAINTENANCE[:-4]}_delete", "value": "true"}])
    assert run() == dict.fromkeys(orphans, True)
    assert real.objects("gone") == set()
