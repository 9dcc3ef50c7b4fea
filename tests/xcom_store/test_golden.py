"""What was written in format 1 is read as it was, for ever. See the `golden` package."""

from __future__ import annotations

import hashlib
import json

import pytest

pytest.importorskip("pandas")
pytest.importorskip("polars")
pytest.importorskip("pyarrow")
from include.xcom_store import codecs, keys, values
from include.xcom_store.codecs import json_text
from tests.xcom_store.golden.make import HERE, SUMS, VALUES, file_name
from tests.xcom_store.identical import assert_identical
from tests.xcom_store.memory import OWNER, MemoryStore


def record_of(name):
    return json.loads((HERE / name / "record.json").read_text())


@pytest.mark.parametrize("name", VALUES)
def test_it_is_read_as_it_was_written(name):
    record, store = record_of(name), MemoryStore()
    if "uri" in record:
        own = store.find(record["uri"])[1]
        store.objects[own] = (HERE / name / file_name(record, own)).read_bytes()
        for leaf in (HERE / name).glob("leaves/*"):
            store.objects[f"{keys.stem(own)}/{leaf.name}"] = leaf.read_bytes()
    value = values.pull(record, OWNER, store)
    if name == "great_expectations":
        expected = {"success": True, "suite_name": "taxi.demo"}
        assert {field: value[field] for field in expected} == expected
        assert value["results"][0]["expectation_config"]["kwargs"] == {"column": "vendor_id"}
        assert value["statistics"]["success_percent"] == 100.0
    else:
        assert_identical(VALUES[name](), value)


def test_every_codec_has_one():
    assert {record_of(name).get("codec") for name in VALUES} == {
        *codecs.CODECS,
        json_text.NAME,
        None,
    }


def test_they_are_the_files_that_were_released():
    """If this fails, a released file was changed. Put it back: what it broke is the backend."""
    for name, released in json.loads(SUMS.read_text()).items():
        assert hashlib.sha256((HERE / name).read_bytes()).hexdigest() == released, name
