"""Where in the bucket a value lies, and whose it is."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest

from include.xcom_store import keys
from include.xcom_store.keys import Owner

OWNER = Owner("trips", "manual__2026-11-22T10:00:00+00:00", "load", -1, "return_value")
PARTS = ("dag_id", "run_id", "task_id", "key")
ODD = [
    "a/b",
    "..",
    ".",
    "a=b",
    "a b",
    "ü世🚕",
    "%2e%2e",
    "%",
    "a.b.parquet",
    "a-" + "0" * 32,
    "!",
    "*",
    "\\",
]


def test_the_layout():
    unique = "[0-9a-f]{32}"
    assert re.fullmatch(
        "dag_id=trips/run_id=manual__2026-11-22T10%3A00%3A00%2B00%3A00/task_id=load/"
        f"map_index=-1/return_value-{unique}",
        keys.new_stem(OWNER),
    )


def test_no_key_is_given_twice():
    assert len({keys.new_stem(OWNER) for _ in range(1_000)}) == 1_000


@pytest.mark.parametrize("text", ODD)
@pytest.mark.parametrize("part", PARTS)
def test_a_part_is_one_segment_that_decodes_to_it(part, text):
    stem = keys.new_stem(OWNER._replace(**{part: text}))
    segments = stem.split("/")
    assert len(segments) == 5
    assert not {".", "..", ""} & set(segments)
    named = segments[PARTS.index(part)] if part != "key" else f"key={segments[4][:-33]}"
    assert unquote(named.split("=", 1)[1]) == text


@pytest.mark.parametrize("text", ODD)
@pytest.mark.parametrize("part", PARTS)
def test_an_owner_owns_its_keys_and_only_these(part, text):
    owner = OWNER._replace(**{part: text})
    key = keys.new_stem(owner) + ".json"
    assert owner.owns(key)
    assert not OWNER.owns(key)
    assert not owner._replace(**{part: text + "x"}).owns(key)


@pytest.mark.parametrize("other", [
    {"dag_id": "trip"}, {"run_id": "manual__1"}, {"task_id": "load2"}, {"map_index": 1},
    {"map_index": 0}, {"key": "return"}, {"key": "return_value-"}, {"key": "return.value"},
])  # fmt: skip
def test_it_is_not_owned_by_another(other):
    assert not OWNER._replace(**other).owns(keys.new_stem(OWNER) + ".json")


def test_none_stands_for_any():
    key = keys.new_stem(OWNER) + ".json"
    assert OWNER._replace(run_id=None, map_index=None, key=None).owns(key)
    assert Owner(None, None).owns(key)
    assert not Owner(None, None).owns(f"xcom/{key}")


@pytest.mark.parametrize("index", ["zz", "1.5", "", "-", "1\n"])
def test_any_map_index_is_a_number(index):
    key = keys.new_stem(OWNER).replace("map_index=-1", f"map_index={index}") + ".json"
    assert not Owner(None, None).owns(key)


@pytest.mark.parametrize("edit", [
    lambda key: "/" + key,
    lambda key: key + "/",
    lambda key: key + "\n",
    lambda key: key + "?versionId=1",
    lambda key: key.replace("/task_id", "//task_id"),
    lambda key: key.replace("/task_id", "/../run_id=x/task_id"),
    lambda key: key.replace("load", "%6coad"),
    lambda key: key.replace("load", "LOAD"),
    lambda key: key.replace("return_value-", "return_value-x/return_value-"),
    lambda key: key.replace(".json", "/0.json"),
    lambda key: key.replace("dag_id=trips", "dag_id=trips/dag_id=trips"),
    lambda key: key.replace("-1/", "-1/./"),
])  # fmt: skip
def test_a_key_that_was_tampered_with_is_nobodys(edit):
    key = edit(keys.new_stem(OWNER) + ".json")
    assert not OWNER.owns(key)
    assert not OWNER.owns(key.replace(".json", ".json/"))


@pytest.mark.parametrize("part", ["dag_id", "run_id", "task_id", "key"])
def test_any_does_not_reach_across_a_segment(part):
    anyone = OWNER._replace(**{part: None})
    key = keys.new_stem(OWNER) + ".json"
    assert anyone.owns(key)
    segment = key.split("/")[1]
    assert not anyone.owns(key.replace(segment, f"{segment}/x"))


@pytest.mark.parametrize("letter", ["x", "ü", "🚕", "/", "%"])
def test_the_longest_identifiers_stay_below_the_limit(letter):
    # 250 is what Airflow's database allows; 512 for a key.
    owner = Owner(letter * 250, letter * 250, letter * 250, 1_000_000, letter * 512)
    leaf = f"{'p' * 150}/{keys.new_stem(owner)}/100000.parquet"
    assert len(leaf.encode()) <= 1_024
    assert owner.owns(keys.new_stem(owner) + ".json.zst")


def test_shortened_names_differ_where_the_names_do():
    one, other = (OWNER._replace(run_id="x" * 249 + end) for end in "ab")
    key = keys.new_stem(one) + ".json"
    assert not other.owns(key)
    assert unquote(key).isascii()


def test_nobody_can_be_named_like_a_shortened_name():
    long = OWNER._replace(task_id="x" * 250)
    key = keys.new_stem(long) + ".json"
    shortened = key.split("/")[2].removeprefix("task_id=")
    assert "!" in shortened
    for name in (shortened, unquote(shortened)):
        assert not OWNER._replace(task_id=name).owns(key)


@pytest.mark.parametrize("pad", range(6))
def test_a_name_is_never_cut_within_an_escape(pad):
    stem = keys.new_stem(OWNER._replace(task_id="x" * pad + "ü" * 200))
    assert re.fullmatch(r"(?:[^%]|%[0-9A-F]{2})*", stem)


@pytest.mark.parametrize("extension", ["json", "json.zst", "parquet"])
def test_the_stem_of_a_key(extension):
    stem = keys.new_stem(OWNER._replace(key="a.b-c.json"))
    assert keys.stem(f"{stem}.{extension}") == stem


@pytest.mark.parametrize("key", ["", "a.json", "xcom/a-00.json", "x" * 40])
def test_what_is_no_key_has_no_stem(key):
    with pytest.raises(ValueError, match="not a key of this backend"):
        keys.stem(key)
