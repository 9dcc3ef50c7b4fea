"""Reading from the store for a page: parts of objects, soon or not at all.

The store is the backend's, with its settings, connection and errors; only its timeouts are those of
a page that somebody is waiting for. How much of one object a page may read is bounded as well.
"""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING

from include.xcom_store import settings
from include.xcom_store.errors import (
    AccessDenied,
    ConfigurationError,
    ObjectCorrupt,
    StoreUnreachable,
)
from include.xcom_store.stores import service
from include.xcom_store.stores.base import Store
from include.xcom_viewer.pipe import BUDGET_BYTES, PIECE_BYTES
from include.xcom_viewer.shown import TooLarge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from include.xcom_store.codecs.base import Data
    from include.xcom_store.record import StoredObject

REFRESH_SECONDS = 300
"""After them the connection is looked up again: the API server lives long, and keys change."""
REFUSED = (AccessDenied, ConfigurationError)
"""After these it is looked up again, too: a key may have been changed."""
SILENT_SECONDS = 2.0
"""A store that has not answered is left alone for so long."""


class StoreLookup:
    """Gives the pages' store, and makes a new one from time to time."""

    def __init__(self) -> None:
        self._found: tuple[float, Store] | None = None
        self._silent: tuple[float, StoreUnreachable] | None = None

    def store(self) -> Store:
        """Return the store, with a page's timeouts.

        Raises:
            ConfigurationError: the settings cannot be used.
            StoreUnreachable: it has just not answered. Cards that wait need not find out again.
        """
        now, found = time.monotonic(), self._found
        if self._silent and now - self._silent[0] < SILENT_SECONDS:
            raise StoreUnreachable(str(self._silent[1]))
        if found is None or now - found[0] >= REFRESH_SECONDS:
            options = service.at_most(
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
        self._found = self._silent = None

    def was_silent(self, error: StoreUnreachable) -> None:
        """Ask nothing of the store for a moment: it has not answered."""
        self._silent = time.monotonic(), error


class Source:
    """One object as a page reads it: counted, and bounded.

    Args:
        store: where the object is.
        stored: the object, as `objects.locate` returned it.
        budget: bytes that may be read.

    Attributes:
        bytes_read: from the store so far.
    """

    def __init__(self, store: Store, stored: StoredObject, budget: int = BUDGET_BYTES) -> None:
        self._store, self._key = store.find(stored.uri)
        self._stored = stored
        self._budget = budget
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
        if self.bytes_read + end - start > self._budget:
            raise TooLarge
        part = self._store.read_range(self._key, start, end, self.size)
        self.bytes_read += end - start
        return part

    def whole(self) -> Data:
        """Return all of it.

        Raises:
            ObjectCorrupt: it is not what was written.
            XComStoreError: the store does not give it.
        """
        data = self._store.get(self._key, self.size, self._stored.sha256)
        self.bytes_read += self.size
        return data

    def pieces(self) -> Iterator[bytes]:
        """Yield all of it piece by piece, the last one if the SHA-256 is right.

        Raises:
            ObjectCorrupt: it is not what was written.
            XComStoreError: the store does not give it.
        """
        found = hashlib.sha256()
        for start in range(0, self.size, PIECE_BYTES):
            end = min(start + PIECE_BYTES, self.size)
            piece = self._store.read_range(self._key, start, end, self.size)
            found.update(piece)
            if end == self.size and found.hexdigest() != self._stored.sha256:
                raise ObjectCorrupt(
                    f"{self._stored.uri} does not have the SHA-256 that was written."
                )
            yield piece
