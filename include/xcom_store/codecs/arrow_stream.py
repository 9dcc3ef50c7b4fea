"""pyarrow Table and ChunkedArray whose chunks have different dictionaries, as an Arrow IPC stream.

`pyarrow.concat_tables` makes such tables. In a stream a dictionary may be replaced, in a file not.
"""

from __future__ import annotations

import sys
from typing import Any

from include.xcom_store.codecs import arrow
from include.xcom_store.codecs.base import Data, Encoded, Sink, arrow_compression

NAME = "pyarrow-ipc_stream"


def accepts(value: Any) -> bool:
    pa: Any = sys.modules.get("pyarrow")
    if not pa or type(value) not in (pa.Table, pa.ChunkedArray):
        return False
    return any(map(_changes_dictionary, value.columns if type(value) is pa.Table else [value]))


def _changes_dictionary(column: Any) -> bool:
    if column.num_chunks < 2:
        return False
    if "dictionary" not in str(column.type):
        return False
    if not hasattr(column.chunk(0), "dictionary"):
        return True  # one is somewhere inside
    first, *others = [chunk.dictionary for chunk in column.chunks]
    return not all(first.equals(other) for other in others)


def encode(value: Any, compression: str) -> Encoded:
    import pyarrow as pa

    table = arrow.as_table(value)
    packing = pa.ipc.IpcWriteOptions(compression=arrow_compression(compression))

    def write(sink: Sink) -> None:
        footer = arrow.make_footer(table, table)
        with pa.ipc.new_stream(pa.PythonFile(sink, "w"), table.schema, options=packing) as stream:
            for batch in table.to_batches():
                stream.write_batch(batch, custom_metadata=footer)
                footer = None

    return Encoded("arrows", write, arrow.summary(table), table.nbytes)


def decode(data: Data, type_name: str) -> Any:
    import pyarrow as pa

    with pa.ipc.open_stream(pa.BufferReader(data)) as reader:
        found = [*reader.iter_batches_with_custom_metadata()]
        table = pa.Table.from_batches([one.batch for one in found], reader.schema)
    footer = arrow.read_footer(found[0].custom_metadata, table.schema)
    return arrow.from_table(table, footer.get("chunks"), type_name)
