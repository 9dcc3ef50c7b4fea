"""What the database holds for an offloaded value, and how strictly it is read."""

from __future__ import annotations

import json

import pytest

from include.xcom_store import keys
from include.xcom_store.errors import AccessDenied, ConfigurationError, ObjectCorrupt
from include.xcom_store.keys import Owner
from include.xcom_store.record import (
    Reference,
    StoredObject,
    inline_record,
    inline_text,
    is_record,
)
from include.xcom_store.settings import Settings
from include.xcom_store.stores.base import Store

OWNER = Owner("trips", "manual__1", "load", -1, "return_value")
KEY = keys.new_stem(OWNER) + ".json"
STORE = Store(Settings(url="s3://bucket/xcom"))


def reference(summary="1 keys", leaves=0, written_by=None, **fields):
    known = {
        "uri": f"s3://bucket/xcom/{KEY}", "codec": "python-json", "type": "dict", "bytes": 9,
        "sha256": "0" * 64,
    }  # fmt: skip
    versions = {"pandas": "3.1.1"} if written_by is None else written_by
    return Reference(StoredObject(**{**known, **fields}), summary, leaves, versions)


def test_the_record_is_format_1():
    assert reference().to_record() == {
        "__id__": "xcom_store/1",
        "uri": f"s3://bucket/xcom/{KEY}",
        "codec": "python-json",
        "type": "dict",
        "bytes": 9,
        "sha256": "0" * 64,
        "summary": "1 keys",
        "leaves": 0,
        "written_by": {"pandas": "3.1.1"},
    }


def test_it_is_read_as_it_was_written():
    record = json.loads(json.dumps(reference().to_record()))
    assert Reference.from_record(record) == reference()


@pytest.mark.parametrize("letter", ["x", "ü", "🚕", "\0"], ids=["x", "ü", "taxi", "NUL"])
def test_it_stays_under_2_KB(letter):
    """With all identifiers as long as they may be, and 2,000 columns."""
    pd = pytest.importorskip("pandas")
    from include.xcom_store.codecs import frames

    owner = Owner(letter * 250, letter * 250, letter * 250, 10_000, letter * 512)
    uri = f"s3://{'b' * 63}/{'p' * 150}/{keys.new_stem(owner)}.parquet"
    wide = pd.DataFrame([range(2_000)], columns=[letter * 20 + str(n) for n in range(2_000)])
    summary = frames.encode(wide, "zstd").summary
    versions = {"pandas": "3.1.1", "pyarrow": "26.0.1", "numpy": "2.4.1"}
    record = reference(uri=uri, codec="great_expectations-json", type="pandas.DataFrame",
                       bytes=10**13, summary=summary, leaves=10**6, written_by=versions)  # fmt: skip
    assert len(json.dumps(record.to_record(), ensure_ascii=False).encode()) <= 2_048


@pytest.mark.parametrize("change", [
    {"extra": 1}, {"inline2": ""}, {"uri": None}, {"uri": ["s3://bucket/"]}, {"codec": {}},
    {"bytes": -1}, {"bytes": "9"}, {"bytes": True}, {"bytes": 9.0}, {"sha256": "0" * 63},
    {"sha256": "G" * 64}, {"sha256": "0" * 64 + "\n"}, {"sha256": None}, {"type": 1},
    {"leaves": -1}, {"leaves": "1"}, {"leaves": None}, {"summary": 1}, {"written_by": []},
    {"bytes": 10**400},
])  # fmt: skip
def test_a_record_of_another_form_is_refused(change):
    with pytest.raises(ObjectCorrupt, match="not one this backend wrote"):
        Reference.from_record({**reference().to_record(), **change})


@pytest.mark.parametrize("name", ["uri", "codec", "bytes", "sha256", "type"])
def test_a_record_that_lacks_a_field_is_refused(name):
    record = reference().to_record()
    del record[name]
    with pytest.raises(ObjectCorrupt, match=name):
        Reference.from_record(record)


@pytest.mark.parametrize("mark", ["xcom_store/2", "xcom_store/", "xcom_store/1 ", "xcom_store/10"])
def test_another_format_says_so(mark):
    record = {**reference().to_record(), "__id__": mark}
    assert is_record(record)
    for read in (Reference.from_record, inline_text):
        with pytest.raises(ObjectCorrupt, match="newer version: deploy that version") as error:
            read(record)
        assert repr(mark) in str(error.value)


@pytest.mark.parametrize("value", [
    None, "xcom_store/1", ["xcom_store/1"], {}, {"__id__": None}, {"__id__": 1}, {"__id__": ["xcom_store/1"]},
    {"__id__": "s3_xco"}, {"__id__": "XCOM_STORE/1"}, {"id": "xcom_store/1"},
])  # fmt: skip
def test_what_carries_no_mark_is_no_record(value):
    assert not is_record(value)


def test_an_inline_record():
    record = inline_record('{"$xcom":["tuple",[1]]}', "tuple", "1 items")
    assert record == {
        "__id__": "xcom_store/1",
        "type": "tuple",
        "summary": "1 items",
        "inline": '{"$xcom":["tuple",[1]]}',
    }


def test_its_own_object_is_found():
    assert STORE.find(reference().stored.uri, OWNER) == (STORE, KEY)


@pytest.mark.parametrize("uri", [
    f"s3://other/xcom/{KEY}", f"s3://bucket2/xcom/{KEY}", f"s3://bucket//xcom/{KEY}",
    f"S3://bucket/xcom/{KEY}", f"s3a://bucket/xcom/{KEY}", f"https://bucket/xcom/{KEY}",
    f"file:///bucket/xcom/{KEY}", f"bucket/xcom/{KEY}", KEY, f"xcom/{KEY}",
    f"s3://user@bucket/xcom/{KEY}", f"s3://bucket/x/xcom/{KEY}", f"s3://bucket/xcom/../{KEY}",
    f"s3://bucket/xcom/x/{KEY}", f"s3://bucket/xcom//{KEY}", f"s3://bucket/{KEY}",
    f"s3://bucket/xcom2/{KEY}", f"s3://bucket/%78com/{KEY}", f"s3://bucket/xcom/{KEY}#",
    f"s3://bucket/xcom/{KEY}?x=1", f"s3://bucket/xcom/{KEY}\n", "s3://bucket/xcom/", "",
    f"s3://bucket/xcom/{KEY.replace('trips', '%2e%2e')}",
    f"s3://bucket/xcom/{KEY.replace('trips', '..')}",
])  # fmt: skip
def test_any_other_place_is_refused(uri):
    with pytest.raises(AccessDenied):
        STORE.find(uri, OWNER)


def test_without_a_bucket_nothing_is_followed():
    with pytest.raises(ConfigurationError, match="no store is set"):
        Store(Settings()).find(reference().stored.uri, OWNER)


class TestStoresThatWereUsedBefore:
    """`also_read`: a reference is followed in the store whose URL it begins with, the longest first."""

    NESTED = Store(Settings(url="s3://bucket/xcom", also_read="gs://old/a s3://bucket/xcom/older"))

    @pytest.mark.parametrize(("root", "where"), [
        ("s3://bucket/xcom", "s3://bucket/xcom/"), ("gs://old/a", "gs://old/a/"),
        ("s3://bucket/xcom/older", "s3://bucket/xcom/older/"),
    ])  # fmt: skip
    def test_the_longest(self, root, where):
        store, key = self.NESTED.find(f"{root}/{KEY}", OWNER)
        assert (store.uri(), key) == (where, KEY)

    @pytest.mark.parametrize("root", ["gs://old/ab", "gs://old", "az://old/a", "s3://old/a"])
    def test_nowhere_else(self, root):
        with pytest.raises(AccessDenied, match=r"gs://old/a/.*also_read"):
            self.NESTED.find(f"{root}/{KEY}", OWNER)

    def test_the_binding_is_the_same_in_each(self):
        with pytest.raises(AccessDenied, match="not an object of"):
            self.NESTED.find(f"gs://old/a/{KEY}", OWNER._replace(task_id="another"))

    def test_without_a_url_to_write_to(self):
        store = Store(Settings(also_read="gs://old/a"))
        assert store.find(f"gs://old/a/{KEY}", OWNER)[0].uri() == "gs://old/a/"
        with pytest.raises(ConfigurationError, match="no store is set"):
            store.uri()

    def test_one_that_cannot_be_read_is_named_at_once(self):
        with pytest.raises(ConfigurationError, match="AIRFLOW__XCOM_STORE__ALSO_READ"):
            Store(Settings(url="s3://bucket", also_read="gcs://old"))
