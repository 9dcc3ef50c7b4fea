"""The viewer on a store in memory, for tests of what is shown, where the service is not the question."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from types import SimpleNamespace

from include.xcom_store import values
from include.xcom_viewer import answers, downloads, objects, overview, preview
from include.xcom_viewer.asked import Asked
from include.xcom_viewer.entries import Entry
from include.xcom_viewer.readers import Readers
from tests.astro_project import ROOT
from tests.xcom_store.memory import OWNER, MemoryStore

READERS = Readers()
"""Two processes for the tests of one file, and not for each test."""
WHEN = dt.datetime(2026, 11, 22, tzinfo=dt.UTC)


class ViewerInMemory(MemoryStore):
    """A store that everything goes to, and the viewer's pages of what is in it.

    Attributes:
        asked: how many bytes each request was for.
    """

    def __init__(self, threshold=0):
        super().__init__(threshold=threshold)
        self.asked: list[int] = []

    def get(self, key, size, sha256):
        self.asked.append(size)
        return super().get(key, size, sha256)

    def read_range(self, key, start, end, size=None):
        assert len(self.objects[key]) == size
        assert 0 <= start <= end <= size
        self.asked.append(end - start)
        return self.objects[key][start:end]

    def push(self, value):
        """The row of a value."""
        text = json.dumps(values.push(value, OWNER, self))
        return Entry(owner=OWNER, timestamp=WHEN, text=text)

    def locate(self, entry, leaf=None):
        """The object of a value, or of one inside it."""
        return objects.locate(READERS, entry, self, leaf)[0]

    def csv(self, stored):
        """All of an object as CSV."""
        return b"".join(downloads.csv(READERS, self, stored))

    def show(self, entry, leaf=None, **window):
        """What is shown of it: as data, and as HTML."""
        window = preview.Window(**window)
        if entry.in_store:
            body = preview.of_object(READERS, self, self.locate(entry, leaf), window)
        else:
            body = preview.of_database(READERS, entry, window)
        html = answers.page(
            "value.html", asked=Asked(*OWNER), card=overview.card(entry, lambda: self), body=body,
            state=None, leaf=leaf, window=window, is_first_run=False,
        )  # fmt: skip
        return SimpleNamespace(body=body, content=body.content, html=html.body.decode())


ELSEWHERE = """
import json, pathlib, sys
from include.xcom_viewer import shown
from include.xcom_viewer.reader import csv_pieces, preview
from include.xcom_viewer.reader.remote import Source

def objects():
    for number, codec in enumerate(json.loads(sys.argv[1])):
        data = (pathlib.Path(sys.argv[2]) / str(number)).read_bytes()
        yield codec, Source(None, len(data), data)
"""


def in_a_fresh_process(memory, entries, folder, code):
    """Run code on these objects where nothing is imported and no memory taken; what it printed."""
    found = [memory.locate(e, n) for e in entries for n in (None, *range(e.stored["leaves"]))]
    for number, stored in enumerate(found):
        (folder / str(number)).write_bytes(memory.objects[memory.key(stored.uri)])
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ELSEWHERE + code,
         json.dumps([stored.codec for stored in found]), str(folder)],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
