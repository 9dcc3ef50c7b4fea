"""Documents as people read them: each tag in words, and what is none."""

from __future__ import annotations

import contextlib
import datetime as dt
import enum
import json
import uuid
import zoneinfo
from decimal import Decimal

import pytest

pytest.importorskip("hypothesis")
pytest.importorskip("include.xcom_viewer", reason="the viewer was deleted")
import numpy as np
import pandas as pd
import pendulum

from include.xcom_store import documents
from include.xcom_store.errors import ObjectCorrupt
from include.xcom_viewer.entries import Entry
from include.xcom_viewer.reader import trees
from tests.xcom_store.generated import Point, Trip
from tests.xcom_viewer.memory import OWNER, WHEN, ViewerInMemory

OFFSET = dt.timezone(dt.timedelta(hours=2))


class Colour(enum.Enum):
    RED = 1


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (1.5, "1.5"),
        (float("nan"), "nan"),
        (2**70, str(2**70)),
        (2**20_000, hex(2**20_000)[:2_000] + "… (5,003 characters)"),
        (1 + 2j, "(1+2j)"),
        ("a\0b", '"a\\u0000b"'),
        ("a\ud800", '"a?"'),
        (b"\0" * 40, "40 B: " + "00 " * 31 + "00…"),
        (bytearray(b"ab"), "2 B: 61 62"),
        ((1, "x"), '(1, "x")'),
        ({1, 2}, "{1, 2}"),
        (frozenset({1}), "frozenset(1)"),
        ({1: None}, "{1: None}"),
        (dt.date(2026, 1, 2), "2026-01-02"),
        (dt.time(3, 4, fold=1), "03:04:00"),
        (dt.datetime(2026, 1, 2, tzinfo=zoneinfo.ZoneInfo("Asia/Tokyo")), "2026-01-02T00:00:00 Asia/Tokyo"),
        (dt.datetime(2026, 1, 2, tzinfo=OFFSET), "2026-01-02T00:00:00 UTC+02:00"),
        (pendulum.datetime(2026, 1, 2, tz="Europe/Paris"), "2026-01-02T00:00:00 Europe/Paris"),
        (dt.datetime(2026, 1, 2, tzinfo=dt.UTC), "2026-01-02T00:00:00 UTC"),
        (dt.timezone(dt.timedelta(hours=1), "here"), "here"),
        (dt.timedelta(1, 2, 3), "1 day, 0:00:02.000003"),
        (Decimal("1.50"), "1.50"),
        (uuid.UUID(int=5), str(uuid.UUID(int=5))),
        (Colour.RED, "Colour.RED"),
        (pd.Timestamp("2026-01-02").as_unit("s"), "2026-01-02T00:00:00"),
        (pd.Timestamp("2026-01-02", tz="Asia/Tokyo").as_unit("s"), "2026-01-01T15:00:00 UTC, shown in Asia/Tokyo"),
        (pd.Timestamp("2026-01-02", tz="UTC").as_unit("s"), "2026-01-02T00:00:00 UTC"),
        (pd.Timedelta(5, "s").as_unit("s"), "5 seconds"),
        (pd.NaT, "NaT"),
        (pd.NA, "NA"),
        (np.float32(1.5), "1.5 (float32)"),
        (np.datetime64("2026-01-02"), "2026-01-02 (datetime64[D])"),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_in_one_line(value, line):
    assert trees.brief(documents.Writer().write(value)) == line


def test_an_object_is_shown_by_its_fields():
    document = documents.Writer().write(Trip({"a": Point(1, Trip("x"))}))
    assert trees.brief(document) == 'Trip(distance: {a: Point(x: 1, y: Trip(distance: "x"))})'
    top = trees.tree(document)
    assert (top.kind, top.text, top.children[0].label) == ("Trip", "1 field", "distance")


def test_the_nodes_of_a_tree():
    value = {"list": [1, (2,)], "more": list(range(300))}
    top = trees.tree(documents.Writer().write(value))
    assert (top.kind, top.text, top.is_open) == ("dict", "2 keys", True)
    assert [(node.label, node.kind, node.text) for node in top.children] == [
        ("list", "list", "2 items"), ("more", "list", "300 items"),
    ]  # fmt: skip
    assert top.children[0].hint == "[1, (2)]"
    assert top.children[1].hidden == 100


def test_leaves_are_told_by_what_the_top_of_the_document_says():
    memory = ViewerInMemory()
    value = {"f": pd.DataFrame({"a": [1]}), "b": [b"x" * 100_000]}
    top = memory.show(memory.push(value)).content
    assert top.hint == "{f: <pandas.DataFrame>, b: [<bytes>]}"
    frame, [large] = top.children[0], top.children[1].children
    assert (frame.kind, frame.leaf) == ("pandas.DataFrame", 0)
    assert (large.kind, large.leaf, large.text) == ("bytes", 1, "100 kB")


@pytest.mark.parametrize("odd", [
    5, None, [], {}, ["leaf"], ["leaf", 0], ["leaf", "x"], ["leaf", 1e999], ["leaves", [], 1, 2], ["tuple"], ["dict", [1]],
    ["dict", 5], ["bytes", "é"], ["str", 5], ["int", "x"], ["int", 5], ["enum", 5], ["numpy", "O", ""],
    ["numpy", "<i8", "AA=="], ["numpy", "<U1", "////fw=="], ["pandas_timestamp", "x", "s", None], ["pandas_timestamp", 1, "x", None],
    ["pandas_timestamp", 5], ["datetime", "x"], [[1], 2], ["serde", {"a": 1}],
    ["dataclass", "x"], ["dataclass", 5, 5], ["dataclass", [], {"a": 1}], ["pydantic", ["x"], {"$xcom": 1}], ["nothing", 1],
], ids=str)  # fmt: skip
def test_what_is_no_document_is_shown_or_refused(odd):
    """Anyone who may write XComs past this backend may write this."""
    for value in ({"$xcom": odd}, [{"$xcom": odd}], expectation({"$xcom": odd})):
        entry = Entry(owner=OWNER, timestamp=WHEN, text=json.dumps(value))
        with contextlib.suppress(ObjectCorrupt):
            assert "</html>" in ViewerInMemory().show(entry).html
        with contextlib.suppress(ObjectCorrupt):
            assert trees.brief(value)
        with contextlib.suppress(ObjectCorrupt):
            assert trees.paths_of_leaves(value, ()).keys() <= {0}


def expectation(observed):
    result = {"observed_value": observed, "partial_unexpected_list": [observed]}
    part = {"success": False, "expectation_type": "x", "kwargs": {"a": observed}, "result": result}
    return {"success": False, "expectations": [part]}
