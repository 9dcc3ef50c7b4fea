"""The object of a job, as a reader has it: parts that the server sends, none of them twice."""

from __future__ import annotations

import os
import signal
from functools import partial
from typing import Any

from include.xcom_store.errors import ObjectCorrupt
from include.xcom_store.stores.files import ObjectFile
from include.xcom_viewer import pipe
from include.xcom_viewer.shown import TooLarge

IDLE_SECONDS = 60
WORK_SECONDS = 120
"""After either, SIGALRM ends this process, whatever it is doing: also when no server is left."""


class Stopped(Exception):
    """The server has no bytes for this job; it knows why."""


class Pipe:
    """The frames to and from the server; see `pipe`. Ends the process where the pipe ends."""

    def __init__(self, receiving: int, sending: int) -> None:
        self._receiving, self._sending = os.fdopen(receiving, "rb"), sending

    def receive(self, seconds: int = WORK_SECONDS) -> tuple[bytes, bytes]:
        """Return a frame's letter and content."""
        signal.alarm(seconds)
        head = self._receiving.read(pipe.HEAD.size)
        if len(head) < pipe.HEAD.size:
            raise SystemExit
        kind, length = pipe.HEAD.unpack(head)
        data = self._receiving.read(length)
        signal.alarm(WORK_SECONDS)
        return kind, data

    def send(self, kind: bytes, data: bytes) -> None:
        """Send a frame."""
        rest = memoryview(pipe.HEAD.pack(kind, len(data)) + data)
        while rest:
            rest = rest[os.write(self._sending, rest) :]


class Source:
    """One object.

    Args:
        server: has it.
        size: its bytes.
        whole: all of them, if the server has read them in advance.
        keeps: remembers parts that were read. Where all of a large object is, only the last one.
    """

    def __init__(
        self, server: Pipe, size: int, whole: bytes | None = None, *, keeps: bool = True
    ) -> None:
        self._server, self.size, self.is_whole = server, size, whole is not None
        self._known: list[tuple[int, bytes]] = [] if whole is None else [(0, whole)]
        self._keeps = keeps

    def read(self, start: int, end: int, ahead: int = 0) -> bytes:
        """Return the bytes from `start` up to `end`.

        Args:
            start: of the part.
            end: of it.
            ahead: where there is something to be asked for, ask for at least so many bytes.

        Raises:
            TooLarge: more than a page may read would have been read.
            ObjectCorrupt: the object does not reach that far.
            Stopped: the server does not get them.
        """
        if not 0 <= start <= end <= self.size:
            raise ObjectCorrupt(f"it refers to bytes {start:,} to {end:,} of its {self.size:,}.")
        before = [(first, data) for first, data in self._known if first <= start]
        first, data = max(before, key=lambda part: part[0] + len(part[1]), default=(0, b""))
        found = data[start - first : end - first]
        if (missing := start + len(found)) < end:
            found += self._ask(missing, min(max(end, missing + ahead), self.size))
            self._known = [*(self._known if self._keeps else ()), (start, found)]
        return found[: end - start]  # without what is ahead

    def _ask(self, start: int, end: int) -> bytes:
        self._server.send(pipe.RANGE, pipe.ENDS.pack(start, end))
        kind, data = self._server.receive()
        if kind == pipe.LIMIT:
            raise TooLarge
        if kind != pipe.DATA:
            raise Stopped
        return data

    def file(self, ahead: int = 0) -> Any:
        """Return it as a file that pyarrow can read; for `ahead` see `read`."""
        import pyarrow as pa

        return pa.PythonFile(ObjectFile(partial(self.read, ahead=ahead), self.size), "r")
