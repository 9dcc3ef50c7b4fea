"""pyarrow Table, RecordBatch, Array and ChunkedArray as an Arrow IPC file, exactly.

Schema, metadata and chunks are kept. A file holds record batches, in which all columns are cut at
the same rows. The first one is small: who wants to see the first rows need not unpack all of it.
Where the chunks of a column are others, their lengths are in the file's footer; so are the columns'
types where one is an extension type, which not every process knows. An Array or a ChunkedArray is
the only column, without a name. Columns whose chunks have different dictionaries are left to
`arrow_stream`, because a file has one dictionary per column.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from include.xcom_store.codecs.base import Data, Encoded, Sink, arrow_compression
from include.xcom_store.errors import ConfigurationError, ObjectCorrupt, ValueNotStorable

NAME = "pyarrow-ipc"
HEAD_ROWS, HEAD_BYTES = 1_000, 256 * 1024
"""Of the first batch, unless one row has more."""
WHOLE_BYTES = 1024 * 1024
"""In memory. What is smaller is not cut."""
_FOOTER = b"xcom_store"


def accepts(value: Any) -> bool:
    pa: Any = sys.modules.get("pyarrow")
    return bool(pa) and (
        type(value) in (pa.Table, pa.RecordBatch, pa.ChunkedArray) or isinstance(value, pa.Array)
    )


def encode(value: Any, compression: str) -> Encoded:
    import pyarrow as pa

    table = as_table(value)
    written = with_small_head(table)
    footer = make_footer(table, written)
    packing = pa.ipc.IpcWriteOptions(compression=arrow_compression(compression))

    def write(sink: Sink) -> None:
        file = pa.PythonFile(sink, "w")
        with pa.ipc.new_file(file, table.schema, options=packing, metadata=footer) as writer:
            if written is table and isinstance(value, (pa.RecordBatch, pa.Array)):
                is_batch = isinstance(value, pa.RecordBatch)
                writer.write_batch(value if is_batch else pa.record_batch([value], [""]))
            else:
                writer.write_table(written)

    return Encoded("arrow", write, summary(table), table.nbytes)


def decode(data: Data, type_name: str) -> Any:
    import pyarrow as pa

    with pa.ipc.open_file(pa.BufferReader(data)) as reader:
        footer = read_footer(reader.metadata, reader.schema)
        is_cut = "rows" in footer  # perhaps
        if not is_cut and not type_name.endswith((".Table", ".ChunkedArray")):
            return from_batch(reader.get_batch(0), type_name)  # also of no rows
        return from_table(reader.read_all(), footer.get("chunks"), type_name)


def as_table(value: Any) -> Any:
    """Return the Table that is written for a value; refuse what would come back changed."""
    import pyarrow as pa

    if isinstance(value, pa.RecordBatch):
        table = pa.Table.from_batches([value])
    elif isinstance(value, pa.Table):
        table = value
    else:
        table = pa.table([value], [""])
    if table.num_rows and not table.num_columns:
        raise ValueNotStorable("a table of rows without columns would lose them. Return the count.")
    read = pa.ipc.read_schema(table.schema.serialize())
    for field, back in zip(table.schema, read, strict=True):
        if not back.equals(field, check_metadata=True):
            raise ValueNotStorable(
                f"column {field.name!r} of type {field.type} would come back as {back.type}. "
                "Register the extension type (pyarrow.register_extension_type), or convert it."
            )
    return table


def with_small_head(table: Any) -> Any:
    """Return a table of the same rows, whose first batch is small."""
    import pyarrow as pa

    if table.nbytes <= WHOLE_BYTES or not (batches := table.to_batches()):
        return table
    rows = batches[0].num_rows
    head = max(1, min(HEAD_ROWS, rows, HEAD_BYTES * rows // max(1, batches[0].nbytes)))
    if head == rows:
        return table
    return pa.Table.from_batches([batches[0][:head], batches[0][head:], *batches[1:]])


def make_footer(table: Any, written: Any) -> dict[bytes, bytes] | None:
    """Return what is to be known of a table besides the batches that are written of it."""
    footer: dict[str, Any] = {}
    batches = [batch.num_rows for batch in written.to_batches()]
    chunks = [[len(chunk) for chunk in column.chunks] for column in table.columns]
    if any(lengths != batches for lengths in chunks):
        footer["chunks"] = chunks
    if table.nbytes > WHOLE_BYTES:
        footer["rows"], footer["bytes"] = table.num_rows, table.nbytes
    types = [str(kind) for kind in table.schema.types]
    if any("extension<" in name for name in types):
        footer["types"] = types
    return {_FOOTER: json.dumps(footer).encode()} if footer else None


def size_of(metadata: Any) -> tuple[int | None, int | None]:
    """Return rows and bytes of a table in memory, as its footer has them; None if it does not say.

    Nothing holds a file to it: what counts is what its batches have.
    """
    try:
        footer = json.loads((metadata or {}).get(_FOOTER, b"{}"))
        found = footer.get("rows"), footer.get("bytes")
    except (ValueError, AttributeError) as error:
        raise ObjectCorrupt(f"the Arrow file's footer is not ours ({error}).") from error
    return found if all(type(count) is int and count >= 0 for count in found) else (None, None)


def read_footer(metadata: Any, schema: Any) -> dict[str, Any]:
    """Return what `make_footer` noted.

    Raises:
        ConfigurationError: an extension type is not registered here.
    """
    footer: dict[str, Any] = json.loads((metadata or {}).get(_FOOTER, b"{}"))
    for field, written in zip(schema, footer.get("types", schema.types), strict=True):
        if str(field.type) != str(written):
            raise ConfigurationError(
                f"column {field.name!r} is of type {written}, here {field.type}: the extension "
                "type is not registered. Import what registers it before the pull."
            )
    return footer


def from_batch(batch: Any, type_name: str) -> Any:
    """Return the RecordBatch or the Array that was written as one batch."""
    return batch if type_name.endswith(".RecordBatch") else batch.column(0)


def from_table(table: Any, lengths: list[list[int]] | None, type_name: str) -> Any:
    """Return the value that was written as a table, its chunks as they were."""
    import pyarrow as pa

    if lengths is not None:
        schema, columns = table.schema, table.columns
        del table  # each column is let go when it has been put together
        columns.reverse()
        made = [_cut(columns.pop(), chunks) for chunks in lengths]
        table = pa.Table.from_arrays(made, schema=schema)
    if type_name.endswith(".Table"):
        return table
    if type_name.endswith(".ChunkedArray"):
        return table.column(0)
    return from_batch(table.to_batches()[0], type_name)


def _cut(column: Any, lengths: list[int]) -> Any:
    import pyarrow as pa

    chunks, start = [], 0
    for length in lengths:
        parts = column.slice(start, length).chunks if length else []
        empty = pa.nulls(0, column.type)
        chunks.append(parts[0] if len(parts) == 1 else pa.concat_arrays(parts or [empty]))
        start += length
    if start != len(column):
        raise ValueError(f"chunks of {start} rows in all, of a column of {len(column)}")
    return pa.chunked_array(chunks, column.type)


def summary(table: Any) -> str:
    """Return a line for people."""
    columns = ", ".join(f"{field.name} {field.type}".strip() for field in table.schema)
    return f"{table.num_rows:,} rows × {table.num_columns} columns: {columns}"
