"""Requests at once: `SLOTS` bounds them for the whole process, `Ahead` runs jobs several at a time.

Reads of many values (`get_all`), parts of a value and ranges of an object all go through both.
They are nested, and none can block another: a slot is held for one request, never while waiting
for another, and who waits for a job that no thread has begun does it itself.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Generic, NamedTuple, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future, ThreadPoolExecutor

REQUESTS = 32
"""At once, of one process."""
AHEAD_BYTES = 64 * 1024 * 1024
"""What jobs may hold that run ahead, and one job more."""

T = TypeVar("T")


class Slots:
    """So many requests at once; `with slots(n):` waits until there are n, and takes all or none."""

    def __init__(self, count: int) -> None:
        self._count = count
        self.renew()

    def renew(self) -> None:
        """Forget who holds slots, as in a forked child, where they are given back by nobody."""
        self._free = self._count
        self._changed = threading.Condition()

    @contextmanager
    def __call__(self, count: int = 1) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: self._free >= count)
            self._free -= count
        try:
            yield
        finally:
            with self._changed:
                self._free += count
                self._changed.notify_all()


SLOTS = Slots(REQUESTS)


class Job(NamedTuple, Generic[T]):
    """What is run ahead, and how many bytes it holds, until the next result is asked for."""

    run: Callable[[], T]
    bytes: int = 0


class Ahead(Generic[T]):
    """The results of jobs, in their order, of which the next ones run meanwhile in threads.

        with Ahead(jobs) as results:
            for result in results: …

    The jobs are made in the calling thread, as there is room. At the end those that have not begun
    are cancelled, those that have are waited for.

    Args:
        jobs: an iterable; it may do part of the work itself.
        window: how many run ahead.
    """

    def __init__(self, jobs: Iterable[Job[T]], window: int = REQUESTS) -> None:
        self._jobs, self._window = iter(jobs), window
        self._begun: deque[tuple[Future[T], Job[T]]] = deque()
        self._held = self._last = 0
        self.taken = 0
        """How many results have been given."""

    def __enter__(self) -> Self:
        try:
            self._fill()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        begun = [future for future, _job in self._begun if not future.cancel()]
        self._begun.clear()
        for future in begun:
            future.exception()  # waits; what went wrong first is what is raised

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        self._held, self._last = self._held - self._last, 0
        self._fill()
        if not self._begun:
            raise StopIteration
        future, job = self._begun[0]
        result = job.run() if future.cancel() else future.result()
        self._begun.popleft()
        self._last = job.bytes
        self.taken += 1
        return result

    def _fill(self) -> None:
        while len(self._begun) < self._window and self._held < AHEAD_BYTES:
            if (job := next(self._jobs, None)) is None:
                return
            self._held += job.bytes
            self._begun.append((_threads().submit(job.run), job))


@cache
def _threads() -> ThreadPoolExecutor:
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(REQUESTS, "xcom_store")


os.register_at_fork(after_in_child=_threads.cache_clear)  # no thread is there
os.register_at_fork(after_in_child=SLOTS.renew)
