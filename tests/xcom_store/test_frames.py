"""Frames that are read in parts, as large ones are, and what a task may do with a pulled one."""

from __future__ import annotations

import pytest

pytest.importorskip("obstore")
pytest.importorskip("polars")
pytest.importorskip("pyarrow")
import numpy as np
import obstore
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from include.xcom_store.codecs import frames as codec
from tests.xcom_store.cases import VALUES
from tests.xcom_store.identical import assert_identical

FRAMES = [name for name, make in VALUES.items() if isinstance(make(), (pd.DataFrame, pd.Series))]


@pytest.fixture
def in_parts(monkeypatch):
    """Row groups of two rows, and no two kinds of columns read at once."""
    for name, value in {
        "ONE_GROUP_CELLS": 0,
        "FIRST_GROUP_ROWS": 1,
        "GROUP_ROWS": 2,
        "READ_CELLS": 0,
    }.items():
        monkeypatch.setattr(codec, name, value)


@pytest.mark.parametrize("name", FRAMES)
@pytest.mark.usefixtures("in_parts")
def test_a_frame_read_in_parts_comes_back_exactly(xcom, name):
    xcom.push(VALUES[name]())
    assert_identical(VALUES[name](), xcom.pull())


def mixed(rows):
    """Return a frame with a column of each way in which columns are read."""
    random = np.random.default_rng(1)
    texts = pd.Index(["x", "y", None], dtype="str")
    return pd.DataFrame(
        {
            "int": random.integers(0, 9, rows),
            "float32": random.random(rows).astype("f4"),
            "bool": random.random(rows) < 0.5,
            "time": pd.Timestamp(0) + pd.to_timedelta(random.integers(0, 9, rows), "s"),
            "seconds": random.integers(0, 9, rows).astype("m8[s]"),
            "Int64": pd.array(random.integers(0, 9, rows), "Int64"),
            "text": texts.take(random.integers(0, 3, rows)),
            "identifier": pd.array([f"{n:08}" for n in range(rows)], "str"),
            "category": pd.Categorical.from_codes(random.integers(-1, 2, rows), ["b", "a"]),
            "number": pd.Categorical.from_codes(random.integers(-1, 2, rows), [7, 5]),
            "object": pd.Series([1, "a", None] * (rows // 3), dtype=object),
        }
    )


@pytest.mark.parametrize(
    "rows",
    [pytest.param(3, id="at once"), pytest.param(240_000, id="in parts", marks=pytest.mark.long)],
)
def test_a_pulled_frame_may_be_changed_in_place(xcom, rows):
    """Most of its columns are Arrow's memory, of which Arrow itself makes views to be read only."""
    frame = mixed(rows)
    xcom.push(frame)
    pulled, again = xcom.pull(), xcom.pull()
    assert_identical(frame, pulled)
    for column in range(frame.shape[1]):
        pulled.iloc[0, column] = frame.iloc[-1, column]
        frame.iloc[0, column] = frame.iloc[-1, column]
    assert_identical(frame, pulled)
    assert_identical(mixed(rows), again)


def test_text_of_many_values_stands_in_a_row_group_once(xcom):
    """Parquet's usual dictionary is too small for 20,000 addresses, which then stand there twice."""
    addresses = [f"{number} Main Street, Apartment 12, floor two, NY" for number in range(20_000)]
    column = pd.array(np.random.default_rng(1).choice(addresses, 200_000), "str")
    xcom.push(pd.DataFrame({"address": column, "category": pd.Categorical(column)}))
    (key,) = xcom.s3.keys()
    data = obstore.get(xcom.s3.client, key).bytes()
    with pq.ParquetFile(pa.BufferReader(data)) as file:
        first, second = (file.metadata.row_group(number) for number in range(2))
    dictionary = len("".join(addresses)) + 4 * 20_000
    for place in range(2):
        assert first.column(place).total_uncompressed_size < dictionary / 5
        assert second.column(place).total_uncompressed_size < 1.1 * (dictionary + 2 * 200_000)
