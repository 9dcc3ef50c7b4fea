"""`verify` on a real API server: what cannot be pulled is told by name, all else is read and checked."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("httpx")
pytest.importorskip("pandas")
pytest.importorskip("obstore")
import obstore
import pandas as pd

from include.xcom_store.sizes import size_text
from tests.xcom_tools.sweep_airflow import (  # noqa: F401
    airflow,
    api_server,
    connect,
    owner,
)

TEXT = "x" * 2_000  # goes to the store
FRAME = pd.DataFrame({"a": range(5)})


@pytest.fixture
def verify(connect, command):  # noqa: F811
    connect()  # leaves the address and the password in the environment

    def verify(*arguments):
        done = command("verify", "--dag-id", "trips", *arguments, "--json")
        done.states = {(row["task_id"], row["key"]): row["state"] for row in done.lines()}
        return done

    return verify


def key_of(record, s3):
    return record["uri"].removeprefix(f"{s3.url}/")


def test_all_is_well(s3, airflow, verify, command):  # noqa: F811
    pushed = [
        airflow.push(FRAME, owner(task="frame")),
        airflow.push({"frame": FRAME, "note": TEXT}, owner(task="leaves")),
    ]
    airflow.push(7, owner(task="small"))
    airflow.push((1, 2), owner(task="small", key="tuple"))
    airflow.push(TEXT, owner("other"))
    done = verify()
    assert done.code == 0
    assert done.states == {
        ("frame", "return_value"): "ok",
        ("leaves", "return_value"): "ok",
        ("small", "return_value"): "in database",
        ("small", "tuple"): "in database",
    }
    read = sum(record["bytes"] for record in pushed)
    assert sum(row["bytes"] or 0 for row in done.lines()) == read
    assert done.err == f"4 values: 2 ok, 2 in database; {size_text(read)} and 1 leaf\n"
    shown = command("verify", "--dag-id", "trips", "--task-id", "frame")
    assert "pandas.DataFrame, 5 rows × 1 columns\n" in shown.out
    assert shown.err == f"1 value: 1 ok; {size_text(pushed[0]['bytes'])}\n"


@pytest.mark.parametrize(
    ("selection", "told"),
    [
        (("--task-id", "frames"), "no task 'frames' of dag_id=trips in .* The nearest: frame$"),
        (("--task-id", "frame", "--key", "x"), "no key 'x' of .*task_id=frame in .*: return_value"),
        (("--task-id", "frame", "--map-index", "2"), "no map index '2' of .* There are: -1$"),
    ],
)
def test_a_name_that_is_not_there(s3, airflow, verify, selection, told):  # noqa: F811
    airflow.push(FRAME, owner(task="frame"))
    done = verify(*selection)
    assert (done.code, done.out) == (1, "")
    assert re.search(told, done.err, re.MULTILINE), done.err


class Rows(list):
    """Comes back as a list."""


def test_what_is_inexact_is_told(s3, airflow, verify, command):  # noqa: F811
    records = {
        task: airflow.push(value, owner(task=task))
        for task, value in {
            "exact": TEXT, "small": Rows([1]), "large": [Rows(TEXT[:500])] * 3, "plain": 7,
        }.items()
    }  # fmt: skip
    done = verify()
    inexact = {"exact": 0, "small": 1, "large": 3, "plain": 0}
    assert done.code == 0
    assert {row["task_id"]: row["inexact"] for row in done.lines()} == inexact
    shown = command("verify", "--dag-id", "trips")
    assert "list, 3 items, 3 parts not exactly as pushed\n" in shown.out
    assert "4 values: 2 ok, 2 in database, 2 not exactly as pushed; " in shown.err
    listed = command("ls", "--rows", "--json").lines()
    assert {row["uri"]: row["inexact"] for row in listed} == {
        records[task]["uri"]: inexact[task] for task in ("exact", "large")
    }
    assert "inexact" in command("ls", "--rows").out.splitlines()[0]
    assert "inexact" not in command("ls").out


def test_each_damage_is_named(s3, airflow, verify):  # noqa: F811
    gone = airflow.push(TEXT, owner(task="gone"))
    changed = airflow.push(TEXT, owner(task="changed"))
    leaf = airflow.push([FRAME, TEXT], owner(task="leaf"))
    other = airflow.push(TEXT, owner(task="theirs"))
    airflow.put(other, owner(task="forged"))
    airflow.put({"__id__": "xcom_store/1", "uri": other["uri"]}, owner(task="edited"))
    airflow.push(TEXT, owner(task="whole"))
    obstore.delete(s3.client, key_of(gone, s3))
    obstore.put(s3.client, key_of(changed, s3), b'"' + b"y" * 2_000 + b'"')
    obstore.delete(s3.client, f"{key_of(leaf, s3).removesuffix('.json')}/0.parquet")
    done = verify()
    assert done.code == 1
    assert {task: state for (task, _key), state in done.states.items()} == {
        "gone": "object missing",
        "changed": "object corrupt",
        "leaf": "object missing",
        "theirs": "ok",
        "forged": "access denied",
        "edited": "object corrupt",
        "whole": "ok",
    }
    (row,) = (row for row in done.lines() if row["task_id"] == "changed")
    assert row["uri"] == changed["uri"]
    assert "SHA-256" in row["found"]


@pytest.mark.parametrize(
    ("selection", "count"),
    [
        (("--run-id", "r1"), 3),
        (("--run-id", "r1", "--task-id", "mapped", "--map-index", 1), 1),
        (("--key", "other"), 1),
        ((), 5),
    ],
)
def test_a_selection(s3, airflow, verify, selection, count):  # noqa: F811
    airflow.push(TEXT, owner(run="r1"))
    for index in range(2):
        airflow.push(TEXT, owner(run="r1", task="mapped", index=index))
    airflow.push(TEXT, owner(run="r2"))
    airflow.push(TEXT, owner(run="r2", key="other"))
    assert len(verify(*selection).lines()) == count


def test_more_than_a_page(s3, airflow, verify):  # noqa: F811
    for index in range(103):
        airflow.put(index, owner(task="mapped", index=index))
    assert len(verify().lines()) == 103


def test_nobody_answers_or_lets_in(s3, verify, monkeypatch):
    monkeypatch.setenv("AIRFLOW_API_TOKEN", "no-token-of-this-airflow")
    done = verify()
    assert (done.code, done.out) == (3, "")
    assert "Invalid JWT token" in done.err
    monkeypatch.setenv("AIRFLOW_API_URL", "http://127.0.0.1:9")
    assert verify().code == 3


def test_an_unreachable_s3_is_no_damage(s3, airflow, verify, configure):  # noqa: F811
    airflow.push(TEXT, owner())
    configure(endpoint_url="http://127.0.0.1:9", retry_timeout=1)
    done = verify()
    assert (done.code, done.out) == (3, "")
    assert "cannot be reached" in done.err
