"""Threads that wait for S3: few, for a limited time, and none of Airflow's own.

Airflow's endpoints share a pool of threads and an event loop. What waits for S3 must be in neither,
so that Airflow's own pages do not notice an S3 that is slow or away.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from include.xcom_store.errors import StoreUnreachable

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

THREADS = 4
WAITING = 16
"""Pieces of work that may run or wait at once; more are turned away."""
SECONDS = 10.0
"""After which a page says that S3 is too slow. The thread ends later, by the store's timeouts."""


class Busy(Exception):
    """Too many previews at once; trying again a moment later helps."""


class Pool:
    """Runs blocking functions for coroutines of one event loop."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, "xcom_viewer")
        self._unfinished = 0

    async def run(self, function: Callable[[], T], seconds: float = SECONDS) -> T:
        """Return what the function returns.

        Raises:
            Busy: too much is waiting already.
            StoreUnreachable: it takes longer than `seconds`.
        """
        if self._unfinished >= WAITING:
            raise Busy
        self._unfinished += 1
        future = asyncio.get_running_loop().run_in_executor(self._threads, function)
        future.add_done_callback(self._finished)
        try:
            # Shielded: cancelled, it would count as finished while its thread still waits.
            return await asyncio.wait_for(asyncio.shield(future), seconds)
        except TimeoutError as error:
            raise StoreUnreachable(f"S3 has not answered within {seconds:g} seconds.") from error

    def _finished(self, future: asyncio.Future[T]) -> None:
        self._unfinished -= 1
        if not future.cancelled():
            future.exception()  # its page has given up on it; asyncio would complain otherwise
