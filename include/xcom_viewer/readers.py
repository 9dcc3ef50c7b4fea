"""The processes that read objects for this one (`reader`), at most two, and what becomes of them.

They are started on the first view and end when they are idle, after some hundred values, or with
this process. One that takes too much memory or time is ended; so is one whose answer is none. What
has happened to an object is told by the answer alone: how its process ends means nothing.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import selectors
import subprocess
import sys
import threading
import time
from collections import OrderedDict, deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from include.xcom_store.errors import ObjectCorrupt, XComStoreError
from include.xcom_viewer import pipe, shown
from include.xcom_viewer.shown import NoPreview, TooLarge
from include.xcom_viewer.work import Busy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from include.xcom_viewer.source import Source

    Bytes = bytes | bytearray

ARGUMENTS = ["-m", "include.xcom_viewer.reader"]
MAX_READERS = 2
MAX_VALUES = 300
"""Of one reader."""
MAX_RESIDENT_BYTES = 240 * 1024 * 1024
MAX_IDLE_BYTES = 140 * 1024 * 1024
"""Between jobs; the libraries take some 100 MB."""
MAX_CPU_SECONDS = 6.0
MAX_SECONDS = 30.0
"""Of one answer, or one piece of a CSV file. What the store takes does not count."""
WATCH_SECONDS = 0.02
WAIT_SECONDS = 8.0
"""For a reader that is free."""
MAX_DEATHS, DEATHS_SECONDS, PAUSE_SECONDS = 3, 60.0, 600.0
"""After so many deaths within a time an object is left alone for another."""
MAX_REMEMBERED = 1_000
"""Objects that have ended readers."""
PASSED = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TZDIR")
"""What a reader gets of the environment."""

log = logging.getLogger(__name__)


class Unsafe(Exception):
    """The process that read the object ended, or was ended."""


class Failed(Exception):
    """The value cannot be shown, for a reason that nobody thought of."""


class Died(Exception):
    """A reader's pipe ended, or it is to be ended for a reason that this names."""


class _Worn(Exception):
    """A reader died that had read other objects before: this one need not be the reason."""


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

    def begin(self, job: dict[str, Any], whole: Bytes | None) -> None:
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
            Died: it did.
        """
        failure: XComStoreError | None = None
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

    def _send(self, kind: bytes, data: Bytes) -> None:
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


class Readers:
    """This process's readers. Threads may share it.

    Attributes:
        idle: wait for the next job.
        deaths: when an object has ended readers, by its URI; those of the last minute.
    """

    def __init__(self) -> None:
        self._slots = threading.BoundedSemaphore(MAX_READERS)
        self._files = threading.BoundedSemaphore(MAX_READERS - 1)  # so that pages go on meanwhile
        self._lock = threading.Lock()
        self.idle: list[Reader] = []
        self.deaths: OrderedDict[str, deque[float]] = OrderedDict()
        atexit.register(self.close)

    def ask(
        self, what: str, job: dict[str, Any], source: Source | None, whole: Bytes | None
    ) -> tuple[str, Any]:
        """Return the kind and the content of the answer; see `shown`.

        Args:
            what: the object's URI, or whose value it is.
            job: see `reader.preview.Job`.
            source: gives its bytes, as far as they are not in `whole`.
            whole: all of its bytes.

        Raises:
            Busy: no reader is free.
            Unsafe: the reader ended.
            XComStoreError, TooLarge, NoPreview, Failed: there is no answer.
        """
        try:
            kind, content = self._ask(what, job, source, whole)
        except _Worn:
            kind, content = self._ask(what, job, source, whole, fresh=True)
        if kind == "problem":
            _raise(content, what)
        return kind, content

    def _ask(
        self,
        what: str,
        job: dict[str, Any],
        source: Source | None,
        whole: Bytes | None,
        *,
        fresh: bool = False,
    ) -> tuple[str, Any]:
        with self._reading(what, job, whole, fresh=fresh) as reader:
            return _parsed(*reader.answer(source))

    def csv(self, what: str, job: dict[str, Any], source: Source) -> Iterator[bytes]:
        """Yield a table as CSV; raises as `ask` does."""
        if not self._files.acquire(blocking=False):
            raise Busy
        try:
            with self._reading(what, job, None, fresh=False) as reader:
                letter, data = reader.answer(source)
                while letter == pipe.PIECE:
                    yield data
                    reader.next_piece()
                    letter, data = reader.answer(source)
                kind, content = _parsed(letter, data)
            if kind == "problem":
                _raise(content, what)
        except _Worn as error:
            raise Unsafe("The process that read it ended. Try again.") from error
        finally:
            self._files.release()

    def close(self) -> None:
        """End the readers that are idle."""
        with self._lock:
            ended, self.idle = self.idle, []
        for reader in ended:
            reader.end()

    @contextmanager
    def _reading(
        self, what: str, job: dict[str, Any], whole: Bytes | None, *, fresh: bool
    ) -> Iterator[Reader]:
        """Give a reader that has begun the job; a fresh one has done nothing before."""
        self._check_paused(what)
        if not self._slots.acquire(timeout=WAIT_SECONDS):
            raise Busy
        reader = None
        try:
            reader = self._started(fresh=fresh)
            reader.begin(job, whole)
            yield reader
        except Died as error:
            if reader and reader.jobs > 1:
                raise _Worn from error
            raise self._died(what, error) from error
        finally:
            if reader:
                self._give_back(reader)
            self._slots.release()

    def _started(self, *, fresh: bool) -> Reader:
        with self._lock:
            reader = self.idle.pop() if self.idle else None
        if reader and reader.is_alive() and not fresh:
            return reader
        if reader:
            reader.end()
        return Reader()

    def _give_back(self, reader: Reader) -> None:
        if reader.answered and reader.jobs < MAX_VALUES and reader.is_small():
            with self._lock:
                self.idle.append(reader)
        else:
            reader.end()

    def _check_paused(self, what: str) -> None:
        with self._lock:
            deaths = self.deaths.get(what)
            if deaths is None or len(deaths) < MAX_DEATHS:
                return
            if time.monotonic() - deaths[-1] < PAUSE_SECONDS:
                raise Unsafe(f"It has ended {MAX_DEATHS} processes, and is left alone for a while.")
            del self.deaths[what]

    def _died(self, what: str, error: Died) -> Unsafe:
        log.warning("The process that read %s for a page ended: %s.", what, error)
        now = time.monotonic()
        with self._lock:
            deaths = self.deaths.setdefault(what, deque(maxlen=MAX_DEATHS))
            self.deaths.move_to_end(what)
            while deaths and now - deaths[0] > DEATHS_SECONDS:
                deaths.popleft()
            deaths.append(now)
            if len(self.deaths) > MAX_REMEMBERED:
                self.deaths.popitem(last=False)
        return Unsafe(f"The process that read it was ended: {error}.")


def _parsed(letter: bytes, data: bytes) -> tuple[str, Any]:
    try:
        if letter != pipe.ANSWER:
            raise ValueError("it is a piece of a file")
        return shown.parse(data)
    except ValueError as error:
        raise Died(f"its answer is none: {error}") from error


def _raise(problem: shown.Problem, what: str) -> None:
    if problem.name == "too-large":
        raise TooLarge(problem.detail)
    if problem.name == "no-preview":
        raise NoPreview(problem.detail)
    if problem.name == "corrupt":
        raise ObjectCorrupt(problem.detail)
    log.error("%s cannot be shown: %s", what, problem.detail)
    raise Failed(problem.detail)
