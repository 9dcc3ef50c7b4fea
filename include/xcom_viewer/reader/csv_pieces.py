"""Tables as CSV in UTF-8, piece by piece.

A spreadsheet takes a text that begins with = + - @ for a formula, and runs it. Such texts get an
apostrophe in front, in cells and in column names; numbers stay as they are. Bytes are hexadecimal,
cells of objects are JSON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from include.xcom_store.codecs import frames as frame_codec
from include.xcom_store.codecs.frames.describe import Field, describe, strings
from include.xcom_store.errors import ObjectCorrupt
from include.xcom_viewer.reader import arrow_tables, cells, frames, statistics
from include.xcom_viewer.shown import TooLarge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from include.xcom_viewer.reader.remote import Source

BATCH_ROWS, BATCH_CELLS = 2_000, 200_000
BATCH_BYTES = 4 * 1024 * 1024
"""Of the texts of rows that are written at once, unless one row has more."""
_FORMULA = "^[=+\\-@\t\r\n]"


def pieces(source: Source, codec: str) -> Iterator[bytes]:
    """Yield a table as CSV.

    Raises:
        TooLarge: a batch of an Arrow file is too large to be unpacked here, or a column has more
            categories than are known by their words.
        ObjectCorrupt: the object is damaged.
    """
    import pyarrow as pa
    import pyarrow.csv as pa_csv

    fields, batches = _read(source, codec)
    yield _header([field.label for field in fields])
    for batch in _checked(batches):
        for part in _small([_shown(batch.column(field.name), field) for field in fields]):
            columns = [_written(column, field) for column, field in zip(part, fields, strict=True)]
            # Arrow wants names that differ; a frame's need not.
            written = pa.table(columns, [str(number) for number in range(len(columns))])
            sink = pa.BufferOutputStream()
            pa_csv.write_csv(written, sink, pa_csv.WriteOptions(include_header=False))
            yield sink.getvalue().to_pybytes()


def _read(source: Source, codec: str) -> tuple[list[Field], Iterator[Any]]:
    """Return the columns of a table, and its record batches."""
    if codec == frame_codec.NAME:
        file = frames.open_file(source, streamed=True)
        fields = describe(file).fields
        if cut := [field.label for field in fields if field.has_more]:
            raise TooLarge(f"column {cut[0]} has more categories than the file has words for")
        rows = frames.rows_of_cells(file.metadata, BATCH_CELLS)
        return fields, file.iter_batches(min(rows, BATCH_ROWS), use_threads=False)
    table = arrow_tables.whole(source)
    fields = [Field(str(n), field.name, "", is_index=False) for n, field in enumerate(table.schema)]
    rows = max(1, min(BATCH_ROWS, BATCH_CELLS // max(1, len(fields))))
    return fields, iter(table.rename_columns([f.name for f in fields]).to_batches(rows))


def _checked(batches: Iterator[Any]) -> Iterator[Any]:
    import pyarrow as pa

    try:
        for batch in batches:
            batch.validate(full=True)
            yield batch
    except (pa.ArrowInvalid, OSError) as error:
        raise ObjectCorrupt(f"a part of the file is damaged ({error}).") from error


def _small(columns: list[Any]) -> Iterator[list[Any]]:
    """Yield columns in parts whose cells take no more than `BATCH_BYTES`, or are one row."""
    rows = len(columns[0]) if columns else 0
    if rows > 1 and sum(map(_unpacked, columns)) > BATCH_BYTES:
        half = rows // 2
        yield from _small([column.slice(0, half) for column in columns])
        yield from _small([column.slice(half) for column in columns])
    else:
        yield columns


def _unpacked(column: Any) -> int:
    """Return the bytes of a column's cells, each word of a dictionary as often as it occurs."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type.value_type if pa.types.is_dictionary(column.type) else None
    if kind is None or not (pa.types.is_large_string(kind) or pa.types.is_string(kind)):
        return int(column.nbytes)
    return int(pc.sum(pc.binary_length(column.dictionary).take(column.indices)).as_py() or 0)


def _shown(column: Any, field: Field) -> Any:
    """Return a batch's column of types that Arrow's functions know, as one array."""
    shown = arrow_tables.plain(field.to_show(column))
    return shown.combine_chunks() if hasattr(shown, "chunks") else shown


def _written(column: Any, field: Field) -> Any:
    """Return a column as Arrow's CSV writer can write it."""
    import pyarrow as pa
    import pyarrow.compute as pc

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
        texts = strings(cells.texts(column, field.meaning, limit=None))
    if pa.types.is_temporal(kind):  # a duration may begin with a minus, and is no formula
        return texts
    risky = pc.match_substring_regex(texts, _FORMULA)
    quote = strings(["'"])[0]
    nothing = strings([""])[0]
    return pc.if_else(risky, pc.binary_join_element_wise(quote, texts, nothing), texts)


def _harmless(label: str) -> str:
    return f"'{label}" if label[:1] in ("=", "+", "-", "@", "\t", "\r", "\n") else label


def _header(names: list[str]) -> bytes:
    quoted = ('"' + _harmless(name).replace('"', '""') + '"' for name in names)
    return (",".join(quoted) + "\n").encode()
