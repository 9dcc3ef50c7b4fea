"""Whatever the backend stores, the viewer shows: the round-trip table, and generated values."""

from __future__ import annotations

import csv
import io
import sys
import warnings

import pytest

pytest.importorskip("hypothesis")
pytest.importorskip("polars")
pytest.importorskip("include.xcom_viewer", reason="the viewer was deleted")
from hypothesis import given
from hypothesis import settings as hypothesis_settings

from include.xcom_store.codecs.arrow_stream import NAME as ARROW_STREAM
from include.xcom_store.errors import ValueNotStorable
from include.xcom_viewer import downloads
from include.xcom_viewer.shown import NoPreview
from tests.xcom_store.cases import VALUES
from tests.xcom_store.generated import frames, values
from tests.xcom_store.test_properties import SLOW_IS_FINE
from tests.xcom_viewer.memory import ViewerInMemory

csv.field_size_limit(sys.maxsize)
few = hypothesis_settings(max_examples=60, derandomize=True, **SLOW_IS_FINE)
many = hypothesis_settings(max_examples=3_000, **SLOW_IS_FINE)


def check(value, threshold=0):
    memory = ViewerInMemory(threshold)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            entry = memory.push(value)
        except ValueNotStorable:
            return
        if "Int128" in str((entry.record or {}).get("summary")):
            with pytest.raises(NoPreview, match="64 bits"):
                memory.show(entry)
            return
        if ARROW_STREAM in (entry.record or {}).values():
            with pytest.raises(NoPreview, match=ARROW_STREAM):
                memory.show(entry)
            return
        shown = memory.show(entry)
        assert "Error" not in shown.html or "Error" in str(value)
        for leaf in (None, *range((entry.record or {}).get("leaves", 0))):
            stored = memory.locate(entry, leaf) if entry.in_store else None
            if not (stored and stored.codec == ARROW_STREAM):
                memory.show(entry, leaf)
            if stored and stored.codec in downloads.TABLE_CODECS:
                text = memory.csv(stored).decode()
                rows = list(csv.reader(io.StringIO(text)))
                assert len({len(row) for row in rows if row}) <= 1


@pytest.mark.parametrize("threshold", [0, 10**6])
@pytest.mark.parametrize("name", VALUES)
def test_the_round_trip_table(name, threshold):
    check(VALUES[name](), threshold)


@few
@given(values())
def test_a_nested_value(value):
    check(value)


@few
@given(frames())
def test_a_frame(frame):
    check(frame)


@pytest.mark.weekly
@many
@given(values())
def test_many_nested_values(value):
    check(value)


@pytest.mark.long
@many
@given(frames())
def test_many_frames(frame):
    check(frame)
