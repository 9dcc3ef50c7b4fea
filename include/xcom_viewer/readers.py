"""The processes that read objects for this one (`process`), at most two, and their deaths.

They are started on the first view and end when they are idle, after some hundred values, or with
this process. One that takes too much memory or time is ended; so is one whose answer is none.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections import OrderedDict, deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from include.xcom_store.errors import ObjectCorrupt
from include.xcom_viewer import pipe, shown
from include.xcom_viewer.process import Died, Reader
from include.xcom_viewer.shown import NoPreview, TooLarge
from include.xcom_viewer.work import Busy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from include.xcom_store.codecs.base import Data
    from include.xcom_viewer.source import Source

MAX_READERS = 2
MAX_VALUES = 300
"""Of one reader."""
WAIT_SECONDS = 8.0
"""For a reader that is free."""
MAX_DEATHS, DEATHS_SECONDS, PAUSE_SECONDS = 3, 60.0, 600.0
"""After so many deaths within a time an object is left alone for another."""
MAX_REMEMBERED = 1_000
"""Objects that have ended readers."""
log = logging.getLogger(__name__)


class Unsafe(Exception):
    """The process that read the object ended, or was ended."""


class Failed(Exception):
    """The value cannot be shown, for a reason that nobody thought of."""


class _Worn(Exception):
    """A reader died that had read other objects before: this one need not be the reason."""


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
        self, what: str, job: dict[str, Any], source: Source | None, whole: Data | None
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
            XComStoreError, TooSlow, TooLarge, NoPreview, Failed: there is no answer.
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
        whole: Data | None,
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
        self, what: str, job: dict[str, Any], whole: Data | None, *, fresh: bool
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
    if problem.name not in _PROBLEMS:
        log.error("%s cannot be shown: %s", what, problem.detail)
    raise _PROBLEMS.get(problem.name, Failed)(problem.detail)


_PROBLEMS = {"too-large": TooLarge, "no-preview": NoPreview, "corrupt": ObjectCorrupt}
