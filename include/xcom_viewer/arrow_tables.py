"""The beginning of an Arrow IPC file: pyarrow tables, polars frames.

Such a file is read batch by batch, and one batch may be all of it. So each is looked at before it
is unpacked: its columns are often a thousandth of their size while they are compressed.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from include.xcom_store.codecs.arrow_messages import field, number, unpacked_size
from include.xcom_store.errors import ObjectCorrupt, XComStoreError
from include.xcom_viewer import tables
from include.xcom_viewer.cells import PLAIN
from include.xcom_viewer.source import NoPreview, TooLarge
from include.xcom_viewer.tables import ColumnView, TablePage

if TYPE_CHECKING:
    from include.xcom_viewer.source import Source

_MAGIC = b"ARROW1"
_TAIL_BYTES = 16 * 1024
"""Holds most footers."""


def preview(source: Source, first_row: int, first_column: int) -> TablePage:
    """Return a page of a table; see `frames.preview`."""
    schema, data, whole = beginning(source)
    first_column = min(first_column, max(0, len(schema) - 1))
    rows = 0 if data is None else data.num_rows
    first_row = min(first_row, max(0, rows - 1))
    stop = min(first_row + tables.PAGE_ROWS, rows)
    table = TablePage(
        rows=rows if whole else None,
        columns_total=len(schema),
        columns=[],
        rows_read=rows,
        rows_read_words="all rows" if whole else f"the first {rows:,} rows",
        first_row=first_row,
        readable_rows=rows,
        row_labels=[str(row) for row in range(first_row, stop)],
        first_column=first_column,
    )
    for position in range(first_column, min(first_column + tables.PAGE_COLUMNS, len(schema))):
        one = schema.field(position)
        column = ColumnView(one.name, str(one.type), tables.family(one.type))
        if data is not None:
            tables.fill(column, plain(data.column(position)), first_row, stop, PLAIN)
        table.columns.append(column)
    if not whole:
        table.unread = (
            f"Only the first {rows:,} rows are shown. The rest lies in parts of the file that are "
            "too large to read for a page; the download has it."
        )
    return table


def beginning(source: Source) -> tuple[Any, Any, bool]:
    """Return the schema, the batches that could be read as a table, and whether they are all.

    Raises:
        TooLarge: not even the footer can be read within the budget.
        NoPreview: pyarrow does not know one of the types.
        ObjectCorrupt: it is not an Arrow file.
    """
    import pyarrow as pa

    try:
        return _beginning(source)
    except (XComStoreError, TooLarge):
        raise
    except pa.ArrowNotImplementedError as error:  # 128-bit integers of polars
        raise NoPreview(str(error)) from error
    except (pa.ArrowException, OSError, ValueError, struct.error) as error:
        raise ObjectCorrupt(f"the object is not a readable Arrow file ({error}).") from error


def _beginning(source: Source) -> tuple[Any, Any, bool]:
    import pyarrow as pa

    dictionaries, batches = _blocks(source)
    reader = pa.ipc.open_file(pa.PythonFile(source.file(), "r"))
    room, readable = tables.MAX_UNPACKED_BYTES, 0
    try:
        for number, block in enumerate(dictionaries + batches):
            room -= unpacked_size(_message(source, block))
            if room < 0:
                raise TooLarge
            readable = max(0, number + 1 - len(dictionaries))
    except TooLarge:
        pass
    whole = readable == len(batches)
    if not readable:
        return reader.schema, reader.schema.empty_table() if whole else None, whole
    found = [reader.get_batch(number) for number in range(readable)]
    return reader.schema, pa.Table.from_batches(found), whole


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


class _Block(NamedTuple):
    start: int
    metadata: int
    body: int


def _blocks(source: Source) -> tuple[list[_Block], list[_Block]]:
    """Return where the dictionaries and the record batches of a file lie."""
    tail = source.read(max(0, source.size - _TAIL_BYTES), source.size)
    if tail[-6:] != _MAGIC:
        raise ObjectCorrupt("the object is not an Arrow file.")
    length = number("<i", memoryview(tail), len(tail) - 10)
    end = source.size - 10
    footer = memoryview(source.read(end - length, end))
    root = number("<I", footer, 0)
    return _listed(footer, field(footer, root, 2)), _listed(footer, field(footer, root, 3))


def _listed(footer: memoryview, position: int) -> list[_Block]:
    if not position:
        return []
    start = position + number("<I", footer, position)
    count = number("<I", footer, start)
    return [
        _Block(*struct.unpack_from("<qi4xq", footer, start + 4 + 24 * index))
        for index in range(count)
    ]


def _message(source: Source, block: _Block) -> Any:
    import pyarrow as pa

    end = block.start + block.metadata + block.body
    return pa.ipc.read_message(source.read(block.start, end))
