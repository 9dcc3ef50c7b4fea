"""What is in an object, for people: rows or JSON, read by the key's extension alone.

Nothing here gives back the value that was pushed, type for type; `values.pull` does.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, NamedTuple

from include.xcom_store.codecs import json_text, npy
from include.xcom_store.errors import ObjectCorrupt, XComStoreError
from include.xcom_store.store import PART
from include.xcom_tools.errors import ToolError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from include.xcom_tools.listing import Bucket

BATCH = 1000
"""Rows made at once."""


class Rows(NamedTuple):
    """A table, its rows made as they are asked for."""

    columns: list[str]
    total: int
    rows: Iterator[dict[str, Any]]


class Ranges(io.RawIOBase):
    """An object as a file that can be read from any position, each read one request."""

    def __init__(self, bucket: Bucket, key: str) -> None:
        self._bucket, self._key = bucket, key
        self._size = bucket.size(key)
        self._at = 0

    def readable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Set the position, and return it."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = base + offset
        return self._at

    def readinto(self, target: Any) -> int:
        """Fill a buffer from the position on; return how many bytes it took."""
        end = min(self._at + len(target), self._size)
        if end <= self._at:
            return 0
        data = self._bucket.read_range(self._key, self._at, end)
        target[: len(data)] = data
        self._at = end
        return len(data)


def read(bucket: Bucket, key: str) -> Any:
    """Return `Rows` for what is a table, else what JSON can say.

    Raises:
        ToolError: this backend writes no objects of such a name.
        ObjectCorrupt: it is not what its name says.
    """
    name = key.rsplit("/", 1)[-1]
    reader = next((made for end, made in _READERS.items() if name.endswith(f".{end}")), None)
    if reader is None:
        ends = ", ".join(_READERS)
        raise ToolError(f"{bucket.uri(key)} is none of {ends}. --raw prints its bytes.")
    file = Ranges(bucket, key)
    try:
        return reader(file)
    except XComStoreError:
        raise
    except Exception as error:  # whatever a parser makes of it
        raise ObjectCorrupt(
            f"{bucket.uri(key)} cannot be read as {name.partition('.')[2]}: "
            f"{type(error).__name__}: {error}"
        ) from error


def parts(bucket: Bucket, key: str) -> Iterator[bytes]:
    """Return an object's bytes, piece by piece."""
    size = bucket.size(key)
    for start in range(0, size, PART):
        yield bucket.read_range(key, start, min(start + PART, size))


def _parquet(file: Ranges) -> Rows:
    import pyarrow as pa
    import pyarrow.parquet as pq

    # Row group by row group, of which the columns' neighbouring bytes are read in one request.
    table = pq.ParquetFile(pa.PythonFile(file, "r"), pre_buffer=True)
    rows = (
        row
        for group in range(table.num_row_groups)
        for batch in table.iter_batches(BATCH, row_groups=[group])
        for row in batch.to_pylist()
    )
    return Rows(table.schema_arrow.names, table.metadata.num_rows, rows)


def _arrow(file: Ranges) -> Rows:
    import pyarrow as pa

    data = file.readall()
    try:
        table = pa.ipc.open_file(io.BytesIO(data)).read_all()
    except pa.ArrowNotImplementedError:  # polars has integers of 128 bits
        import polars as pl

        frame = pl.read_ipc(io.BytesIO(data))
        return Rows(frame.columns, frame.height, frame.iter_rows(named=True))
    rows = (row for batch in table.to_batches(BATCH) for row in batch.to_pylist())
    return Rows(table.column_names, table.num_rows, rows)


def _npy(file: Ranges) -> Any:
    array = npy.decode(file.readall(), "")
    if array.ndim == 0:
        return array.item()
    if array.dtype.names:
        columns = list(array.dtype.names)
        rows = (dict(zip(columns, row.tolist(), strict=True)) for row in array.reshape(-1))
        return Rows(columns, array.size, rows)
    columns = [str(n) for n in range(array[0].size if len(array) else 0)]
    rows = (dict(zip(columns, row.reshape(-1).tolist(), strict=True)) for row in array)
    return Rows(columns, len(array), rows)


def _json(file: Ranges) -> Any:
    return json_text.decode(file.readall(), "")


def _binary(file: Ranges) -> Any:
    head = file.read(16)
    return {"bytes": file.seek(0, io.SEEK_END), "begins_with": head.hex(" ") if head else ""}


_READERS: dict[str, Callable[[Ranges], Any]] = {
    "parquet": _parquet,
    "arrow": _arrow,
    "npy": _npy,
    "json": _json,
    "json.zst": _json,
    "bin": _binary,
}
"""By the extension of the object's key."""
