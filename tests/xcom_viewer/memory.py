"""The viewer on a bucket in memory, for tests of what is shown, where S3 is not the question."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import subprocess
import sys
from types import SimpleNamespace

import pytest

from include.xcom_store import settings, store, values
from include.xcom_viewer import answers, bucket, overview, preview
from include.xcom_viewer.app import Asked
from include.xcom_viewer.rows import Entry
from tests.astro_project import ROOT
from tests.xcom_store.memory import OWNER, SETTINGS, MemoryStore

WHEN = dt.datetime(2026, 11, 22, tzinfo=dt.UTC)


class Bucket(MemoryStore):
    def get_range(self, key, start, end, size):
        assert len(self.objects[key]) == size
        assert 0 <= start < end <= size
        return self.objects[key][start:end]


@contextlib.contextmanager
def bucket_in_memory():
    with pytest.MonkeyPatch.context() as patch:
        made = Bucket()
        patch.setattr(store, "connect", lambda: made)
        patch.setattr(bucket, "connect", lambda: made)
        patch.setattr(settings, "load", lambda: SETTINGS)
        yield made


def push(value, threshold=0):
    """The row of a value."""
    return Entry(owner=OWNER, timestamp=WHEN, stored=values.push(value, OWNER, SETTINGS, threshold))


def show(entry, leaf=None, **part):
    """What is shown of it: as data, and as HTML."""
    part = preview.Part(**part)
    body = preview.preview(entry, leaf, part)
    html = answers.page(
        "value.html", asked=Asked(*OWNER), card=overview.card(entry), body=body, state=None,
        leaf=leaf, part=part,
    )  # fmt: skip
    return SimpleNamespace(body=body, content=body.content, html=html.body.decode())


ELSEWHERE = """
import json, pathlib, sys
from include.xcom_store import keys, settings
from include.xcom_viewer import bucket, downloads, located, overview, preview
from include.xcom_viewer.rows import Entry

rows, folder = json.loads(sys.argv[1]), pathlib.Path(sys.argv[2])

class Folder:
    def get_range(self, key, start, end, size):
        with (folder / key.replace("/", "#")).open("rb") as file:
            file.seek(start)
            return file.read(end - start)
    def get(self, key, size, sha256):
        return self.get_range(key, 0, size, size)

bucket.connect = Folder
settings.load = lambda: settings.Settings(bucket="bucket")
owner = keys.Owner("trips", "manual__1", "load", -1, "return_value")
entries = [Entry(owner=owner, timestamp=None, stored=row) for row in rows]
"""


def in_a_fresh_process(made, entries, folder, code):
    """Run code on these entries where nothing is imported and no memory taken; what it printed."""
    for key, data in made.objects.items():
        (folder / key.replace("/", "#")).write_bytes(data)
    rows = json.dumps([entry.stored for entry in entries])
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ELSEWHERE + code, rows, str(folder)],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
