"""One reader as its server sees it: a process behind a pipe, whose memory and time are watched.

What it says is an answer or none. How it ends means nothing: pyarrow aborts at exit under limits.
"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from include.xcom_store.errors import XComStoreError
from include.xcom_viewer import pipe, shown
from include.xcom_viewer.shown import TooLarge
from include.xcom_viewer.work import TooSlow

if TYPE_CHECKING:
    from include.xcom_store.codecs.base import Data
    from include.xcom_viewer.source import Source

ARGUMENTS = ["-m", "include.xcom_viewer.reader"]
MAX_RESIDENT_BYTES = 240 * 1024 * 1024
MAX_IDLE_BYTES = 140 * 1024 * 1024
"""Between jobs; the libraries take some 100 MB."""
MAX_CPU_SECONDS = 6.0
MAX_SECONDS = 30.0
"""Of one answer, or one piece of a CSV file. What the store takes does not count,"""
MAX_WAITED_SECONDS = 60.0
"""unless nobody can be waiting any more: a reader may ask for a byte, again and again."""
WATCH_SECONDS = 0.02
PASSED = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TZDIR")
"""What a reader gets of the environment."""


class Died(Exception):
    """A reader's pipe ended, or it is to be ended for a reason that this names."""


class Reader:
    """One process, which does one job at a time.

    Attributes:
        process: itself.
        ends: of the pipe, here: to write to and to read from.
        jobs: begun so far.
        answered: the last one to its end.
    """

    def __init__(self) -> None:
        import psutil

        self.process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-B", "-P", *ARGUMENTS],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            cwd="/", env=_environment(), bufsize=0,
        )  # fmt: skip
        self._watched = psutil.Process(self.process.pid)
        self._no_process = psutil.Error
        self.ends = self.process.stdin, self.process.stdout
        for end in self.ends:
            os.set_blocking(_number(end), False)
        self.jobs, self.answered = 0, True
        self._seconds_left = self._cpu_end = 0.0

    def begin(self, job: dict[str, Any], whole: Data | None) -> None:
        """Give it a job: see `pipe` and `reader.preview.Job`."""
        self.jobs += 1
        self.answered = False
        self._set_limits()
        self._send(pipe.JOB, json.dumps(job | {"whole": whole is not None}).encode())
        if whole is not None:
            self._send(pipe.DATA, whole)

    def next_piece(self) -> None:
        """Ask for the next piece of a CSV file."""
        self._set_limits()
        self._send(pipe.NEXT, b"")

    def answer(self, source: Source | None) -> tuple[bytes, bytes]:
        """Serve the object's bytes until there is an answer or a piece; return letter and content.

        Raises:
            XComStoreError: the store does not give the bytes.
            TooSlow: it gives them too slowly.
            Died: it did.
        """
        failure: XComStoreError | None = None
        ends_at = time.monotonic() + MAX_WAITED_SECONDS
        while True:
            try:
                kind, data = self._receive()
            except Died:
                if failure:
                    raise failure from None
                raise
            if kind != pipe.RANGE:
                self.answered = kind == pipe.ANSWER
                if failure:
                    raise failure
                return kind, data
            if source is None or len(data) != pipe.ENDS.size:
                raise Died("it asked for what is not there")
            if time.monotonic() > ends_at:
                raise TooSlow(f"There is no answer after {MAX_WAITED_SECONDS:g} seconds.")
            try:
                self._send(pipe.DATA, source.read(*pipe.ENDS.unpack(data)))
            except TooLarge:
                self._send(pipe.LIMIT, b"")
            except XComStoreError as error:
                failure = error
                self._send(pipe.STOP, b"")

    def is_alive(self) -> bool:
        """Tell whether it still runs."""
        return self.process.poll() is None

    def is_small(self) -> bool:
        """Tell whether it runs, and has given back what the last job took."""
        try:
            return self.is_alive() and self._watched.memory_info().rss < MAX_IDLE_BYTES
        except self._no_process:
            return False

    def end(self) -> None:
        """End it. It has nothing to lose."""
        self.process.kill()
        for end in self.ends:
            if end:
                end.close()
        self.process.wait()

    def _set_limits(self) -> None:
        self._seconds_left = MAX_SECONDS
        try:
            self._cpu_end = sum(self._watched.cpu_times()[:2]) + MAX_CPU_SECONDS
        except self._no_process as error:
            raise Died("it is gone") from error

    def _send(self, kind: bytes, data: Data) -> None:
        end = _number(self.ends[0])
        rest = memoryview(pipe.HEAD.pack(kind, len(data)) + data)
        while rest:
            self._wait(end, selectors.EVENT_WRITE)
            try:
                rest = rest[os.write(end, rest) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise Died("it is gone") from error

    def _receive(self) -> tuple[bytes, bytes]:
        kind, length = pipe.HEAD.unpack(self._read(pipe.HEAD.size))
        if length > max(pipe.PIECE_BYTES, shown.MAX_ANSWER_BYTES):
            raise Died("it answered with too much")
        return kind, self._read(length)

    def _read(self, count: int) -> bytes:
        end, data = _number(self.ends[1]), bytearray()
        while len(data) < count:
            self._wait(end, selectors.EVENT_READ)
            try:
                part = os.read(end, count - len(data))
            except BlockingIOError:
                continue
            if not part:
                raise Died("it is gone")
            data += part
        return bytes(data)

    def _wait(self, end: int, event: int) -> None:
        """Wait until the pipe is ready, and watch the process meanwhile."""
        with selectors.DefaultSelector() as selector:
            selector.register(end, event)
            while True:
                started = time.monotonic()
                ready = selector.select(WATCH_SECONDS)
                self._seconds_left -= time.monotonic() - started
                self._check()
                if ready:
                    return

    def _check(self) -> None:
        try:
            with self._watched.oneshot():
                resident = self._watched.memory_info().rss
                used = sum(self._watched.cpu_times()[:2])
        except self._no_process:
            return  # what it has answered is still in the pipe
        if resident > MAX_RESIDENT_BYTES:
            raise Died(f"it took {resident / 1e6:.0f} MB of memory")
        if used > self._cpu_end or self._seconds_left < 0:
            raise Died("it took too long")


def _number(end: Any) -> int:
    return int(end.fileno())


def _environment() -> dict[str, str]:
    """Return what a reader needs of the environment: where the packages are, and few threads."""
    kept = {name: os.environ[name] for name in PASSED if name in os.environ}
    return kept | {
        "PYTHONPATH": os.pathsep.join(os.path.abspath(part) for part in sys.path),  # noqa: PTH100
        "LC_ALL": "C.UTF-8",
        "ARROW_DEFAULT_MEMORY_POOL": "system",
        "ARROW_IO_THREADS": "1",
        "MALLOC_ARENA_MAX": "1",
        "MALLOC_MMAP_THRESHOLD_": "131072",  # what is freed goes back, and counts no more
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
