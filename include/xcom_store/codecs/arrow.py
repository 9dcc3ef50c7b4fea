"""pyarrow Table and RecordBatch as an Arrow IPC file: schema, metadata and chunks as they are."""

from __future__ import annotations

import sys
from typing import Any

from include.xcom_store.codecs.base import Encoded, Sink

NAME = "pyarrow-ipc"


def accepts(value: Any) -> bool:
    pa: Any = sys.modules.get("pyarrow")
    return bool(pa) and type(value) in (pa.Table, pa.RecordBatch)


def encode(value: Any, compression: str) -> Encoded:
    import pyarrow as pa

    options = pa.ipc.IpcWriteOptions(compression=None if compression == "none" else compression)

    def write(sink: Sink) -> None:
        with pa.ipc.new_file(pa.PythonFile(sink, "w"), value.schema, options=options) as writer:
            writer.write(value)

    columns = ", ".join(f"{field.name} {field.type}" for field in value.schema)
    summary = f"{value.num_rows:,} rows × {value.num_columns} columns: {columns}"
    return Encoded("arrow", write, summary)


def decode(data: bytes | bytearray, type_name: str) -> Any:
    import pyarrow as pa

    with pa.ipc.open_file(pa.BufferReader(data)) as reader:
        return reader.get_batch(0) if type_name.endswith("RecordBatch") else reader.read_all()
