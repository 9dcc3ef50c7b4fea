"""Whole objects, and tables as CSV, piece by piece: memory does not grow with the size.

An object is sent as it is, and its last piece only after its SHA-256 was found to be right: a
download that is complete is what the task has pushed.

In CSV a spreadsheet takes a text that begins with = + - @ for a formula, and runs it. Such texts
get an apostrophe in front, in cells and in column names; numbers stay as they are. Bytes are
hexadecimal, cells of objects are JSON.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from include.xcom_store.codecs import arrow, polars_frame
from include.xcom_store.codecs import frames as frame_codec
from include.xcom_store.codecs.frames.describe import Field, describe
from include.xcom_store.errors import ObjectCorrupt
from include.xcom_viewer import arrow_tables, cells, frames, statistics
from include.xcom_viewer.source import Source, TooLarge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from include.xcom_store.record import StoredObject
    from include.xcom_store.stores.base import Store

PIECE_BYTES = 4 * 1024 * 1024
CSV_BATCH_ROWS = 2_000
TABLE_CODECS = (frame_codec.NAME, arrow.NAME, polars_frame.NAME)
_FORMULA = "^[=+\\-@\t\r\n]"


def original(store: Store, stored: StoredObject) -> Iterator[bytes]:
    """Yield an object's bytes.

    Raises:
        ObjectCorrupt: it is not what was written; the last piece is then not sent.
        XComStoreError: the store does not give it.
    """
    source, found = Source(store, stored, budget=None), hashlib.sha256()
    for start in range(0, source.size, PIECE_BYTES):
        end = min(start + PIECE_BYTES, source.size)
        piece = source.read(start, end)
        found.update(piece)
        if end == source.size and found.hexdigest() != stored.sha256:
            raise ObjectCorrupt(f"{stored.uri} does not have the SHA-256 that was written.")
        yield piece


def csv(store: Store, stored: StoredObject) -> Iterator[bytes]:
    """Yield a table as CSV in UTF-8.

    Raises:
        TooLarge: a batch of an Arrow file is too large to be unpacked here.
        XComStoreError: the store does not give the object, or it is damaged.
    """
    import pyarrow as pa
    import pyarrow.csv as pa_csv

    fields, batches = _read(store, stored)
    yield _header([field.label for field in fields])
    for batch in batches:
        columns = [_written(batch.column(field.name), field) for field in fields]
        # Arrow wants names that differ; a frame's need not.
        written = pa.table(columns, [str(number) for number in range(len(columns))])
        sink = pa.BufferOutputStream()
        pa_csv.write_csv(written, sink, pa_csv.WriteOptions(include_header=False))
        yield sink.getvalue().to_pybytes()


def _read(store: Store, stored: StoredObject) -> tuple[list[Field], Iterator[Any]]:
    """Return the columns of a table, and its record batches."""
    if stored.codec == frame_codec.NAME:
        file = frames.open_file(Source(store, stored, budget=None), streamed=True)
        return describe(file, cells.words).fields, file.iter_batches(CSV_BATCH_ROWS)
    schema, table, whole = arrow_tables.beginning(Source(store, stored))
    if not whole:
        raise TooLarge
    fields = [Field(str(n), field.name, "", is_index=False) for n, field in enumerate(schema)]
    return fields, iter(table.rename_columns([f.name for f in fields]).to_batches(CSV_BATCH_ROWS))


def _written(column: Any, field: Field) -> Any:
    """Return a column as Arrow's CSV writer can write it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = arrow_tables.plain(field.to_show(column))
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if field.meaning.nan_is_missing:
        return pc.if_else(pc.is_nan(column), pa.nulls(1, kind)[0], column)
    if pa.types.is_boolean(kind) or (statistics.is_number(kind) and not field.meaning.period):
        return column.cast(pa.large_string()) if pa.types.is_decimal(kind) else column
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        texts = column.cast(pa.large_string())
    else:
        texts = cells.strings(cells.texts(column, field.meaning, limit=None))
    if pa.types.is_temporal(kind):  # a duration may begin with a minus, and is no formula
        return texts
    risky = pc.match_substring_regex(texts, _FORMULA)
    quote = cells.strings(["'"])[0]
    nothing = cells.strings([""])[0]
    return pc.if_else(risky, pc.binary_join_element_wise(quote, texts, nothing), texts)


def _harmless(label: str) -> str:
    return f"'{label}" if label[:1] in ("=", "+", "-", "@", "\t", "\r", "\n") else label


def _header(names: list[str]) -> bytes:
    quoted = ('"' + _harmless(name).replace('"', '""') + '"' for name in names)
    return (",".join(quoted) + "\n").encode()
