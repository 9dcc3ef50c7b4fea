"""The verdict over a run: what counts as a problem, and how it is shown."""

from __future__ import annotations

import hashlib

import pytest

from dev import report

BASE = "s3://b/xcom/dag_id=d/run_id=r/task_id=t/map_index=-1"
UNIQUE = "0" * 32


def reference(content: bytes, name: str = f"return_value-{UNIQUE}.json.zst", **changed):
    return {
        "__id__": "xcom_store/1",
        "uri": f"{BASE}/{name}",
        "codec": "python-json",
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "type": "dict",
        "summary": "4 of 4 expectations met",
        "leaves": 0,
        **changed,
    }


def entry(value, key="return_value"):
    return {"task_id": "t", "map_index": -1, "key": key, "value": value}


def make(values, objects, state="success", dag_id="d"):
    run = {"dag_id": dag_id, "dag_run_id": "r", "state": state}
    tasks = [{"task_id": "t", "map_index": -1, "state": "success"}]
    return report.make(run, tasks, [entry(value) for value in values], objects)


def test_all_well():
    made = make([reference(b"x")], {f"{BASE}/return_value-{UNIQUE}.json.zst": b"x"})
    assert made.problems == []
    assert made.xcoms[0].stored == "s3"
    assert made.references == 1
    assert made.tasks == {"t": "success"}


def test_leaves_belong_to_their_value():
    objects = {
        f"{BASE}/return_value-{UNIQUE}.json.zst": b"x",
        f"{BASE}/return_value-{UNIQUE}/0.parquet": b"leaf",
        f"{BASE}/return_value-{UNIQUE}/1.parquet": b"leaf",
    }
    assert make([reference(b"x", leaves=2)], objects).problems == []
    assert "2 leaves, reference says 3" in make([reference(b"x", leaves=3)], objects).problems[0]


@pytest.mark.parametrize(
    ("value", "objects", "problem"),
    [
        (reference(b"x"), {}, "in the database, not in the bucket"),
        (reference(b"x"), {"": b"xy"}, "2 bytes, reference says 1"),
        (reference(b"x"), {"": b"y"}, "its SHA-256 is not that of the reference"),
        ({"plain": 1}, {"": b"x"}, "belongs to 0 references instead of one"),
        (reference(b"x", summary="s" * 3000), {"": b"x"}, "the database holds"),
    ],
)
def test_what_does_not_agree(value, objects, problem):
    objects = {f"{BASE}/return_value-{UNIQUE}.json.zst": body for body in objects.values()}
    assert any(problem in found for found in make([value], objects).problems)


def test_one_object_for_two_references():
    objects = {f"{BASE}/return_value-{UNIQUE}.json.zst": b"x"}
    assert "belongs to 2 references" in make([reference(b"x")] * 2, objects).problems[0]


def test_expected_states_and_counts():
    assert make([], {}, state="failed").problems == ["the run ended as failed, expected is success"]
    problems = make([], {}, dag_id="example_great_expectations_dag").problems
    assert problems == ["0 objects in the bucket, expected 3"]
    problems = make([], {}, dag_id="example_validation_failure_dag").problems
    assert problems == [
        "the run ended as success, expected is failed",
        "0 objects in the bucket, expected 1",
    ]


def test_values_in_the_database():
    inline = {"__id__": "xcom_store/1", "type": "tuple", "summary": "2 items", "inline": "[1, 2]"}
    rows = make([inline, [1, 2], "s3://looks/like-one"], {}).xcoms
    assert [(row.stored, row.type, row.uri) for row in rows] == [
        ("database", "tuple", None),
        ("database", "list", None),
        ("database", "str", None),
    ]


def test_table():
    made = make([reference(b"x" * 1234)], {})
    lines = report.table(made.xcoms).splitlines()
    assert lines[0].split() == ["task", "XCom", "key", "type", "bytes", "summary"]
    assert lines[2].split("  ")[:3] == ["t   ", "return_value", "dict"] or "1,234" in lines[2]
    assert lines[3].strip() == f"{BASE}/return_value-{UNIQUE}.json.zst"
