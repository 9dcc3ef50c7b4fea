"""What a key says, and which objects are whose: compared as they are encoded, never decoded."""

from __future__ import annotations

import pytest

pytest.importorskip("hypothesis")
pytest.importorskip("obstore")
from hypothesis import given
from hypothesis import strategies as st

from include.xcom_store.keys import Owner, new_stem
from include.xcom_tools.listing import objects, parse

UNIQUE = "0f8c2b1d4e5a69780f8c2b1d4e5a6978"
TEXT = "x" * 2_000  # goes to the store
names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=250)
owners = st.builds(Owner, names, names, names, st.integers(-1, 10**6), names)


@given(owners, owners, st.sampled_from([".json", ".json.zst", "/0.parquet", "/12.npy"]))
def test_a_key_says_whose_it_is(owner, other, end):
    stem = new_stem(owner)
    place = parse(stem + end)
    assert place.stem == stem
    assert place.directory == stem.rpartition("/")[0]
    assert place.leaf == (int(end[1:].split(".")[0]) if end.startswith("/") else None)
    assert place.belongs_to(owner)
    assert place.belongs_to(owner._replace(run_id=None, key=None))
    assert place.belongs_to(other) is (other == owner)


@pytest.mark.parametrize(
    "key",
    [
        "dag_id=d/run_id=r/task_id=t/map_index=-1/k.json",
        "dag_id=d/run_id=r/task_id=t/map_index=-1/k-UNIQUE",
        "dag_id=d/run_id=r/task_id=t/map_index=-1/k-UNIQUE/leaf.json",
        "dag_id=d/run_id=r/task_id=t/map_index=-1/k-UNIQUE/1/2.json",
        "dag_id=d/run_id=r/task_id=t/k-UNIQUE.json",
        "team/dag_id=d/run_id=r/task_id=t/map_index=-1/k-UNIQUE.json",
        "/dag_id=d/run_id=r/task_id=t/map_index=-1/k-UNIQUE.json",
    ],
)
def test_what_is_not_ours(key):
    assert parse(key.replace("UNIQUE", UNIQUE)) is None


def test_a_dag_whose_name_another_begins_with(xcom, store):
    xcom.push(TEXT, dag_id="trips")
    xcom.push(TEXT, dag_id="trips2")
    (found,) = objects(store(), Owner("trips", None))
    assert found.place.dag_id == "trips"


def test_identifiers_that_are_cut(xcom, store):
    for end in "ab":
        xcom.push(TEXT, task_id="t" * 240 + end)
    (found,) = objects(store(), Owner("trips", None, "t" * 240 + "b"))
    assert "!" in found.place.shown()["task_id"]


def test_going_on_behind_a_key(xcom, s3, store):
    for index in range(5):
        xcom.push(TEXT, map_index=index)
    keys = [found.info.key for found in objects(store())]
    assert keys == s3.keys()
    assert [found.info.key for found in objects(store(), after=keys[2])] == keys[3:]


def test_a_prefix_that_another_begins_with(xcom, s3, store, configure):
    xcom.push(TEXT)
    configure(url=f"{s3.url}2")
    xcom.push(TEXT, dag_id="of the other")
    configure(url=s3.url)
    (found,) = objects(store())
    assert found.place.dag_id == "trips"
