"""What a Parquet file says about its frame, without pandas; and files that say something else."""

from __future__ import annotations

import base64
import io
import json
import tracemalloc
from types import SimpleNamespace

import pytest

pytest.importorskip("include.xcom_viewer", reason="the viewer was deleted")
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from include.xcom_store.codecs import frames
from include.xcom_store.codecs.frames import columns
from include.xcom_store.codecs.frames.describe import describe
from include.xcom_store.errors import ObjectCorrupt
from include.xcom_viewer.reader import cells
from tests.xcom_store.cases import VALUES
from tests.xcom_store.memory import Target

FRAMES = [name for name, make in VALUES.items() if isinstance(make(), (pd.DataFrame, pd.Series))]


def written(frame):
    sink = Target()
    frames.encode(frame, "zstd").write(sink)
    return pq.ParquetFile(io.BytesIO(sink.getvalue()))


def told(frame):
    return describe(written(frame))


@pytest.mark.parametrize("name", FRAMES)
def test_columns_are_as_pandas_names_them(name):
    frame = VALUES[name]()
    kind = type(frame).__name__
    frame = frame.to_frame() if kind == "Series" else frame
    found = told(VALUES[name]())
    columns = [field for field in found.fields if not field.is_index]
    levels = [field for field in found.fields if field.is_index]
    assert found.kind == kind
    for field, dtype in zip(columns, frame.dtypes, strict=True):
        assert field.dtype == str(dtype), field
    if isinstance(frame.index, pd.RangeIndex):
        assert found.rows_from == (frame.index.start, frame.index.step)
        assert not levels
    else:
        assert found.rows_from is None
        assert len(levels) == frame.index.nlevels
    for field, label in zip(columns, frame.columns, strict=True):
        if isinstance(label, (str, int)) and kind == "DataFrame":
            assert field.label == str(label).encode(errors="replace").decode()


def test_labels_and_names():
    labels = pd.MultiIndex.from_product([range(2), pd.cut([1, 3], [0, 2, 4])])
    rows = pd.MultiIndex.from_tuples([("a", 1)], names=[("t", 1), None])
    found = told(pd.DataFrame([range(4)], columns=labels, index=rows))
    assert [field.label for field in found.fields] == [
        "('t', 1)", "", "0 / (0, 2]", "0 / (2, 4]", "1 / (0, 2]", "1 / (2, 4]",
    ]  # fmt: skip


def test_codes_become_words():
    file = written(pd.DataFrame({"a": pd.cut([1, 3, np.nan], [0, 2, 4])}))
    [field] = describe(file).fields
    shown = field.to_show(file.read().column("a"))
    assert shown.to_pylist() == ["(0, 2]", "(2, 4]", None]


def test_of_too_many_categories_the_first_are_shown(monkeypatch):
    monkeypatch.setattr(columns, "MOST_SHOWN", 2)
    file = written(pd.DataFrame({"a": pd.cut([1, 3, 5, 7, np.nan], [0, 2, 4, 6, 8])}))
    [field] = describe(file).fields
    shown = field.to_show(file.read().column("a"))
    assert shown.to_pylist() == ["(0, 2]", "(2, 4]", "…", "…", None]


# ---------------------------------------------------------------------------- files not ours


def all_kinds():
    parts = [[1.5, 2.5], pd.cut([1, 2], [0, 1, 3]), pd.date_range("2026", periods=2, freq="D")]
    return pd.DataFrame(
        {
            "n": [1, 2],
            "c": pd.cut([1, 2], [0, 1, 3]),
            "t": pd.Categorical(["x", "y"]),
            "o": pd.Series([1, "a"], dtype=object),
            "p": pd.period_range("2026", periods=2),
            "z": pd.date_range("2026", periods=2, tz="UTC"),
        },
        index=pd.MultiIndex.from_arrays(parts, names=["x", ("y", 1), None]),
    )


def file_of(recipe, like):
    return saying({frames.METADATA: json.dumps(recipe).encode()}, like)


def saying(change, like):
    metadata = SimpleNamespace(
        metadata=like.metadata.metadata | change, num_rows=like.metadata.num_rows
    )
    return SimpleNamespace(metadata=metadata, schema_arrow=like.schema_arrow)


def places(node):
    """Every place in a JSON value: what holds it, and its key."""
    pairs = node.items() if isinstance(node, dict) else enumerate(node)
    for key, item in list(pairs):
        yield node, key
        if isinstance(item, (dict, list)):
            yield from places(item)


def look(file, data):
    found = describe(file)
    for field in found.fields:
        shown = field.to_show(data.column(field.name))
        assert len(cells.texts(shown, field.meaning)) == 2


ODD = [None, True, -1, 10**18, 1e300, "", "x", "é" * 9, [], ["a"] * 3, [0, 10**18, 1], {}, {"a": 1},
       {"codes": {}}, {"range": [0, 10**15, 1]}, {"numpy": "O"}, {"pandas": "period["}]  # fmt: skip


def as_labels():
    return pd.DataFrame([range(2)] * 2, columns=all_kinds().index)


@pytest.mark.parametrize("frame", [all_kinds(), as_labels()], ids=["rows", "labels"])
def test_whatever_the_recipe_says_the_error_is_typed(frame):
    file = written(frame)
    data, text = file.read(), file.metadata.metadata[frames.METADATA]
    look(file, data)
    number, refused = len([*places(json.loads(text))]), 0
    for place in range(number):
        for odd in ODD:
            recipe = json.loads(text)
            holder, key = [*places(recipe)][place]
            holder[key] = odd
            try:
                look(file_of(recipe, file), data)
            except ObjectCorrupt:
                refused += 1
    assert refused > number * len(ODD) / 8  # the rest, labels as pandas has them, is not looked at


@pytest.mark.parametrize("change", [
    {b"xcom_store": b"[1]"}, {b"xcom_store": b"{"}, {b"xcom_store": b"[" * 10**5},
], ids=str)  # fmt: skip
def test_metadata_of_another_form(change):
    describe(saying({}, written(all_kinds())))
    with pytest.raises(ObjectCorrupt):
        describe(saying(change, written(all_kinds())))


def test_labels_are_not_unpacked():
    batch = pa.record_batch([pa.array(np.zeros(2**26, np.int8))], ["0"])
    sink, options = pa.BufferOutputStream(), pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(sink, batch.schema, options=options) as stream:
        stream.write_batch(batch)
    file = written(pd.DataFrame({"a": [1]}))
    recipe = json.loads(file.metadata.metadata[frames.METADATA])
    recipe["labels"]["data"] = base64.b64encode(sink.getvalue()).decode()
    tracemalloc.start()
    try:
        assert describe(file_of(recipe, file)).fields[0].label == "a"
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
