"""The setting `compression`: what each format takes for it, and that all comes back."""

from __future__ import annotations

import io

import pytest

pytest.importorskip("pandas")
pytest.importorskip("obstore")
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from include.xcom_store.codecs import frames
from tests.xcom_store.identical import assert_identical

NEAREST = {"zstd": "zstd", "lz4": "lz4", "snappy": "lz4", "none": None}
"""Of Arrow."""
OTHERS = [name for name in NEAREST if name != "zstd"]


def frame(rows):
    numbers = np.random.default_rng(0).integers(0, 1_000_000, rows)
    texts = pd.Series(numbers, dtype="str")
    codes = pd.Categorical.from_codes(numbers % 3, ["a", "b", "c"])
    return pd.DataFrame({"n": numbers, "t": texts, "c": codes, "m": pd.array(numbers, "Int64")})


def stored(xcom, value):
    xcom.push(value)
    (key,) = xcom.s3.keys()
    assert_identical(value, xcom.pull())
    return key, xcom.s3.read(key)


@pytest.mark.parametrize("compression", NEAREST)
def test_a_frame(xcom, configure, compression):
    configure(compression=compression)
    _key, data = stored(xcom, frame(2_000))
    group = pq.ParquetFile(io.BytesIO(data)).metadata.row_group(0)
    found = {group.column(number).compression.lower() for number in range(4)}
    assert found == {{"none": "uncompressed"}.get(compression, compression)}


@pytest.mark.parametrize(
    "compression", ["zstd", *(pytest.param(name, marks=pytest.mark.long) for name in OTHERS)]
)
def test_a_frame_whose_columns_memory_is_given_back(xcom, configure, compression):
    configure(compression=compression)
    value = frame(700_000)
    _key, data = stored(xcom, value)
    assert len(data) > 8_000_000


def test_a_system_that_takes_no_memory_back(xcom, monkeypatch):
    monkeypatch.setattr(frames, "MADV_DONTNEED", 9_999)  # which it refuses, as of locked memory
    _key, data = stored(xcom, frame(700_000))
    assert len(data) > 8_000_000


@pytest.mark.parametrize(("compression", "nearest"), NEAREST.items())
def test_a_table_of_arrow(xcom, configure, compression, nearest):
    configure(compression=compression)
    table = pa.table({"a": ["x" * 100] * 5_000})
    _key, data = stored(xcom, table)
    options = pa.ipc.IpcWriteOptions(compression=nearest)
    alone = pa.BufferOutputStream()
    with pa.ipc.new_file(alone, table.schema, options=options) as writer:
        writer.write_table(table)
    assert abs(len(data) - alone.tell()) < 2_000


@pytest.mark.parametrize("compression", NEAREST)
def test_a_frame_of_polars(xcom, configure, compression):
    polars = pytest.importorskip("polars")
    configure(compression=compression)
    _key, data = stored(xcom, polars.DataFrame({"a": ["x" * 100] * 5_000}))
    assert (len(data) > 400_000) == (compression == "none")


@pytest.mark.parametrize("compression", NEAREST)
def test_a_document(xcom, configure, compression):
    configure(compression=compression)
    key, data = stored(xcom, ["x" * 100] * 1_000)
    assert key.endswith(".json" if compression == "none" else ".json.zst")
    assert (len(data) > 100_000) == (compression == "none")
