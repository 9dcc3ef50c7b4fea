"""Airflow's own example DAGs: the same states under its own backend and under this one.

All that Airflow and its standard provider ship, with everything in the store (`threshold = 0`).
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

pytest.importorskip("dev.airflow_server", reason="only `python3 -m dev test` runs this")
pytest.importorskip("obstore")
from include.xcom_backend import LINKS, READ_BY_AIRFLOW
from include.xcom_store.record import is_record
from tests import airflow_process
from tests.airflow_examples import LEFT_OUT

SOME = [
    "example_dynamic_task_mapping", "example_sensor_decorator", "example_nested_branch_dag",
    "example_task_group_mapping", "example_trigger_target_dag", "example_xcom", "example_xcom_args",
]  # fmt: skip
OWN = "airflow.sdk.bases.xcom.BaseXCom"
THIS = "include.s3_xcom_backend.S3XComBackend"
QUERY = """SELECT dag_id, task_id, map_index, key, CAST(value AS TEXT) FROM xcom
           ORDER BY 1, 2, 3, 4"""


def ran(folder, s3_server, backend, dag_ids):
    """Run the DAGs under this backend; how they have ended, and the rows of their XComs."""
    airflow = airflow_process.make(folder, s3_server)
    (folder / "dags").mkdir()
    file = folder / "ended.json"
    log = airflow.run(
        str(file), *dag_ids, module="tests.airflow_examples", cwd=folder,
        AIRFLOW__CORE__XCOM_BACKEND=backend, AIRFLOW__XCOM_STORE__THRESHOLD="0",
        AIRFLOW__CORE__DAGS_FOLDER=str(folder / "dags"), AIRFLOW__CORE__LOAD_EXAMPLES="True",
    )  # fmt: skip
    assert file.exists(), log[-5_000:]
    rows = airflow.rows(QUERY)
    return json.loads(file.read_text()), rows


def compare(tmp_path_factory, s3_server, dag_ids=()):
    """Run them under both backends at once; what is shipped, and how the DAGs have ended."""
    backends = (OWN, THIS)
    folders = [tmp_path_factory.mktemp("examples") for _ in backends]
    with ThreadPoolExecutor() as pool:
        rest = [[s3_server] * 2, backends, [dag_ids] * 2]
        (own, own_rows), (this, rows) = pool.map(ran, folders, *rest)
    assert this["ended"] == own["ended"]
    assert [row[:4] for row in rows] == [row[:4] for row in own_rows]
    assert not any(is_record(json.loads(row[4])) for row in own_rows)
    for *_where, key, value in rows:
        stored = is_record(json.loads(value)) or value == "null"
        kept = key in READ_BY_AIRFLOW or key.startswith(LINKS)
        assert stored is not kept, (key, value)
    return this["shipped"], this["ended"], rows


def test_some(tmp_path_factory, s3_server):
    shipped, ended, rows = compare(tmp_path_factory, s3_server, SOME)
    assert {*ended} == {*SOME}
    assert len(rows) > 12
    assert {*LEFT_OUT} < {*shipped}


@pytest.mark.long
def test_all(tmp_path_factory, s3_server):
    shipped, ended, rows = compare(tmp_path_factory, s3_server)
    assert {*ended} == {*shipped} - {*LEFT_OUT}
    instances = sum(len(states) - 1 for states in ended.values())
    assert (len(ended), instances) > (90, 300)
    print(f"{len(ended)} DAGs, {instances} task instances, {len(rows)} XComs: all the same")
