"""The first batch of an Arrow file is small, and the value comes back in the pieces that it had."""

from __future__ import annotations

import io

import pytest

pytest.importorskip("pyarrow")
pytest.importorskip("polars")
import polars as pl
import pyarrow as pa

from include.xcom_store.codecs import arrow, polars_frame
from include.xcom_store.errors import ObjectCorrupt
from tests.xcom_store.memory import Target

ROWS = 200_000


def table(rows=ROWS):
    return pa.table(
        {
            "n": range(rows),
            "t": [f"x{n}" for n in range(rows)],
            "d": pa.array(["u", "v"] * (rows // 2)).dictionary_encode(),
            "l": pa.array([[n, n] for n in range(rows)]),
            "r": pa.array(["a"] * rows).cast(pa.string_view()),
        }
    )


VALUES = {
    "Table": table,
    "RecordBatch": lambda: table().to_batches()[0],
    "a slice": lambda: table()[7 : ROWS - 7].to_batches()[0],
    "Array": lambda: table()["t"].chunk(0),
    "ChunkedArray": lambda: table()["t"],
    "many chunks": lambda: pa.concat_tables([table()[:7], table()[7:900], table()[900:]]),
    "one large row": lambda: pa.table({"t": ["x" * 3_000_000]}),
    "a batch of one": lambda: pa.record_batch({"t": ["x" * 3_000_000]}),
    "metadata": lambda: table().replace_schema_metadata({"a": "b"}),
}


def written(value, compression="zstd"):
    sink = Target()
    codec = polars_frame if isinstance(value, pl.DataFrame) else arrow
    codec.encode(value, compression).write(sink)
    return sink.getvalue()


def chunks(value):
    columns = value.columns if isinstance(value, pa.Table) else [value]
    return [[len(chunk) for chunk in getattr(one, "chunks", [one])] for one in columns]


@pytest.mark.parametrize("compression", ["zstd", "none"])
@pytest.mark.parametrize("name", VALUES)
def test_it_comes_back_in_its_pieces(name, compression):
    value = VALUES[name]()
    data = written(value, compression)
    back = arrow.decode(data, f"pyarrow.lib.{type(value).__name__}")
    assert type(back) is type(value)
    assert back.equals(value)
    assert chunks(back) == chunks(value)
    back.validate(full=True)
    if hasattr(value, "schema"):
        assert back.schema.equals(value.schema, check_metadata=True)
    file = pa.ipc.open_file(data)
    first = file.get_batch(0)
    assert first.num_rows <= arrow.HEAD_ROWS
    assert first.num_rows == 1 or first.nbytes <= arrow.HEAD_BYTES * 1.5
    assert arrow.size_of(file.metadata)[1] == (
        pa.table([value], [""]).nbytes if isinstance(value, (pa.Array, pa.ChunkedArray)) else value.nbytes
    )  # fmt: skip


def test_a_small_one_is_not_cut():
    file = pa.ipc.open_file(written(table(5_000)))
    assert file.num_record_batches == 1
    assert arrow.size_of(file.metadata) == (None, None)


@pytest.mark.parametrize("footer", [b"[]", b"{"])
def test_a_footer_that_is_not_ours(footer):
    with pytest.raises(ObjectCorrupt, match="not ours"):
        arrow.size_of({b"xcom_store": footer})


@pytest.mark.parametrize("rows", ['"x"', "-1", "1.5", "null"])
def test_a_footer_that_says_nothing_of_sizes(rows):
    assert arrow.size_of({b"xcom_store": f'{{"rows": {rows}, "bytes": 5}}'.encode()}) == (
        None,
        None,
    )


def test_the_batches_of_polars_are_small():
    frame = pl.DataFrame({"n": range(ROWS), "t": ["text"] * ROWS})
    data = written(frame)
    file = pa.ipc.open_file(data)
    assert file.get_batch(0).nbytes <= 2 * polars_frame.BATCH_BYTES
    assert pl.read_ipc(io.BytesIO(data)).equals(frame)
    for empty in (pl.DataFrame(), pl.DataFrame({"a": []}), frame.clear()):
        assert pl.read_ipc(io.BytesIO(written(empty))).equals(empty)
