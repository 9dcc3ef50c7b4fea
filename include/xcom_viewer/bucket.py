"""Reading from the bucket for a page: parts of objects, soon or not at all.

The store is the backend's, with its settings, connection and errors; only its timeouts are those of
a page that somebody is waiting for.
"""

from __future__ import annotations

import io
import time
from functools import lru_cache

from include.xcom_store import settings
from include.xcom_store.errors import ObjectCorrupt
from include.xcom_store.store import Store

REFRESH = 300
"""Seconds after which the connection is looked up again: the API server lives long, keys change."""
BUDGET = 4 * 1024 * 1024
"""Bytes of an object that one preview reads at most."""
_LIMITS = {
    "connect_timeout": 2.0,
    "request_timeout": 5.0,
    "retry_timeout": 4.0,
    "operation_timeout": 8.0,
}


class TooLarge(Exception):
    """A preview would have to read, or to hold in memory, more than it may."""


class NoPreview(Exception):
    """The value is of a type that nothing here can show."""


class PageStore(Store):
    """The backend's store, which can also read a part of an object."""

    def get_range(self, key: str, start: int, end: int, size: int) -> bytes:
        """Return the bytes from `start` up to `end` of an object of `size` bytes; no SHA-256 check.

        Raises:
            ObjectMissing: it is not there.
            ObjectCorrupt: it has another size.
        """
        import obstore

        with self._errors("reading", key):
            part = obstore.get(self._client, key, options={"range": (start, end)})
            self._check_size(key, part.meta["size"], size)
            data = bytes(part.bytes())
        if len(data) != end - start:
            raise ObjectCorrupt(f"{self.uri(key)}: S3 gave {len(data)} bytes of {end - start}.")
        return data


def connect() -> PageStore:
    """Return the store, with a page's timeouts.

    Raises:
        XComStoreError: settings or connection are not usable.
    """
    return _connect(int(time.monotonic() // REFRESH))


def forget() -> None:
    """Look the connection up again next time: S3 has refused this one."""
    _connect.cache_clear()


@lru_cache(maxsize=1)
def _connect(_period: int) -> PageStore:
    options = settings.load()
    values = {name: getattr(options, name) for name in settings.Settings.__annotations__}
    for name, limit in _LIMITS.items():
        values[name] = min(limit, values[name])
    return PageStore(settings.Settings(**values))


class ObjectFile(io.RawIOBase):
    """An object as a file that is read in parts, and of which only so much may be read.

    Parts that were read are remembered, as parsers read some of them twice.

    Args:
        key: located for the task instance whose page this is.
        size: of the object, as it was written; another one is an error.
        budget: bytes; None reads all, and remembers nothing.

    Attributes:
        bytes_read: from S3 so far.
    """

    def __init__(self, key: str, size: int, budget: int | None = BUDGET) -> None:
        self._store = connect()
        self._key = key
        self.size = size
        self._budget = budget
        self._known: list[tuple[int, bytes | bytearray]] = []
        self._position = 0
        self.bytes_read = 0

    def read_whole(self, sha256: str) -> None:
        """Read all of it at once, and compare its SHA-256.

        Raises:
            ObjectCorrupt: it is not what was written.
        """
        self._known = [(0, self._store.get(self._key, self.size, sha256))]
        self.bytes_read += self.size

    def read(self, count: int | None = -1) -> bytes:
        """Return the next `count` bytes, all for -1.

        Raises:
            TooLarge: more than the budget would have been read.
            XComStoreError: S3 does not give them.
        """
        left = max(0, self.size - self._position)
        count = left if count is None or count < 0 else min(count, left)
        if not count:
            return b""
        if (known := self._recall(count)) is not None:
            return known
        if self._budget is not None and self.bytes_read + count > self._budget:
            raise TooLarge
        start, end = self._position, self._position + count
        data = self._store.get_range(self._key, start, end, self.size)
        if self._budget is not None:
            self._known.append((start, data))
        self._position = end
        self.bytes_read += count
        return data

    def _recall(self, count: int) -> bytes | None:
        for start, data in self._known:
            offset = self._position - start
            if offset >= 0 and offset + count <= len(data):
                self._position += count
                return bytes(data[offset : offset + count])
        return None

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def readable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes."""
        return True
