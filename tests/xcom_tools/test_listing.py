"""What a key says, and which objects are whose: compared as they are encoded, never decoded."""

from __future__ import annotations

import pytest

pytest.importorskip("hypothesis")
pytest.importorskip("obstore")
from hypothesis import given
from hypothesis import strategies as st

from include.xcom_store import settings
from include.xcom_store.keys import Owner, new_stem
from include.xcom_tools.listing import Bucket, parse

UNIQUE = "0f8c2b1d4e5a69780f8c2b1d4e5a6978"
names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=250)
owners = st.builds(Owner, names, names, names, st.integers(-1, 10**6), names)


@given(owners, owners, st.sampled_from([".json", ".json.zst", "/0.parquet", "/12.npy"]))
def test_a_key_says_whose_it_is(owner, other, end):
    stem = new_stem("a/b", owner)
    place = parse("a/b", stem + end)
    assert place.stem == stem
    assert place.directory == stem.rpartition("/")[0]
    assert place.leaf == (int(end[1:].split(".")[0]) if end.startswith("/") else None)
    assert place.belongs_to(owner)
    assert place.belongs_to(owner._replace(run_id=None, key=None))
    assert place.belongs_to(other) is (other == owner)


@pytest.mark.parametrize(
    "key",
    [
        "xcom2/dag_id=d/run_id=r/task_id=t/map_index=-1/k-UNIQUE.json",
        "xcom/dag_id=d/run_id=r/task_id=t/map_index=-1/k.json",
        "xcom/dag_id=d/run_id=r/task_id=t/map_index=-1/k-UNIQUE",
        "xcom/dag_id=d/run_id=r/task_id=t/map_index=-1/k-UNIQUE/leaf.json",
        "xcom/dag_id=d/run_id=r/task_id=t/map_index=-1/k-UNIQUE/1/2.json",
        "xcom/dag_id=d/run_id=r/task_id=t/k-UNIQUE.json",
        "xcom/xcom/dag_id=d/run_id=r/task_id=t/map_index=-1/k-UNIQUE.json",
        "dag_id=d/run_id=r/task_id=t/map_index=-1/k-UNIQUE.json",
    ],
)
def test_what_is_not_ours(key):
    assert parse("xcom", key.replace("UNIQUE", UNIQUE)) is None


def test_a_dag_whose_name_another_begins_with(xcom):
    xcom.push("x" * 300, dag_id="trips")
    xcom.push("x" * 300, dag_id="trips2")
    bucket = Bucket(settings.load())
    (found,) = bucket.objects(Owner("trips", None))
    assert found.place.dag_id == "trips"


def test_identifiers_that_are_cut(xcom):
    for end in "ab":
        xcom.push("x" * 300, task_id="t" * 240 + end)
    bucket = Bucket(settings.load())
    (found,) = bucket.objects(Owner("trips", None, "t" * 240 + "b"))
    assert "!" in found.place.shown()["task_id"]


def test_going_on_behind_a_key(xcom, s3):
    for index in range(5):
        xcom.push("x" * 300, map_index=index)
    bucket = Bucket(settings.load())
    keys = [found.key for found in bucket.objects()]
    assert keys == s3.keys()
    assert [found.key for found in bucket.objects(after=keys[2])] == keys[3:]
