"""Room on Python's stack for what is nested deeply; by default it has 1,000 frames."""

from __future__ import annotations

import sys
import threading

MAX_DEPTH = 254
"""Values nested in each other: as deep as JSON in a message to Airflow (pydantic's JsonValue)."""
MAX_LEVELS = 4 * MAX_DEPTH
"""Of a document: no tag takes more than four, its object and three lists."""
_FRAMES = 12 * MAX_DEPTH
"""More than a value takes while it is written or read."""


class _Room:
    """Raises the limit, which all threads share, until the last that needs it is done."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = self._limit = 0

    def __enter__(self) -> None:
        with self._lock:
            if not self._users:
                self._limit = sys.getrecursionlimit()
                sys.setrecursionlimit(self._limit + _FRAMES)
            self._users += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                sys.setrecursionlimit(self._limit)


ROOM = _Room()
