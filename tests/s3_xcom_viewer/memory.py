"""The viewer on a bucket in memory, for tests of what is shown, where S3 is not the question."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections import namedtuple

import pytest

from include.s3_xcom import settings, store, values
from include.s3_xcom_viewer import answers, bucket, overview, preview
from include.s3_xcom_viewer.app import Asked
from include.s3_xcom_viewer.rows import Entry
from tests.s3_xcom.memory import OWNER, SETTINGS, MemoryStore

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
    Shown = namedtuple("Shown", "body content html")
    return Shown(body, body.content, html.body.decode())
