"""pyarrow Table and RecordBatch as an Arrow IPC file: schema, metadata and chunks as they are."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from include.xcom_store.codecs.base import Encoded

if TYPE_CHECKING:
    from include.xcom_store.codecs.base import Sink

NAME = "arrow"


def accepts(value: Any, _least: int) -> bool:
    pa: Any = sys.modules.get("pyarrow")
    return bool(pa) and type(value) in (pa.Table, pa.RecordBatch)


def encode(value: Any, compression: str) -> Encoded:
    import pyarrow as pa

    options = pa.ipc.IpcWriteOptions(compression=None if compression == "none" else compression)

    def write(sink: Sink) -> None:
        with pa.ipc.new_file(pa.PythonFile(sink, "w"), value.schema, options=options) as writer:
            writer.write(value)

    shape = f"{value.num_rows:,} rows × {value.num_columns} columns"
    columns = ", ".join(f"{field.name} {field.type}" for field in value.schema)
    return Encoded("arrow", write, f"{shape}: {columns}")


def decode(data: bytes | bytearray, type_name: str) -> Any:
    import pyarrow as pa

    with pa.ipc.open_file(pa.BufferReader(data)) as reader:
        if type_name.endswith("RecordBatch"):
            return reader.get_batch(0)
        return reader.read_all()
