"""How much memory an Arrow IPC message takes once it is unpacked, told before it is.

A column of zeros is often a thousandth of its size while it is compressed. Where batches lie and
how large they are is said by flatbuffers that pyarrow does not show:
https://github.com/apache/arrow/blob/main/format/File.fbs and Message.fbs
"""

from __future__ import annotations

import struct
from typing import Any


def unpacked_size(message: Any) -> int:
    """Return the bytes of a pyarrow Message's buffers in memory.

    Raises:
        struct.error: the message is damaged.
    """
    meta, content = memoryview(message.metadata), memoryview(message.body or b"")
    header = table(meta, number("<I", meta, 0), 2)
    batch = header if message.type == "record batch" else table(meta, header, 1)
    buffers, compression = field(meta, batch, 2), field(meta, batch, 3)
    if not compression or not buffers:
        return len(content)
    start = buffers + number("<I", meta, buffers)
    total = 0
    for index in range(number("<I", meta, start)):
        offset, length = struct.unpack_from("<qq", meta, start + 4 + 16 * index)
        if length:
            unpacked = number("<q", content, offset)
            total += length if unpacked < 0 else unpacked  # -1: left as it is
    return total


def number(form: str, data: memoryview, position: int) -> int:
    """Return the number at a position, in a format of `struct`."""
    return int(struct.unpack_from(form, data, position)[0])


def field(data: memoryview, table: int, number_of_field: int) -> int:
    """Return the position of a table's field; 0 if it is not there."""
    fields = table - number("<i", data, table)
    if 4 + 2 * number_of_field >= number("<H", data, fields):
        return 0
    offset = number("<H", data, fields + 4 + 2 * number_of_field)
    return table + offset if offset else 0


def table(data: memoryview, parent: int, number_of_field: int) -> int:
    """Return the position of the table that a field refers to."""
    position = field(data, parent, number_of_field)
    return position + number("<I", data, position)
