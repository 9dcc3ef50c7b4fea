"""The beginning of an Arrow IPC file: pyarrow tables, polars frames.

Such a file is read batch by batch. The first one is small by design, and all of a large file that a
page reads; of a small file it reads on for as long as little memory is taken.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from include.xcom_store.codecs.arrow import size_of
from include.xcom_store.codecs.frames.describe import Field
from include.xcom_store.errors import ObjectCorrupt
from include.xcom_viewer.reader import tables
from include.xcom_viewer.reader.cells import PLAIN
from include.xcom_viewer.shown import NoPreview, TooLarge
from include.xcom_viewer.shown.tables import (
    MAX_PROFILED,
    PAGE_COLUMNS,
    PAGE_ROWS,
    ColumnView,
    Profile,
    TablePage,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from include.xcom_viewer.reader.remote import Source


AHEAD_BYTES = 256 * 1024
"""In one request at least: a table may be of thousands of batches, and each takes two."""


def preview(source: Source, first_row: int, first_column: int) -> TablePage:
    """Return a page of a table; see `frames.preview`."""
    schema, data, total = _beginning(source)
    rows = data.num_rows
    is_whole = rows == total
    first_column = min(first_column, max(0, len(schema) - 1))
    first_row = min(first_row, max(0, rows - 1))
    stop = min(first_row + PAGE_ROWS, rows)
    table = TablePage(
        rows=total,
        columns_total=len(schema),
        columns=[],
        rows_read=rows,
        rows_read_words="all rows" if is_whole else f"the first {rows:,} rows",
        first_row=first_row,
        readable_rows=rows,
        row_labels=[str(row) for row in range(first_row, stop)],
        first_column=first_column,
    )
    for position in range(first_column, min(first_column + PAGE_COLUMNS, len(schema))):
        one = schema.field(position)
        column = _view(one, position)
        tables.fill(column, plain(data.column(position)), first_row, stop, PLAIN)
        table.columns.append(column)
    if not is_whole:
        table.unread = (
            f"Only the first {rows:,} rows are shown. The rest lies in parts of the file that are "
            "too large to read for a page; the download has it."
        )
    return table


def profile(source: Source) -> Profile:
    """Return columns and rows; such a file's end tells no figures, of a small one not even rows."""
    import pyarrow as pa

    with _known_failures():
        file = pa.ipc.open_file(source.file())
        rows, _bytes = size_of(file.metadata)
    if rows is None:
        _schema, _data, rows = _beginning(source)
    shown = range(min(MAX_PROFILED, len(file.schema)))
    views = [_view(file.schema.field(position), position) for position in shown]
    return Profile(rows, views, len(file.schema))


def two_columns(source: Source, positions: list[int]) -> tuple[list[Field], list[Any], str]:
    """Return two columns of the first rows; see `frames.two_columns`."""
    schema, data, total = _beginning(source)
    chosen = [schema.field(position) for position in positions]
    fields = [Field(one.name, one.name, str(one.type), is_index=False) for one in chosen]
    columns = [plain(data.column(position)) for position in positions]
    rows = data.num_rows
    return fields, columns, "all rows" if rows == total else f"the first {rows:,} rows"


def _view(one: Any, position: int) -> ColumnView:
    return ColumnView(one.name, str(one.type), tables.family(one.type), position=position)


def whole(source: Source) -> Any:
    """Return all of a table.

    Raises:
        TooLarge: it is too large to be held in memory.
        NoPreview, ObjectCorrupt: see `preview`.
    """
    _schema, table, total = _beginning(source)
    if table.num_rows != total or table.nbytes > tables.MAX_UNPACKED_BYTES:
        raise TooLarge
    return table


@contextmanager
def _known_failures() -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except pa.ArrowNotImplementedError as error:  # 128-bit integers of polars
        raise NoPreview(str(error)) from error
    except (pa.ArrowInvalid, pa.ArrowKeyError, pa.ArrowSerializationError, OSError) as error:
        raise ObjectCorrupt(f"the object is not a readable Arrow file ({error}).") from error


def _beginning(source: Source) -> tuple[Any, Any, int | None]:
    """Return the schema, the batches that could be read as a table, and the rows of all, if known.

    Raises:
        TooLarge: not even the first batch can be read.
        NoPreview: pyarrow does not know one of the types.
        ObjectCorrupt: it is not an Arrow file.
    """
    import pyarrow as pa

    with _known_failures():
        file = pa.ipc.open_file(source.file(AHEAD_BYTES))
        total, unpacked = size_of(file.metadata)
        most = tables.MAX_UNPACKED_BYTES
        wanted = file.num_record_batches if (unpacked or 0) <= most else 1
        found: list[Any] = []
        for number in range(wanted):
            try:
                batch = file.get_batch(number)
            except (TooLarge, MemoryError):
                if not found:
                    raise
                break
            batch.validate(full=True)
            found.append(batch)
            if (most := most - batch.nbytes) < 0:
                break
        table = pa.Table.from_batches(found, file.schema)
    if len(found) == file.num_record_batches:
        total = table.num_rows
    return file.schema, table, total


def plain(column: Any) -> Any:
    """Return a column of types that Arrow's functions know: texts as such, not as views of them."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind) and pa.types.is_string_view(kind.value_type):
        parts = column.chunks if hasattr(column, "chunks") else [column]
        made = pa.DictionaryArray.from_arrays
        made_of = [made(part.indices, part.dictionary.cast(pa.large_string())) for part in parts]
        return pa.chunked_array(made_of, pa.dictionary(kind.index_type, pa.large_string()))
    if pa.types.is_string_view(kind):
        return column.cast(pa.large_string())
    return column.cast(pa.large_binary()) if pa.types.is_binary_view(kind) else column
