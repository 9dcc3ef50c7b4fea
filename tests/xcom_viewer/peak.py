"""The most memory that something takes for a time."""

from __future__ import annotations

import threading


class Peak:
    """The greatest answer of `measure`, asked every so many seconds."""

    def __init__(self, measure, seconds=0.1):
        self.most, self._measure, self._seconds = 0, measure, seconds
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _watch(self):
        while not self._stopped.wait(self._seconds):
            self.most = max(self.most, self._measure())

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stopped.set()
        self._thread.join()
