"""Keys rotated under a real Airflow that has its connection from a secrets backend.

A task runs while its connection gets the second key and the first is switched off: what it had read
stays read, its next request fails, and its retry, a process of its own, has the new key.
"""

from __future__ import annotations

import pytest

pytest.importorskip("dev.airflow_server", reason="only `python3 -m dev test` runs this")
pytest.importorskip("moto")
from tests import waiting
from tests.infra.secrets_backends import BACKENDS, put, settings
from tests.infra.users import connection
from tests.real_airflow import SECONDS, Real

DAG = """
import os, time
from datetime import timedelta
from pathlib import Path
from airflow.sdk import dag, task

FOLDER = Path(os.environ["ROTATION_FOLDER"])

@dag(schedule=None)
def rotation():
    @task(retries=0)
    def first():
        return ["x" * 2_000]

    @task(retries=1, retry_delay=timedelta(seconds=1))
    def lasting(value, ti=None):
        (FOLDER / "pulled").touch()
        while not (FOLDER / "rotated").exists():
            time.sleep(0.1)
        return ti.xcom_pull(task_ids="first")

    @task(retries=0)
    def last(value):
        assert value == ["x" * 2_000]
        return value

    last(lasting(first()))

rotation()
"""


@pytest.fixture
def change_connection(aws, name):
    """Write the connection into the secrets backend, with this key."""
    return lambda key: put(aws, name, connection(key))


@pytest.fixture
def real(name, tmp_path, moto_server, iam_server):
    """An Airflow with that secrets backend and the DAG."""
    file = tmp_path / "rotation.py"
    file.write_text(DAG)
    env = {"AIRFLOW_CONN_AWS_DEFAULT": None, "ROTATION_FOLDER": str(tmp_path)}
    env |= settings(name, moto_server)
    with Real.running(tmp_path, iam_server, [file], ["rotation"], **env) as real:
        yield real


def test_only_the_task_that_outlives_its_key_is_tried_again(monkeypatch, tmp_path):
    monkeypatch.setenv("ROTATION_FOLDER", str(tmp_path))
    names = {}
    exec(DAG, names)
    retries = {task.task_id: task.retries for task in names["rotation"]().tasks}
    assert retries == {"first": 0, "lasting": 1, "last": 0}


@pytest.mark.long
@pytest.mark.parametrize("name", BACKENDS)
def test_rotating_keys(change_connection, real, user, tmp_path):
    change_connection(user.first)
    real.trigger("rotation")
    waiting.until((tmp_path / "pulled").exists, seconds=SECONDS)
    change_connection(user.another())
    user.deactivate(user.first)
    (tmp_path / "rotated").touch()
    assert real.wait("rotation") == "success"
    assert "AccessDenied" in real.log("rotation", "lasting", 1)
    assert "does not know the access key" in real.log("rotation", "lasting", 1)
    assert "XCom pull" in real.log("rotation", "lasting", 2)
    assert len(real.rows("rotation")) == 3
    logs = list((real.server.home / "logs").rglob("*.log"))
    assert len(logs) >= 4
    assert not [log for log in logs if user.first["SecretAccessKey"] in log.read_text()]
