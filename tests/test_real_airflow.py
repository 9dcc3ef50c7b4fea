"""The backend in a real Airflow: scheduler, API server, triggerer and task processes.

What is asserted are states, database records and objects in the bucket, by their URIs in the task's
log lines. One Airflow runs for all tests of the module, which go from top to bottom: each begins
where the one before has left off.
"""

from __future__ import annotations

import pytest

pytest.importorskip("dev.airflow_server", reason="only `python3 -m dev test` runs this")
pytest.importorskip("obstore")
from dev.errors import DevError
from tests import real_airflow_dags
from tests.real_airflow import Real
from tests.real_airflow_dags import MAPPED

DAGS = ["real_mapped", "real_retried", "real_cleared", "real_deferred"]


def test_the_dags_are_those_that_are_waited_for():
    """The long tests would wait for any other for minutes."""
    for dag_id in DAGS:
        assert getattr(real_airflow_dags, dag_id)().tasks


@pytest.fixture(scope="module")
def real(tmp_path_factory, s3_server):
    folder, listed = tmp_path_factory.mktemp("real"), [*DAGS, "real_inline"]
    with Real.running(folder, s3_server, ["real_airflow_dags.py"], listed) as real:
        for dag_id in DAGS:
            real.trigger(dag_id)
        yield real


@pytest.mark.long
def test_a_mapped_task_of_frames_and_a_reduce(real):
    assert real.wait("real_mapped") == "success"
    rows = real.rows("real_mapped")
    assert rows.pop(("reduce", -1, "return_value")) == MAPPED
    assert [index for _, index, _ in sorted(rows)] == list(range(MAPPED))
    assert {row["uri"] for row in rows.values()} == real.objects("real_mapped")
    assert len(real.objects("real_mapped")) == MAPPED


@pytest.mark.long
def test_a_retry_deletes_what_the_first_try_pushed_and_nothing_else(real):
    assert real.wait("real_retried") == "success"
    first = real.pushed("real_retried", "flaky", 1)
    second = real.pushed("real_retried", "flaky", 2)
    assert (len(first), len(second)) == (2, 3)
    visible = real.objects("real_retried", "flaky")
    assert not first & visible
    [nested] = [uri for uri in second if "/nested-" in uri]
    leaves = {uri for uri in visible if uri.startswith(nested.rpartition(".json")[0] + "/")}
    assert visible == second | leaves
    assert len(leaves) == 1
    keys = {key for task, _, key in real.rows("real_retried") if task == "flaky"}
    assert keys == {"nested", "only_2", "return_value"}
    [bystander] = real.pushed("real_retried", "bystander", 1)
    assert real.objects("real_retried", "bystander") == {bystander}


@pytest.mark.long
def test_a_value_pushed_before_a_deferral_is_there_after_it(real):
    assert real.wait("real_deferred") == "success"
    rows = real.rows("real_deferred")
    uris = {row["uri"] for row in rows.values()}
    assert {key for _, _, key in rows} == {"before", "return_value"}
    assert uris < real.objects("real_deferred")
    assert len(real.objects("real_deferred")) == 3  # a frame is a leaf of the dict
    assert "Deleted s3://" not in real.log("real_deferred", "deferred")


@pytest.mark.long
def test_a_cleared_task_replaces_its_objects(real):
    assert real.wait("real_cleared") == "success"
    before = real.objects("real_cleared")
    assert real.clear("real_cleared", "source", "reader") == "success"
    after = real.objects("real_cleared")
    assert (len(before), len(after)) == (1, 1)
    assert before != after
    assert after == {real.rows("real_cleared")["source", -1, "return_value"]["uri"]}


@pytest.mark.long
def test_a_reference_of_another_dag_is_neither_read_nor_deleted(real):
    foreign = real.rows("real_retried")["bystander", -1, "return_value"]
    own = real.rows("real_cleared")["source", -1, "return_value"]
    entries = f"{real.path('real_cleared')}/taskInstances/source/xcomEntries"
    with pytest.raises(DevError, match=r"answered 4\d\d"):
        real.api.call("PATCH", f"{entries}/return_value", {"value": foreign})
    with pytest.raises(DevError, match=r"answered 4\d\d"):
        real.api.call("POST", entries, {"key": "new", "value": foreign})
    assert real.rows("real_cleared")["source", -1, "return_value"] == own

    real.write_row("real_cleared", "source", "return_value", foreign)
    assert real.clear("real_cleared", "reader") == "failed"
    log = real.log("real_cleared", "reader")
    assert "AccessDenied" in log
    assert "is not an object of" in log
    assert real.clear("real_cleared", "source", "reader") == "success"
    assert "Left the object of XCom" in real.log("real_cleared", "source")
    assert foreign["uri"] in real.objects("real_retried")
    new = real.rows("real_cleared")["source", -1, "return_value"]["uri"]
    assert real.objects("real_cleared") == {own["uri"], new}  # the first is an orphan now


@pytest.mark.long
def test_a_deleted_run_leaves_its_objects(real):
    """Airflow tells a backend nothing of it: orphans, for a sweep."""
    before = real.objects("real_mapped")
    real.delete_run("real_mapped")
    assert real.api.runs("real_mapped") == []
    assert real.objects("real_mapped") == before
    assert len(before) == MAPPED


@pytest.mark.long
def test_offload_is_switched_off_in_a_running_deployment(real):
    real.restart_scheduler(AIRFLOW__XCOM_STORE__OFFLOAD="False")
    before = real.objects("real_cleared")
    old = real.rows("real_cleared")["source", -1, "return_value"]["uri"]
    assert real.clear("real_cleared", "reader") == "success"  # an old value
    assert real.objects("real_cleared") == before
    assert real.run("real_inline") == "success"
    assert real.rows("real_inline")["plain", -1, "return_value"] == {"numbers": list(range(500))}
    assert real.objects("real_inline") == set()
    # A frame has nowhere to go.
    assert real.clear("real_cleared", "source", "reader") == "failed"
    log = real.log("real_cleared", "source")
    assert "ValueNotStorable" in log
    assert "[xcom_store] offload is False" in log
    # And on again.
    real.restart_scheduler()
    assert real.clear("real_cleared", "source", "reader") == "success"
    new = real.rows("real_cleared")["source", -1, "return_value"]["uri"]
    assert real.objects("real_cleared") == before - {old} | {new}
