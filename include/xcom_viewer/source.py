"""Reading from the store for a page: parts of objects, soon or not at all.

The store is the backend's, with its settings, connection and errors; only its timeouts are those of
a page that somebody is waiting for. How much of one object a page may read is bounded as well.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from include.xcom_store import settings
from include.xcom_store.errors import ObjectCorrupt
from include.xcom_store.stores.base import Store
from include.xcom_store.stores.files import ObjectFile

if TYPE_CHECKING:
    from include.xcom_store.record import StoredObject

REFRESH_SECONDS = 300
"""After them the connection is looked up again: the API server lives long, and keys change."""
BUDGET_BYTES = 4 * 1024 * 1024
"""Bytes of an object that one preview reads at most."""


class TooLarge(Exception):
    """A preview would have to read, or to hold in memory, more than it may."""


class NoPreview(Exception):
    """The value is of a type that nothing here can show."""


class StoreLookup:
    """Gives the pages' store, and makes it anew from time to time."""

    def __init__(self) -> None:
        self._found: tuple[float, Store] | None = None

    def store(self) -> Store:
        """Return the store, with a page's timeouts.

        Raises:
            ConfigurationError: the settings cannot be used.
        """
        now, found = time.monotonic(), self._found
        if found is None or now - found[0] >= REFRESH_SECONDS:
            options = settings.at_most(
                settings.load(),
                connect_timeout=2,
                request_timeout=5,
                retry_timeout=4,
                operation_timeout=8,
            )
            found = self._found = now, Store(options)
        return found[1]

    def forget(self) -> None:
        """Look the connection up again next time: this one was refused."""
        self._found = None


class Source:
    """One object as a page reads it: counted, bounded, and no part requested twice.

    Args:
        store: where the object is.
        stored: the object, as `objects.locate` returned it.
        budget: bytes that may be read; None reads all, and remembers nothing.

    Attributes:
        bytes_read: from the store so far.
    """

    def __init__(
        self, store: Store, stored: StoredObject, budget: int | None = BUDGET_BYTES
    ) -> None:
        self._store, self._key = store.find(stored.uri)
        self._stored = stored
        self._budget = budget
        self._known: list[tuple[int, bytes | bytearray]] = []
        self.bytes_read = 0

    @property
    def size(self) -> int:
        """Bytes of the whole object, as it was written; another size is an error."""
        return self._stored.bytes

    def read(self, start: int, end: int) -> bytes:
        """Return the bytes from `start` up to `end`.

        Raises:
            TooLarge: more than the budget would have been read.
            ObjectCorrupt: the object does not reach that far, or has another size.
            XComStoreError: the store does not give them.
        """
        if not 0 <= start <= end <= self.size:
            raise ObjectCorrupt(f"it refers to bytes {start:,} to {end:,} of its {self.size:,}.")
        for first, data in self._known:
            if first <= start and end <= first + len(data):
                return bytes(data[start - first : end - first])
        count = end - start
        if self._budget is not None and self.bytes_read + count > self._budget:
            raise TooLarge
        part = self._store.read_range(self._key, start, end, self.size)
        if self._budget is not None:
            self._known.append((start, part))
        self.bytes_read += count
        return part

    def read_whole(self) -> None:
        """Read all of it in advance, and check its SHA-256.

        Raises:
            ObjectCorrupt: it is not what was written.
        """
        self._known = [(0, self._store.get(self._key, self.size, self._stored.sha256))]
        self.bytes_read += self.size

    def file(self) -> ObjectFile:
        """Return it as a file; see `read`."""
        return ObjectFile(self.read, self.size)
