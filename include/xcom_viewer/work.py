"""Threads that wait for the store: few, for a limited time, and none of Airflow's own.

Airflow's endpoints share a pool of threads and an event loop. What waits for the store must be in
neither, so that Airflow's own pages do not notice a store that is slow or away.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

MAX_THREADS = 4
MAX_UNFINISHED = 16
"""Pieces of work that may run or wait at once; excess requests get a 503."""
ANSWER_SECONDS = 10.0
"""After them a page gives up. The thread ends later, by the timeouts of store and readers."""


class Busy(Exception):
    """Too many previews at once; trying again a moment later helps."""


class TooSlow(Exception):
    """There is no answer in time: the store is slow, or this machine."""


class Pool:
    """Runs blocking functions for coroutines of one event loop.

    Attributes:
        unfinished: pieces of work that run or wait, those included that nobody waits for any more.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(MAX_THREADS, "xcom_viewer")
        self._lock = threading.Lock()
        self.unfinished = 0

    async def run(self, function: Callable[[], T], seconds: float = ANSWER_SECONDS) -> T:
        """Return what the function returns.

        Raises:
            Busy: too much is waiting already.
            TooSlow: it takes longer than `seconds`.
        """
        with self._lock:
            if self.unfinished >= MAX_UNFINISHED:
                raise Busy
            self.unfinished += 1
        future = asyncio.get_running_loop().run_in_executor(self._threads, self._done, function)
        future.add_done_callback(_look)
        try:
            # Shielded: cancelled, it would count as finished while its thread still waits.
            return await asyncio.wait_for(asyncio.shield(future), seconds)
        except TimeoutError as error:
            raise TooSlow(f"There is no answer after {seconds:g} seconds.") from error

    def _done(self, function: Callable[[], T]) -> T:
        """Call the function, and give the slot back whatever it does."""
        try:
            return function()
        except StopIteration as error:  # which no future can hold: it would never be done
            raise RuntimeError("StopIteration") from error
        finally:
            with self._lock:
                self.unfinished -= 1


def _look(future: asyncio.Future[T]) -> None:
    """Look at the error of what its page has given up on; asyncio would complain otherwise."""
    if not future.cancelled():
        future.exception()
