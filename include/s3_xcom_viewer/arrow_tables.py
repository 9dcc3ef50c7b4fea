"""The beginning of an Arrow IPC file: pyarrow tables, polars frames.

Such a file is read batch by batch, and one batch may be all of it. So each is looked at before it
is unpacked: its columns are often a thousandth of their size while they are compressed.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from include.s3_xcom.errors import ObjectCorrupt, S3XComError
from include.s3_xcom_viewer import tables
from include.s3_xcom_viewer.bucket import NoPreview, TooLarge
from include.s3_xcom_viewer.tables import Column, Table

if TYPE_CHECKING:
    from include.s3_xcom_viewer.bucket import ObjectFile

_MAGIC = b"ARROW1"
_TAIL = 16 * 1024
"""Bytes; holds most footers."""


def preview(source: ObjectFile, first_row: int, first_column: int) -> Table:
    """Return a page of a table; see `frames.preview`."""
    import pyarrow as pa

    try:
        schema, data, whole = beginning(source)
    except (S3XComError, TooLarge):
        raise
    except pa.ArrowNotImplementedError as error:  # 128-bit integers of polars
        raise NoPreview(str(error)) from error
    except (pa.ArrowException, OSError, ValueError, struct.error) as error:
        raise ObjectCorrupt(f"the object is not a readable Arrow file ({error}).") from error
    first_column = min(first_column, max(0, len(schema) - 1))
    rows = 0 if data is None else data.num_rows
    first_row = min(first_row, max(0, rows - 1))
    stop = min(first_row + tables.PAGE_ROWS, rows)
    table = Table(
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
        field = schema.field(position)
        column = Column(field.name, str(field.type), tables.family(field.type))
        if data is not None:
            tables.fill(column, plain(data.column(position)), first_row, stop, {})
        table.columns.append(column)
    if not whole:
        table.unread = (
            f"Only the first {rows:,} rows are shown. The rest lies in parts of the file that are "
            "too large to read for a page; the download has it."
        )
    return table


def beginning(source: ObjectFile) -> tuple[Any, Any, bool]:
    """Return the schema, the batches that could be read as a table, and whether they are all."""
    import pyarrow as pa

    dictionaries, batches = _blocks(source)
    reader = pa.ipc.open_file(pa.PythonFile(source, "r"))
    room, readable = tables.MAX_MEMORY, 0
    try:
        for number, block in enumerate(dictionaries + batches):
            room -= _unpacked_size(_message(source, block))
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


# Where the batches lie, and how large they are, is said by flatbuffers that pyarrow does not show:
# https://github.com/apache/arrow/blob/main/format/File.fbs and Message.fbs


class _Block(NamedTuple):
    start: int
    metadata: int
    body: int


def _blocks(source: ObjectFile) -> tuple[list[_Block], list[_Block]]:
    """Return where the dictionaries and the record batches of a file lie."""
    source.seek(max(0, source.size - _TAIL))
    tail = source.read()
    if tail[-6:] != _MAGIC:
        raise ObjectCorrupt("the object is not an Arrow file.")
    length = _number("<i", memoryview(tail), len(tail) - 10)
    source.seek(source.size - 10 - length)
    footer = memoryview(source.read(length))
    root = _number("<I", footer, 0)
    return _listed(footer, _field(footer, root, 2)), _listed(footer, _field(footer, root, 3))


def _listed(footer: memoryview, field: int) -> list[_Block]:
    if not field:
        return []
    start = field + _number("<I", footer, field)
    count = _number("<I", footer, start)
    return [
        _Block(*struct.unpack_from("<qi4xq", footer, start + 4 + 24 * index))
        for index in range(count)
    ]


def _message(source: ObjectFile, block: _Block) -> Any:
    import pyarrow as pa

    source.seek(block.start)
    return pa.ipc.read_message(source.read(block.metadata + block.body))


def _unpacked_size(message: Any) -> int:
    """Return the bytes of a message's buffers in memory."""
    meta, content = memoryview(message.metadata), memoryview(message.body)
    header = _table(meta, _number("<I", meta, 0), 2)
    batch = header if message.type == "record batch" else _table(meta, header, 1)
    buffers, compression = _field(meta, batch, 2), _field(meta, batch, 3)
    if not compression or not buffers:
        return len(content)
    start = buffers + _number("<I", meta, buffers)
    total = 0
    for index in range(_number("<I", meta, start)):
        offset, length = struct.unpack_from("<qq", meta, start + 4 + 16 * index)
        if length:
            unpacked = _number("<q", content, offset)
            total += length if unpacked < 0 else unpacked  # -1: left as it is
    return total


def _number(form: str, data: memoryview, position: int) -> int:
    return int(struct.unpack_from(form, data, position)[0])


def _field(data: memoryview, table: int, number: int) -> int:
    """Return the position of a table's field; 0 if it is not there."""
    fields = table - _number("<i", data, table)
    if 4 + 2 * number >= _number("<H", data, fields):
        return 0
    offset = _number("<H", data, fields + 4 + 2 * number)
    return table + offset if offset else 0


def _table(data: memoryview, table: int, number: int) -> int:
    """Return the position of the table that a field refers to."""
    position = _field(data, table, number)
    return position + _number("<I", data, position)
