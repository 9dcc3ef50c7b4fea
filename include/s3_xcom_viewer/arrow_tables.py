"""The beginning of an Arrow IPC file: pyarrow tables, polars frames.

Such a file is read batch by batch, and one batch may be all of it. So each is looked at before it
is unpacked: its columns are often a thousandth of their size while they are compressed.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from include.s3_xcom.errors import ObjectCorrupt, S3XComError
from include.s3_xcom_viewer import tables
from include.s3_xcom_viewer.bucket import TooLarge
from include.s3_xcom_viewer.tables import Column, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from include.s3_xcom_viewer.bucket import ObjectFile

_MAGIC = b"ARROW1\0\0"
_END = b"\xff\xff\xff\xff\0\0\0\0"


def preview(source: ObjectFile, first_row: int, first_column: int) -> Table:
    """Return a page of a table; see `frames.preview`."""
    import pyarrow as pa

    try:
        schema, data, whole = beginning(source)
    except (S3XComError, TooLarge):
        raise
    except (pa.ArrowException, OSError, StopIteration, struct.error) as error:
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
        table.notes.append(
            f"Only the first {rows:,} rows are shown. The rest lies in parts of the file that are "
            "too large to read for a page; the download has it."
        )
    table.bytes_read = source.bytes_read
    return table


def beginning(source: ObjectFile) -> tuple[Any, Any, bool]:
    """Return the schema, the batches that could be read as a table, and whether they are all."""
    import pyarrow as pa

    if source.read(len(_MAGIC)) != _MAGIC:
        raise ObjectCorrupt("the object is not an Arrow file.")
    messages = pa.ipc.MessageReader.open_stream(pa.PythonFile(source, "r"))
    first = messages.read_next_message()
    taken, room, whole = [first], tables.MAX_MEMORY, False
    batches = 0
    try:
        for message in _rest(messages):
            room -= _unpacked_size(message)
            if room < 0:
                raise TooLarge
            taken.append(message)
            batches += message.type == "record batch"
        whole = True
    except TooLarge:
        pass
    schema = pa.ipc.read_schema(first)
    if not batches:
        return schema, schema.empty_table() if whole else None, whole
    stream = b"".join(message.serialize().to_pybytes() for message in taken) + _END
    with pa.ipc.open_stream(stream) as reader:
        return schema, reader.read_all(), whole


def _rest(messages: Any) -> Iterator[Any]:
    while True:
        try:
            yield messages.read_next_message()
        except StopIteration:
            return


def plain(column: Any) -> Any:
    """Return a column of a type that Arrow's functions know."""
    import pyarrow as pa

    if pa.types.is_string_view(column.type):
        return column.cast(pa.large_string())
    return column.cast(pa.large_binary()) if pa.types.is_binary_view(column.type) else column


# What a message says of its buffers, in the flatbuffer of its metadata:
# https://github.com/apache/arrow/blob/main/format/Message.fbs


def _unpacked_size(message: Any) -> int:
    """Return the bytes of a message's buffers in memory."""
    data, body = message.metadata, message.body
    meta = memoryview(data)
    if body is None:
        return 0
    header = _table(meta, _root(meta), 2)
    batch = header if message.type == "record batch" else _table(meta, header, 1)
    buffers, compression = _field(meta, batch, 2), _field(meta, batch, 3)
    if not compression or not buffers:
        return int(body.size)
    start = buffers + _number("<I", meta, buffers)
    content = memoryview(body)
    total = 0
    for index in range(_number("<I", meta, start)):
        offset, length = struct.unpack_from("<qq", meta, start + 4 + 16 * index)
        if length:
            unpacked = _number("<q", content, offset)
            total += length if unpacked < 0 else unpacked  # -1: left as it is
    return total


def _number(form: str, data: memoryview, position: int) -> int:
    return int(struct.unpack_from(form, data, position)[0])


def _root(data: memoryview) -> int:
    return _number("<I", data, 0)


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
