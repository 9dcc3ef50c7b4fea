"""The viewer on a store in memory, for tests of what is shown, where the service is not the question."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from types import SimpleNamespace

from include.xcom_store import values
from include.xcom_viewer import answers, objects, overview, preview
from include.xcom_viewer.app import Asked
from include.xcom_viewer.entries import Entry
from tests.astro_project import ROOT
from tests.xcom_store.memory import OWNER, MemoryStore

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
        return Entry(owner=OWNER, timestamp=WHEN, stored=values.push(value, OWNER, self))

    def show(self, entry, leaf=None, **window):
        """What is shown of it: as data, and as HTML."""
        window = preview.Window(**window)
        if entry.in_store:
            body = preview.of_object(self, objects.locate(entry, self, leaf), window)
        else:
            body = preview.of_database(entry, window)
        html = answers.page(
            "value.html", asked=Asked(*OWNER), card=overview.card(entry, lambda: self), body=body,
            state=None, leaf=leaf, window=window,
        )  # fmt: skip
        return SimpleNamespace(body=body, content=body.content, html=html.body.decode())


ELSEWHERE = """
import json, pathlib, sys
from include.xcom_store import keys
from include.xcom_store.settings import Settings
from include.xcom_store.stores.base import Store
from include.xcom_viewer import downloads, objects, overview, preview, source
from include.xcom_viewer.entries import Entry

rows, folder = json.loads(sys.argv[1]), pathlib.Path(sys.argv[2])

class Folder(Store):
    def read_range(self, key, start, end, size=None):
        with (folder / key.replace("/", "#")).open("rb") as file:
            file.seek(start)
            return file.read(end - start)
    def get(self, key, size, sha256):
        return self.read_range(key, 0, size)

store = Folder(Settings(url=sys.argv[3]))
owner = keys.Owner("trips", "manual__1", "load", -1, "return_value")
entries = [Entry(owner=owner, timestamp=None, stored=row) for row in rows]
"""


def in_a_fresh_process(memory, entries, folder, code):
    """Run code on these entries where nothing is imported and no memory taken; what it printed."""
    for key, data in memory.objects.items():
        (folder / key.replace("/", "#")).write_bytes(data)
    rows = json.dumps([entry.stored for entry in entries])
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ELSEWHERE + code, rows, str(folder),
         memory.settings.url],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
