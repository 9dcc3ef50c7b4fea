"""Objects as somebody who may write to the bucket can leave them: damaged, and forged.

Their rows say the SHA-256 that they have, so that nothing but the reader stands in their way.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import io
import json
import random

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from include.xcom_store.codecs import frames
from include.xcom_store.record import StoredObject
from tests.xcom_store.memory import Target
from tests.xcom_viewer.memory import ViewerInMemory

WAYS = ("bit", "byte", "cut", "splice")


def values():
    """A value of each codec, small ones and some of several parts."""
    rng = np.random.default_rng(5)
    mixed = pd.DataFrame(
        {
            "n": np.arange(3_000),
            "f": rng.random(3_000),
            "t": rng.choice(["a", "bb", "ccc"], 3_000),
            "c": pd.Categorical(rng.choice(["u", "v"], 3_000)),
            "o": pd.Series([1, "x", None] * 1_000, dtype=object),
            "l": pd.Series([[1, 2], []] * 1_500, dtype=pd.ArrowDtype(pa.list_(pa.int64()))),
        }
    )
    columns = {"a": range(1_000), "b": ["x"] * 1_000, "l": [[1, 2]] * 1_000}
    table = pa.table(columns | {"d": pa.array(["u", "v"] * 500).dictionary_encode()})
    return {
        "frame": mixed,
        "series": pd.Series([1.5, None, 2.5], index=["a", "b", "c"]),
        "table": table,
        "chunks": pa.concat_tables([table, table]),
        "large table": pa.table({"n": np.arange(100_000), "t": ["text"] * 100_000}),
        "array of Arrow": pa.array([{"a": 1, "b": ["x"]}] * 500),
        "polars": pl.DataFrame(columns).with_columns(pl.col("b").cast(pl.Categorical)),
        "array": rng.random((40, 75)),
        "records": np.zeros(300, [("a", "i4"), ("b", "U3")]),
        "json": {"a": [1, 2.5, None, {"b": "x" * 50}] * 40, "t": (1, {2})},
        "zstd": [f"text {n}" for n in range(9_000)],
        "validation": {
            "success": True, "statistics": {"evaluated_expectations": 1, "successful_expectations": 1},
            "expectations": [{"expectation_type": "expect_x", "success": True, "kwargs": {"column": "a"},
                              "result": {"observed_value": 5}}],
        },
        "bytes": bytes(range(256)) * 20,
        "leaves": {"f": pd.DataFrame({"a": [1]}), "n": np.arange(5)},
    }  # fmt: skip


def damaged(data: bytes, way: str, chance: random.Random) -> bytes:
    """The object after an accident, or after somebody's hand."""
    place = chance.randrange(len(data))
    if way == "cut":
        return data[:place]
    if way == "splice":
        start, length = chance.randrange(len(data)), chance.randrange(1, 64)
        return data[:place] + data[start : start + length] + data[place + length :]
    changed = bytearray(data)
    changed[place] ^= 1 << chance.randrange(8) if way == "bit" else chance.randrange(1, 256)
    return bytes(changed)


def sound():
    """Yield record and bytes of all values, as they were pushed."""
    memory = ViewerInMemory()
    for value in values().values():
        record = memory.push(value).stored
        yield record, memory.objects[memory.key(record["uri"])]


def objects(count: int, seed: int = 0):
    """Yield name, record and bytes of so many damaged objects, of all codecs and in all ways."""
    chance = random.Random(seed)
    pushed = dict(zip(values(), sound(), strict=True))
    for number in range(count):
        name = list(pushed)[number % len(pushed)]
        way = WAYS[number // len(pushed) % len(WAYS)]
        record, data = pushed[name]
        yield f"{name}, {way}", record, damaged(data, way, chance)


def resealed(record, data: bytes):
    """A record that fits changed bytes."""
    return record | {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _frame(frame) -> bytes:
    sink = Target()
    frames.encode(frame, "zstd").write(sink)
    return sink.getvalue()


def _recipe(frame):
    """What our files say of a frame."""
    return json.loads(pq.read_metadata(io.BytesIO(_frame(frame))).metadata[frames.METADATA])


def _parquet(table, recipe) -> bytes:
    """A file that says of its columns what ours say of others."""
    sink = io.BytesIO()
    table = table.replace_schema_metadata({frames.METADATA: json.dumps(recipe).encode()})
    pq.write_table(table, sink, compression="zstd", store_schema=True)
    return sink.getvalue()


def _labels(kind, rows) -> bytes:
    """A frame whose labels are many, in a few bytes."""
    batch = pa.record_batch([pa.array(np.zeros(rows, kind))], ["0"])
    sink, options = pa.BufferOutputStream(), pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(sink, batch.schema, options=options) as stream:
        stream.write_batch(batch)
    recipe = _recipe(pd.DataFrame({"a": [1]}))
    recipe["labels"]["data"] = base64.b64encode(sink.getvalue()).decode()
    return _parquet(pa.table({"a": [1]}), recipe)


def _arrow(table) -> bytes:
    sink, options = pa.BufferOutputStream(), pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_file(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def _npy(header: str) -> bytes:
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@functools.cache
def zeros():
    """A column of 100 million."""
    return pa.array(np.zeros(10**8, np.int8))


def _row_of_zeros():
    return pa.table({"a": pa.ListArray.from_arrays([0, 10**8], zeros())})


def _parquet_row_of_zeros():
    few = pd.DataFrame({"a": pd.Series([[0]], dtype=pd.ArrowDtype(pa.list_(pa.int8())))})
    return _parquet(_row_of_zeros(), _recipe(few))


TEXTS = ["x" * 300_000] * 2_000
# Of objects that are small and want to be large: the codec, and what makes the bytes.
FORGERIES = {
    "a row of 100 million zeros": ("pandas-parquet", _parquet_row_of_zeros),
    "an Arrow row of them": ("pyarrow-ipc", lambda: _arrow(_row_of_zeros())),
    "an Arrow batch of them": ("pyarrow-ipc", lambda: _arrow(pa.table({"a": zeros()}))),
    "the same, for polars": ("polars-ipc", lambda: _arrow(pa.table({"a": zeros()}))),
    "2,000 rows of a long text": (
        "pandas-parquet", lambda: _frame(pd.DataFrame({"a": pd.Series(TEXTS)}))
    ),
    "its category": (
        "pandas-parquet", lambda: _frame(pd.DataFrame({"a": pd.Categorical(TEXTS)}))
    ),
    "Arrow of a long text": (
        "pyarrow-ipc", lambda: _arrow(pa.table({"a": pa.array(TEXTS).dictionary_encode()}))
    ),
    "10 million labels": ("pandas-parquet", lambda: _labels(np.int8, 10**7)),
    "a billion labels": ("pandas-parquet", lambda: _labels(np.int8, 10**8)),
    "an array that claims much": (
        "numpy-npy",
        lambda: _npy("{'descr': '<f8', 'fortran_order': False, 'shape': (10000000000,), }"),
    ),
    "texts that claim much": (
        "numpy-npy",
        lambda: _npy("{'descr': '<U500000000', 'fortran_order': False, 'shape': (1,), }"),
    ),
    "JSON, a bomb": ("python-json", lambda: pa.compress(b" " * 10**9, "zstd", asbytes=True)),
    "JSON, deep": ("python-json", lambda: b"[" * 100_000),
    "JSON, many": ("python-json", lambda: json.dumps([[[]]] * 200_000).encode()),
    "JSON, a number": ("python-json", lambda: b"9" * 2_000_000),
}  # fmt: skip


def _renamed(name: bytes) -> bytes:
    """A file in which the only column's chunk has another name than in the schema."""
    data, path = _frame(pd.DataFrame({"a": [1, 2]})), b"\x19\x18\x01"
    assert data.count(path + b"a") == 1
    return data.replace(path + b"a", path + name)


# What only few damaged objects are: each of its own kind.
ODDITIES = {
    "a header without an end": ("numpy-npy", _npy("{'descr': ('<f8', 'shape': (1,)}")),
    "letters that are none": (
        "numpy-npy", _npy("{'descr': '<U1', 'fortran_order': False, 'shape': (1,), }") + b"\xff" * 4
    ),
    "a column of another name": ("pandas-parquet", _renamed(b"1")),
    "a name that is no text": ("pandas-parquet", _renamed(b"\xff")),
}  # fmt: skip


def record(codec: str, data: bytes):
    """The row of an object that was forged."""
    row = {"__id__": "xcom_store/1", "uri": "/a.x", "codec": codec, "type": "x", "summary": "",
           "leaves": 0, "written_by": {}}  # fmt: skip
    return resealed(row, data)


def record_of(memory, codec: str, data: bytes):
    """An object in memory, and the record of one that was forged."""
    memory.objects["k"] = data
    sha256 = hashlib.sha256(data).hexdigest()
    return StoredObject(memory.uri("k"), codec, "x", len(data), sha256)
