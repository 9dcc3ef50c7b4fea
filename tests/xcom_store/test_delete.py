"""What a new try replaces is deleted: exactly that. Deleting never fails a task."""

from __future__ import annotations

import uuid

import pytest

pytest.importorskip("pandas")
pytest.importorskip("obstore")
import pandas as pd

from tests.xcom_store.conftest import DAG, RUN, TASK

ROWS = ["x" * 1_100]
WHERE = {"dag_id": DAG, "run_id": RUN, "task_id": TASK}
NEIGHBOURS = [
    {"key": "return_value2"},
    {"key": "return_value-" + "0" * 32},
    {"map_index": 0},
    {"task_id": TASK + "2"},
    {"run_id": RUN + "2"},
    {"dag_id": DAG + "2"},
]


def result(value, key="return_value"):
    from airflow.sdk.execution_time.comms import XComResult

    return XComResult(key=key, value=value)


@pytest.mark.parametrize("value", [
    ROWS, {"a": pd.DataFrame({"a": [1]}), "b": [b"x" * 70_000]}, pd.DataFrame({"a": [1]}),
], ids=["json", "leaves", "frame"])  # fmt: skip
def test_its_objects_go_with_the_row_and_no_others(xcom, value):
    for neighbour in NEIGHBOURS:
        xcom.push(value, **neighbour)
    kept = xcom.s3.keys()
    xcom.push(value)
    xcom.delete()
    assert xcom.s3.keys() == kept
    assert (DAG, RUN, TASK, -1, "return_value") not in xcom.rows
    for neighbour in NEIGHBOURS:
        assert xcom.pull(**neighbour) is not None


def test_no_row_refers_to_what_is_gone_though_airflow_cannot_be_reached(xcom, supervisor):
    def fail(_message):
        raise ConnectionError

    xcom.push(ROWS)
    supervisor.answers["DeleteXCom"] = fail
    with pytest.raises(ConnectionError):
        xcom.delete()
    assert xcom.pull() == ROWS


def test_a_retry_leaves_only_its_own(xcom):
    xcom.push(ROWS)
    xcom.delete()
    xcom.push({"again": ROWS})
    assert len(xcom.s3.keys()) == 1
    assert xcom.pull() == {"again": ROWS}


@pytest.mark.parametrize("value", [1, "s3://airflow-xcoms/x", (1, 2), None], ids=str)
def test_values_in_the_database_are_simply_deleted(xcom, value):
    xcom.push(value)
    xcom.delete()
    assert xcom.rows == {}


def test_nothing_to_delete_is_no_error(xcom):
    xcom.delete("never_pushed")


def test_an_object_that_is_gone_is_no_error(xcom):
    xcom.push(ROWS)
    xcom.s3.remove(xcom.s3.keys()[0])
    xcom.delete()
    assert xcom.rows == {}


def test_it_never_raises_though_s3_is_down(xcom, configure, caplog):
    xcom.push(ROWS)
    configure(connect_timeout=1, retry_timeout=1)
    xcom.s3.through(9)
    xcom.delete()
    assert xcom.rows == {}
    assert "behind" in caplog.text
    assert len(xcom.s3.keys()) == 1


@pytest.mark.parametrize("change", [
    {"uri": "s3://other/x"}, {"uri": 5}, {"leaves": "all"}, {"__id__": "xcom_store/2"}, {"more": 1},
])  # fmt: skip
def test_it_never_raises_though_the_row_was_edited(xcom, supervisor, change):
    supervisor.put({**xcom.push(ROWS), **change}, key="return_value", **WHERE)
    xcom.delete()
    assert xcom.rows == {}
    assert len(xcom.s3.keys()) == 1


@pytest.mark.parametrize("neighbour", NEIGHBOURS, ids=lambda part: "".join(part))
def test_a_copied_reference_deletes_nothing_of_its_origin(xcom, supervisor, neighbour):
    record = xcom.push({"a": pd.DataFrame({"a": [1]})}, **neighbour)
    kept = xcom.s3.keys()
    supervisor.put(record, key="return_value", **WHERE)
    xcom.delete()
    assert xcom.s3.keys() == kept


def test_forged_leaves_delete_nothing_of_another(xcom, supervisor):
    """`leaves` makes everything under the reference's own stem go; the stem must be its own."""
    record = xcom.push(ROWS)
    stem = record["uri"].removesuffix(".json")
    for number in range(3):
        other = f"{stem[:-32]}{uuid.uuid4().hex}/{number}.bin".removeprefix(f"{xcom.s3.url}/")
        xcom.s3.write(other, b"x")
    supervisor.put({**record, "leaves": 9}, key="return_value", **WHERE)
    xcom.delete()
    assert len(xcom.s3.keys()) == 3


def test_a_purge_of_nobodys_value_deletes_nothing(xcom, caplog):
    record = xcom.push(ROWS)
    xcom.backend.purge(result(record))
    assert len(xcom.s3.keys()) == 1
    assert "unknown whose it is" in caplog.text


def test_a_purge_remembers_no_earlier_delete(xcom):
    xcom.push(ROWS, key="other")
    xcom.delete("other")
    xcom.backend.purge(result(xcom.push(ROWS)))
    assert len(xcom.s3.keys()) == 1
