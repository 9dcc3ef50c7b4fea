"""Records that somebody else has written: never followed to what is not the task's own.

A row can be written by a task (a dict that looks like a record), through the REST API, by a trigger
and by hand. What it may reach is the objects of the task instance and key that was asked for.
"""

from __future__ import annotations

import json

import pytest

pytest.importorskip("pandas")
pytest.importorskip("obstore")
import pandas as pd

from include.xcom_store.errors import AccessDenied, ObjectCorrupt, ValueNotStorable, XComStoreError
from tests.xcom_store.conftest import DAG, RUN, TASK

ROWS = ["x" * 1_100]
WHERE = {"dag_id": DAG, "run_id": RUN, "task_id": TASK}
MINE = {"key": "return_value", **WHERE}
RECORD = {"__id__": "xcom_store/1", "uri": "s3://airflow-xcoms/xcom/x.json", "codec": "python-json", "bytes": 1,
          "sha256": "0" * 64, "type": "dict", "summary": "", "leaves": 0, "written_by": {}}  # fmt: skip


class Smuggler:
    """Gets what it likes past serde, which takes a `serialize` method at its word."""

    __version__ = 1

    def __init__(self, content):
        self.content = content

    def serialize(self):
        return self.content

    @staticmethod
    def deserialize(data, _version):
        return Smuggler(data)


class Liar(dict):
    """A dict by another name."""


class TestPushedByATask:
    @pytest.mark.parametrize("wrap", [
        lambda d: d, lambda d: [d], lambda d: {"a": {"b": d}}, lambda d: (d,), lambda d: {1: d},
        lambda d: [pd.DataFrame({"a": [1]}), d], lambda d: pd.DataFrame({"a": [d]}),
        lambda d: Liar(d), lambda d: Smuggler(d), lambda d: Smuggler([d]), lambda d: [Smuggler([d])],
        lambda d: Smuggler({"__classname__": "builtins.dict", "__data__": d}),
    ], ids=[
        "bare", "list", "dict", "tuple", "key 1", "beside a frame", "frame", "Liar", "Smuggler",
        "Smuggler of a list", "list of a Smuggler", "Smuggler of a class",
    ])  # fmt: skip
    @pytest.mark.parametrize("record", [
        RECORD, {"__id__": "xcom_store/2"}, {"__id__": "xcom_store/1", "inline": "[]"}, {"__id__": "xcom_store/"},
    ], ids=str)  # fmt: skip
    @pytest.mark.parametrize("options", [{}, {"threshold": 0}, {"offload": False}], ids=str)
    def test_a_forged_record_is_refused(self, xcom, configure, wrap, record, options):
        configure(**options)
        with pytest.raises(ValueNotStorable):
            xcom.push(wrap(record))
        assert xcom.rows == {}
        assert xcom.s3.keys() == []

    @pytest.mark.parametrize("value", [
        json.dumps(RECORD), "xcom_store/1", RECORD["uri"], {"id": "xcom_store/1"}, {"xcom_store/1": "__id__"},
        {"__id__": "s3_xco"}, {"$xcom": ["leaf", 0, {}]}, {"$xcom": ["serde", {}]},
        {"__classname__": "builtins.tuple", "__version__": 1, "__data__": [RECORD["uri"]]},
    ], ids=str)  # fmt: skip
    @pytest.mark.parametrize("threshold", [0, 10_000])
    def test_what_only_looks_like_one_is_data(self, xcom, configure, value, threshold):
        configure(threshold=threshold)
        xcom.push(value)
        assert xcom.pull() == value


def forge(xcom, supervisor, **fields):
    """Put into the task's row a record of its own value, with other fields."""
    record = {**xcom.push(ROWS), **fields}
    supervisor.put(record, **MINE)
    return record


class TestWrittenIntoTheRow:
    @pytest.mark.parametrize("other", [
        {"dag_id": "other"}, {"run_id": "other"}, {"task_id": "other"}, {"map_index": 3}, {"key": "other"},
    ], ids=str)  # fmt: skip
    def test_a_genuine_reference_of_another_is_neither_read_nor_deleted(
        self, xcom, supervisor, other
    ):
        record = xcom.push({"a": pd.DataFrame({"a": [1]}), "b": 1}, **other)
        kept = xcom.s3.keys()
        supervisor.put(record, **MINE)
        with pytest.raises(AccessDenied):
            xcom.pull()
        xcom.delete()
        assert xcom.s3.keys() == kept

    @pytest.mark.parametrize("edit", [
        lambda uri: uri.replace("://", "a://"),
        lambda uri: f"file{uri[uri.index(':') :]}",
        lambda uri: uri.replace("/xcom-", "2/xcom-"),
        lambda uri: uri.replace("/xcom-", "/xcom/../xcom-"),
        lambda uri: uri.replace("task_id=load", "task_id=x/../task_id=load"),
        lambda uri: uri.replace("task_id=load", "task_id=%2e%2e"),
        lambda uri: uri.replace("task_id=load", "task_id=%6coad"),
        lambda uri: uri.replace("return_value-", "%72eturn_value-"),
        lambda uri: uri + "?versionId=1",
        lambda uri: uri.replace(".json", "/../x.json"),
    ])  # fmt: skip
    def test_a_path_trick_is_neither_read_nor_deleted(self, xcom, supervisor, edit):
        uri = xcom.push(ROWS)["uri"]
        assert edit(uri) != uri
        forge(xcom, supervisor, uri=edit(uri))
        kept = xcom.s3.keys()
        with pytest.raises(AccessDenied):
            xcom.pull()
        xcom.delete()
        assert xcom.s3.keys() == kept

    @pytest.mark.parametrize("fields", [
        {"sha256": "0" * 64}, {"bytes": 3}, {"bytes": 10**15}, {"codec": "pandas-parquet"}, {"codec": "numpy-npy"},
        {"codec": "pyarrow-ipc"}, {"codec": "pickle"}, {"unknown": 1}, {"__id__": "xcom_store/2"},
        {"leaves": "x"}, {"uri": None},
    ], ids=str)  # fmt: skip
    def test_another_field_is_a_typed_error(self, xcom, supervisor, fields):
        forge(xcom, supervisor, **fields)
        with pytest.raises(ObjectCorrupt):
            xcom.pull()

    def test_another_type_cannot_make_it_another_value(self, xcom, supervisor):
        forge(xcom, supervisor, type="os.system")
        assert xcom.pull() == ROWS


HOSTILE = {
    "no JSON": "{",
    "deep": "[" * 100_000 + "]" * 100_000,
    "an unknown tag": '{"$xcom": ["nope", 1]}',
    "no list": '{"$xcom": 1}',
    "empty": '{"$xcom": []}',
    "a leaf": '{"$xcom": ["leaf", 0]}',
    "leaves": '{"$xcom": ["leaves", [{"uri": "0.bin"}], {"$xcom": ["leaf", 0]}]}',
    "an unhashable key": '{"$xcom": ["dict", [[[], 1]]]}',
    "a zone that is a path": '{"$xcom": ["zoneinfo", "../../etc/passwd"]}',
    "an object array": '{"$xcom": ["numpy", "O", "AAAAAAAAAAA="]}',
    "too few bytes": '{"$xcom": ["numpy", "<i8", "AA=="]}',
    "an absurd dtype": '{"$xcom": ["numpy", "V9999999999999", ""]}',
    "a tag that is none any more": '{"$xcom": ["serde", "{}"]}',
    "a class of Airflow's serializer": '{"$xcom": ["airflow", "os.system", 1, "x"]}',
    "a class that it may read": '{"$xcom": ["airflow", "decimal.Decimal", 1, "1"]}',
    "a list for text": '{"$xcom": ["decimal", ["x"]]}',
    "a Decimal that is none": '{"$xcom": ["decimal", "x"]}',
    "no date": '{"$xcom": ["date", "x"]}',
    "too many fields": '{"$xcom": ["uuid", "x", "y", "z"]}',
    "a timedelta beyond all": '{"$xcom": ["timedelta", 1e308, 0, 0]}',
    "a zone that is no zone": '{"$xcom": ["datetime", "2026-01-01", 0, 5]}',
    "a pandas zone": '{"$xcom": ["pandas_timestamp", 1, "s", "nowhere"]}',
    "a pandas unit": '{"$xcom": ["pandas_timestamp", 1, "x", null]}',
    "a pendulum zone": '{"$xcom": ["pendulum_zone", "nowhere"]}',
    "no class of that name": '{"$xcom": ["enum", "airflow.sdk.Nothing", "x"]}',
    "no module of that name": '{"$xcom": ["enum", "airflow.nothing.Nothing", "x"]}',
    "a class that is not allowed": '{"$xcom": ["enum", "os.O_RDONLY", "x"]}',
    "a class that is no enum": '{"$xcom": ["enum", "airflow.sdk.DAG", "x"]}',
    "a member that is gone": '{"$xcom": ["enum", "airflow.sdk.TriggerRule", "NEVER_WAS"]}',
    "a class that is no tuple": '{"$xcom": ["namedtuple", "airflow.sdk.DAG", [1]]}',
    "a field that it does not have": '{"$xcom": ["namedtuple", "tests.xcom_store.cases.Point", {"x": 1, "y": 2, "z": 3}]}',
    "a field too few": '{"$xcom": ["namedtuple", "tests.xcom_store.cases.Point", {"x": 1}]}',
    "fields without names": '{"$xcom": ["namedtuple", "tests.xcom_store.cases.Point", [1, 2]]}',
    "a name that is none": '{"$xcom": ["namedtuple", 5, {}]}',
    "a generic of what is none": '{"$xcom": ["dataclass", ["tests.xcom_store.cases.Trip", ["builtins.int"]], {}]}',
    "a generic of a class that is not allowed": '{"$xcom": ["pydantic", ["tests.xcom_store.classes.Page", ["os._Environ"]], {}, {"__pydantic_fields_set__": []}]}',
    "a builtin": '{"$xcom": ["dataclass", "builtins.list", {}]}',
    "a class that a module has imported": '{"$xcom": ["dataclass", "tests.xcom_store.classes.Decimal", {}]}',
    "a function": '{"$xcom": ["dataclass", "tests.xcom_store.cases.frame", {}]}',
    "a class of another kind": '{"$xcom": ["attrs", "tests.xcom_store.cases.Trip", {"miles": 1, "tags": []}]}',
    "a dataclass with a field that it does not have": '{"$xcom": ["dataclass", "tests.xcom_store.cases.Trip", {"miles": 1, "tags": [], "x": 1}]}',
    "a dataclass without a field": '{"$xcom": ["dataclass", "tests.xcom_store.cases.Trip", {"miles": 1}]}',
    "a dataclass with no more fields": '{"$xcom": ["dataclass", "tests.xcom_store.cases.Trip", {"miles": 1, "tags": []}, 5]}',
    "a dataclass made of what it does not take": '{"$xcom": ["dataclass", "tests.xcom_store.cases.Trip", {"miles": 1, "tags": [], "self": 2}, {}, "init"]}',
    "an attribute that slots have no place for": '{"$xcom": ["attrs", "tests.xcom_store.cases.Zone", {"name": "x"}, {"other": 1}]}',
    "a model with a field that it does not have": '{"$xcom": ["pydantic", "tests.xcom_store.cases.Fare", {"dollars": 1}, {"__pydantic_fields_set__": []}]}',
    "a model without a field": '{"$xcom": ["pydantic", "tests.xcom_store.cases.Fare", {}, {"__pydantic_fields_set__": []}]}',
    "a model that is none": '{"$xcom": ["pydantic", "tests.xcom_store.cases.Trip", {"miles": 1, "tags": []}, {"__pydantic_fields_set__": []}]}',
    "a model that is not valid": '{"$xcom": ["pydantic", "tests.xcom_store.cases.Fare", {"cents": "x"}, ["cents"], "model_dump"]}',
    "a model that does not say which fields were set": '{"$xcom": ["pydantic", "tests.xcom_store.cases.Fare", {"cents": 1}]}',
    "a private attribute that it does not have": '{"$xcom": ["pydantic", "tests.xcom_store.cases.Fare", {"cents": 1, "_x": 1}, {"__pydantic_fields_set__": []}]}',
    "an object without deserialize": '{"$xcom": ["serialize", "tests.xcom_store.cases.Trip", 0, {}]}',
    "a URL that is none": '{"$xcom": ["pydantic_url", "AnyUrl", "x"]}',
    "a URL of another type": '{"$xcom": ["pydantic_url", "validate_email", "a@b.c"]}',
    "a flag for an enum": '{"$xcom": ["enum", "tests.xcom_store.cases.Color", 1]}',
    "a member that is a list": '{"$xcom": ["enum", "tests.xcom_store.cases.Color", ["RED"]]}',
    "what the push has warned of": '{"$xcom": ["unreadable", "x", "y"]}',
    "an unknown missing": '{"$xcom": ["pandas_NaT", "x"]}',
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_inline_document_is_a_typed_error(xcom, supervisor, name):
    supervisor.put(
        {"__id__": "xcom_store/1", "type": "x", "summary": "", "inline": HOSTILE[name]}, **MINE
    )
    with pytest.raises(XComStoreError):
        xcom.pull()


@pytest.mark.parametrize("inline", [5, None, [1], {"__id__": "xcom_store/1"}])
def test_an_inline_record_whose_text_is_none(xcom, supervisor, inline):
    supervisor.put({"__id__": "xcom_store/1", "inline": inline}, **MINE)
    with pytest.raises(ObjectCorrupt):
        xcom.pull()


def test_an_inline_record_is_no_reference_as_well(xcom, supervisor):
    supervisor.put({**xcom.push(ROWS), "inline": '"other"'}, **MINE)
    with pytest.raises(ObjectCorrupt):
        xcom.pull()
