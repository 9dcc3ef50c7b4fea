"""What an object holds, for people: rows or JSON, read by the key's extension alone.

Nothing here gives back the value that was pushed, type for type; `values.pull` does.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, NamedTuple

from include.xcom_store import documents
from include.xcom_store.codecs import json_text, npy
from include.xcom_store.errors import ObjectCorrupt, XComStoreError
from include.xcom_store.stores.base import GET_PART_BYTES
from include.xcom_tools.errors import ToolError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from include.xcom_store.stores.base import Store
    from include.xcom_store.stores.files import ObjectFile

BATCH_ROWS = 1000
"""Made at once."""


class RowStream(NamedTuple):
    """A table, its rows made as they are asked for."""

    columns: list[str]
    total: int
    rows: Iterator[dict[str, Any]]


def read(store: Store, key: str) -> Any:
    """Return a `RowStream` for what is a table, else what JSON can say.

    Raises:
        ToolError: this backend writes no objects of such a name.
        ObjectCorrupt: it is not what its name says.
    """
    name = key.rsplit("/", 1)[-1]
    reader = next((made for end, made in _READERS.items() if name.endswith(f".{end}")), None)
    if reader is None:
        ends = ", ".join(_READERS)
        raise ToolError(f"{store.uri(key)} is none of {ends}. --raw prints its bytes.")
    file = store.open(key)
    try:
        return reader(file)
    except XComStoreError:
        raise
    except Exception as error:  # whatever a parser makes of it
        raise ObjectCorrupt(
            f"{store.uri(key)} cannot be read as {name.partition('.')[2]}: "
            f"{type(error).__name__}: {error}"
        ) from error


def pieces(file: ObjectFile) -> Iterator[bytes]:
    """Return what is left of a file, piece by piece."""
    return iter(lambda: file.read(GET_PART_BYTES), b"")


def _parquet(file: ObjectFile) -> RowStream:
    import pyarrow as pa
    import pyarrow.parquet as pq

    # Row group by row group, of which the columns' neighbouring bytes are read in one request.
    table = pq.ParquetFile(pa.PythonFile(file, "r"), pre_buffer=True)
    rows = (
        row
        for group in range(table.num_row_groups)
        for batch in table.iter_batches(BATCH_ROWS, row_groups=[group])
        for row in batch.to_pylist()
    )
    return RowStream(table.schema_arrow.names, table.metadata.num_rows, rows)


def _arrow(file: ObjectFile) -> RowStream:
    import pyarrow as pa

    data = _whole(file)
    try:
        table = pa.ipc.open_file(io.BytesIO(data)).read_all()
    except pa.ArrowNotImplementedError:  # polars has integers of 128 bits
        import polars as pl

        frame = pl.read_ipc(io.BytesIO(data))
        return RowStream(frame.columns, frame.height, frame.iter_rows(named=True))
    return _table(table)


def _arrow_stream(file: ObjectFile) -> RowStream:
    import pyarrow as pa

    return _table(pa.ipc.open_stream(_whole(file)).read_all())


def _table(table: Any) -> RowStream:
    rows = (row for batch in table.to_batches(BATCH_ROWS) for row in batch.to_pylist())
    return RowStream(table.column_names, table.num_rows, rows)


def _npy(file: ObjectFile) -> Any:
    array = npy.decode(_whole(file), "")
    if array.ndim == 0:
        return array.item()
    if array.dtype.names:
        columns = list(array.dtype.names)
        rows = (dict(zip(columns, row.tolist(), strict=True)) for row in array.reshape(-1))
        return RowStream(columns, array.size, rows)
    columns = [str(n) for n in range(array[0].size if len(array) else 0)]
    rows = (dict(zip(columns, row.reshape(-1).tolist(), strict=True)) for row in array)
    return RowStream(columns, len(array), rows)


def _json(file: ObjectFile) -> Any:
    _leaves, document = documents.split_leaves(json_text.decode(_whole(file)))
    return document


def _binary(file: ObjectFile) -> Any:
    head = file.read(16)
    return {"bytes": file.size, "begins_with": head.hex(" ") if head else ""}


def _whole(file: ObjectFile) -> bytes:
    return b"".join(pieces(file))


_READERS: dict[str, Callable[[ObjectFile], Any]] = {
    "parquet": _parquet,
    "arrow": _arrow,
    "arrows": _arrow_stream,
    "npy": _npy,
    "json": _json,
    "json.zst": _json,
    "bin": _binary,
}
"""By the extension of the object's key."""
