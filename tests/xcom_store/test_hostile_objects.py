"""Objects that somebody else has put in the bucket, with a record that fits them.

Reading one ends in a typed error, soon and in little memory; nothing in it is executed.
"""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import time
import tracemalloc

import pytest

pytest.importorskip("pandas")
pytest.importorskip("pyarrow")
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from include.xcom_store import keys, values
from include.xcom_store.errors import XComStoreError
from tests.xcom_store.memory import OWNER, MemoryStore


def bomb():
    """Five gigabytes of blanks in half a megabyte."""
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        for _ in range(5 * 1024):
            stream.write(b" " * 2**20)
    return sink.getvalue().to_pybytes()


def pickled_array():
    sink = io.BytesIO()
    np.save(sink, np.array([Trap()], dtype=object), allow_pickle=True)
    return sink.getvalue()


class Trap:
    def __reduce__(self):
        return (pytest.fail, ("something in the object was executed",))


def npy(header):
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def parquet(**metadata):
    sink = io.BytesIO()
    table = pa.table({"a": [1, 2]}).replace_schema_metadata(metadata)
    pq.write_table(table, sink)
    return sink.getvalue()


OBJECTS = {
    "a pickle": ("python-json", lambda: pickle.dumps(Trap())),
    "JSON, deep": ("python-json", lambda: b"[" * 100_000 + b"]" * 100_000),
    "JSON, a deep document": ("python-json", lambda: b'{"a":' * 5_000 + b"1" + b"}" * 5_000),
    "JSON, not UTF-8": ("python-json", lambda: b'"\xff"'),
    "JSON, an unknown tag": ("python-json", lambda: b'{"$xcom": ["os.system", "true"]}'),
    "zstd, garbage": ("python-json", lambda: b"\x28\xb5\x2f\xfd" + b"\0" * 99),
    "npy, pickled": ("numpy-npy", pickled_array),
    "npy, a huge shape": (
        "numpy-npy", lambda: npy("{'descr': '<f8', 'fortran_order': False, 'shape': (10000000000,), }")
    ),
    "npy, code for a header": ("numpy-npy", lambda: npy("__import__('os').abort()")),
    "npy, nothing": ("numpy-npy", lambda: b""),
    "Parquet, garbage": ("pandas-parquet", lambda: b"PAR1" + b"\xff" * 200 + b"PAR1"),
    "Parquet, not ours": ("pandas-parquet", parquet),
    "Parquet, an empty recipe": ("pandas-parquet", lambda: parquet(xcom_store="{}")),
    "Parquet, no recipe": ("pandas-parquet", lambda: parquet(xcom_store="[1]")),
    "Parquet, cut": ("pandas-parquet", lambda: parquet()[:-9]),
    "Arrow, garbage": ("pyarrow-ipc", lambda: b"ARROW1\0\0" + b"\xff" * 200 + b"ARROW1"),
    "Arrow, nothing": ("pyarrow-ipc", lambda: b""),
    "a validation, garbage": ("great_expectations-json", lambda: b"\xff\xff"),
}  # fmt: skip


def pull(codec, data):
    store = MemoryStore()
    key = f"{keys.new_stem(OWNER)}.bin"
    store.objects[key] = data
    record = {"__id__": "xcom_store/1", "uri": store.uri(key), "codec": codec, "bytes": len(data),
              "sha256": hashlib.sha256(data).hexdigest(), "type": "x", "summary": "", "leaves": 0,
              "written_by": {}}  # fmt: skip
    return values.pull(json.loads(json.dumps(record)), OWNER, store)


@pytest.mark.parametrize("name", OBJECTS)
def test_it_ends_in_a_typed_error(name):
    codec, make = OBJECTS[name]
    data = make()
    tracemalloc.start()
    started = time.monotonic()
    try:
        with pytest.raises(XComStoreError):
            pull(codec, data)
        assert time.monotonic() - started < 10
        assert tracemalloc.get_traced_memory()[1] < 100_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.long
def test_a_bomb_is_not_unpacked_without_bound():
    with pytest.raises(XComStoreError, match="unpacks to more than"):
        pull("python-json", bomb())
