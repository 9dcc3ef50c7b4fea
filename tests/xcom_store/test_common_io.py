"""Rows that Airflow's common-io backend has left, and its objects."""

from __future__ import annotations

import importlib
import json
import sys
from datetime import date
from types import SimpleNamespace

import pytest

pytest.importorskip("obstore")
pytest.importorskip("airflow.providers.common.io", reason="an optional provider of Airflow")
from include.xcom_store.errors import ObjectMissing, ValueNotStorable
from include.xcom_store.stores import common_io
from tests.xcom_store.conftest import DAG, RUN, TASK

WHERE = {"dag_id": DAG, "run_id": RUN, "task_id": TASK}
SETTING = "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH"
MODULE = "airflow.providers.common.io.xcom.backend"
VALUES = {
    "rows": [{"trip": number} for number in range(100)],
    "tuple": (1, "a"),
    "date": date(2026, 11, 22),
    "text": "x" * 2_000,
    "null": None,
}


@pytest.fixture
def before(xcom, supervisor, monkeypatch, tmp_path):
    """A deployment that has stored values by common-io, below `folder`."""
    folder = tmp_path / "xcom"

    def set_path(path):
        if path is None:
            monkeypatch.delenv(SETTING)
        else:
            monkeypatch.setenv(SETTING, str(path))
        monkeypatch.delitem(sys.modules, MODULE, raising=False)  # it keeps its settings
        common_io.base_path.cache_clear()

    def backend():
        return importlib.import_module(MODULE).XComObjectStorageBackend

    def push(value, key="return_value", **more):
        backend().set(key, value, **{**WHERE, **more})
        return supervisor.value(key=key, **{**WHERE, **more})

    monkeypatch.setenv("AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_THRESHOLD", "1")
    set_path(f"file://{folder}")
    return SimpleNamespace(
        folder=folder,
        set_path=set_path,
        backend=backend,
        push=push,
        files=lambda: sorted(path for path in folder.rglob("*") if path.is_file()),
    )


@pytest.mark.parametrize("name", VALUES)
def test_its_values_are_read(xcom, before, name):
    row = before.push(VALUES[name], key=name)
    assert row.startswith(f"file://{before.folder}/{DAG}/")
    assert xcom.pull(name) == VALUES[name]
    assert xcom.backend.get_all(key=name, **WHERE) == [VALUES[name]]


def test_with_a_slash_at_the_end_of_the_setting(xcom, before):
    before.push([1, 2])
    before.set_path(f"file://{before.folder}/")
    assert xcom.pull() == [1, 2]


def test_without_the_setting_a_string_is_a_string(xcom, before):
    row = before.push([1, 2])
    before.set_path(None)
    assert xcom.pull() == row


@pytest.mark.parametrize("damage", ["gone", "not JSON"])
def test_an_object_that_is_missing_is_an_error_and_no_path(xcom, before, damage):
    row = before.push([1, 2])
    [file] = before.files()
    if damage == "gone":
        file.unlink()
    else:
        file.write_text("{")
    with pytest.raises(ObjectMissing) as error:
        xcom.pull()
    for part in (row, f"dag_id={DAG}", "[common.io] xcom_objectstorage_path"):
        assert part in str(error.value)


def test_a_file_system_that_is_missing_here_is_an_error_and_no_path(xcom, before, supervisor):
    before.set_path("nope://bucket/xcom")
    supervisor.put("nope://bucket/xcom/a.json", key="return_value", **WHERE)
    with pytest.raises(ObjectMissing, match="is the provider of its file system installed"):
        xcom.pull()


@pytest.mark.parametrize(
    "text", ["file://{}", "file:{}/a.json", "file://{}/../a", "file://{}/" + "x" * 2_000]
)
def test_a_string_like_its_paths_that_is_pushed_stays_a_string(xcom, before, text):
    text = text.format(before.folder)
    assert xcom.push(text)["__id__"] == "xcom_store/1"
    assert xcom.pull() == text


@pytest.mark.parametrize("text", ["a: b", "file:///elsewhere/a", "s3://bucket/a", "nope://x", ":"])
def test_other_strings_stay_in_the_database(xcom, before, text):
    assert xcom.push(text) == text
    assert xcom.pull() == text


def test_where_all_goes_to_the_database_such_a_string_is_refused(xcom, before, configure):
    configure(offload=False)
    with pytest.raises(ValueNotStorable, match="common-io"):
        xcom.push(f"file://{before.folder}/a")


def test_a_retry_deletes_its_object(xcom, before):
    before.push([1, 2])
    before.push([3], task_id="other")
    assert len(before.files()) == 2
    xcom.delete()
    [file] = before.files()
    assert json.loads(file.read_text()) == [3]
    assert xcom.pull() is None


@pytest.mark.parametrize("path", ["{other}", "{folder}/trips/{run}/load/../other/x.json"])
def test_a_retry_deletes_nothing_of_another_task(xcom, before, supervisor, caplog, path):
    other = before.push([3], task_id="other")
    path = path.format(other=other, folder=f"file://{before.folder}", run=RUN)
    supervisor.put(path, key="return_value", **WHERE)
    xcom.delete()
    assert len(before.files()) == 1
    assert "Left the object of XCom" in caplog.text
    assert (DAG, RUN, TASK, -1, "return_value") not in xcom.rows


def test_a_retry_goes_on_where_its_object_is_gone(xcom, before, caplog):
    before.push([1, 2])
    before.files()[0].unlink()
    xcom.delete()
    assert "Left the object" not in caplog.text


def test_common_io_reads_on_after_the_way_back(xcom, before, configure):
    """What was pushed while this backend was set, with nothing sent to the store."""
    configure(offload=False)
    for name, value in VALUES.items():
        xcom.push(value, key=name)
        found = before.backend().get_one(key=name, **WHERE)
        assert found == value
