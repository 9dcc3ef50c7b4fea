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

from include.s3_xcom.codecs import arrow, frame, polars_frame
from include.s3_xcom.errors import ObjectCorrupt
from include.s3_xcom_viewer import arrow_tables, bucket, cells, frames, labels, statistics
from include.s3_xcom_viewer.bucket import BUDGET, ObjectFile, TooLarge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from include.s3_xcom_viewer.preview import Located

PIECE = 4 * 1024 * 1024
CSV_ROWS = 2_000
TABLES = (frame.NAME, arrow.NAME, polars_frame.NAME)
_FORMULA = "^[=+\\-@\t\r\n]"


def original(located: Located) -> Iterator[bytes]:
    """Yield an object's bytes.

    Raises:
        ObjectCorrupt: it is not what was written; the last piece has not been sent then.
        S3XComError: S3 does not give it.
    """
    found = hashlib.sha256()
    for start in range(0, located.bytes, PIECE):
        end = min(start + PIECE, located.bytes)
        piece = bucket.connect().get_range(located.key, start, end, located.bytes)
        found.update(piece)
        if end == located.bytes and found.hexdigest() != located.sha256:
            raise ObjectCorrupt(f"{located.key} does not have the SHA-256 that was written.")
        yield piece


def csv(located: Located) -> Iterator[bytes]:
    """Yield a table as CSV in UTF-8.

    Raises:
        TooLarge: a batch of an Arrow file is too large to be unpacked here.
        S3XComError: S3 does not give the object, or it is damaged.
    """
    import pyarrow as pa
    import pyarrow.csv as pa_csv

    for number, columns in enumerate(_batches(located)):
        names = [_harmless(label) for label, _, _ in columns]
        arrays = [_written(column, recipe) for _, column, recipe in columns]
        fields = [pa.field(str(n), array.type) for n, array in enumerate(arrays)]
        batch = pa.record_batch(arrays, pa.schema(fields))
        sink = pa.BufferOutputStream()
        pa_csv.write_csv(batch, sink, pa_csv.WriteOptions(include_header=False))
        header = _header(names) if number == 0 else b""  # names may be there twice
        yield header + sink.getvalue().to_pybytes()


def _batches(located: Located) -> Iterator[list[tuple[str, Any, dict[str, Any]]]]:
    """Yield label, Arrow array and recipe of each column, some rows at a time."""
    if located.codec == frame.NAME:
        yield from _of_frame(located)
        return
    source = ObjectFile(located.key, located.bytes, BUDGET)
    _, table, whole = arrow_tables.beginning(source)
    if not whole:
        raise TooLarge
    batches = table.to_batches(CSV_ROWS) or [table.combine_chunks().to_batches()]
    for batch in batches:
        yield [
            (field.name, arrow_tables.plain(column), {})
            for field, column in zip(batch.schema, batch.columns, strict=True)
        ]


def _of_frame(located: Located) -> Iterator[list[tuple[str, Any, dict[str, Any]]]]:
    file = frames.open_file(ObjectFile(located.key, located.bytes, None), streamed=True)
    fields = labels.describe(file.schema_arrow).fields
    for batch in file.iter_batches(CSV_ROWS):
        columns = []
        for field in fields:
            column = batch.column(field.name)
            words = labels.categories(field.recipe)
            columns.append(
                (
                    field.label,
                    column if words is None else frames.decode(column, words),
                    field.recipe,
                )
            )
        yield columns


def _written(column: Any, recipe: dict[str, Any]) -> Any:
    """Return a column as Arrow's CSV writer can write it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if statistics.nan_is_missing(kind, recipe):
        return pc.if_else(pc.is_nan(column), pa.nulls(1, kind)[0], column)
    if pa.types.is_boolean(kind) or (statistics.is_number(kind) and not labels.is_period(recipe)):
        return column.cast(pa.large_string()) if pa.types.is_decimal(kind) else column
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        texts = column.cast(pa.large_string())
    else:
        texts = cells.strings(cells.texts(column, recipe, limit=None))
    risky = pc.match_substring_regex(texts, _FORMULA)
    quote = cells.strings(["'"])[0]
    nothing = cells.strings([""])[0]
    return pc.if_else(risky, pc.binary_join_element_wise(quote, texts, nothing), texts)


def _harmless(label: str) -> str:
    return f"'{label}" if label[:1] in ("=", "+", "-", "@", "\t", "\r", "\n") else label


def _header(names: list[str]) -> bytes:
    quoted = ('"' + name.replace('"', '""') + '"' for name in names)
    return (",".join(quoted) + "\n").encode()
