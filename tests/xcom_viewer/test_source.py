"""What a page reads of an object: counted, bounded, and nothing twice; and failures while it reads."""

from __future__ import annotations

import hashlib

import pytest

pytest.importorskip("include.xcom_viewer", reason="the viewer was deleted")
import numpy as np
import pandas as pd
import pyarrow as pa

from include.xcom_store.errors import AccessDenied, ObjectCorrupt, StoreUnreachable
from include.xcom_store.record import StoredObject
from include.xcom_viewer import downloads, objects
from include.xcom_viewer.source import Source, TooLarge
from tests.xcom_viewer.memory import ViewerInMemory

DATA = bytes(range(250)) * 40


@pytest.fixture
def memory():
    return ViewerInMemory()


def stored_in(memory, data=DATA, sha256=None):
    memory.objects["k"] = data
    sha256 = sha256 or hashlib.sha256(data).hexdigest()
    return StoredObject(memory.uri("k"), "python-bytes", "bytes", len(data), sha256)


def test_parts_are_counted_and_not_requested_twice(memory):
    found = Source(memory, stored_in(memory))
    assert found.read(10, 50) == DATA[10:50]
    assert found.read(20, 30) == DATA[20:30]
    assert found.read(10, 50) == DATA[10:50]
    assert found.read(40, 60) == DATA[40:60]
    assert memory.asked == [40, 20]
    assert found.bytes_read == 60


def test_the_budget_ends_it(memory):
    found = Source(memory, stored_in(memory), budget=100)
    found.read(0, 60)
    with pytest.raises(TooLarge):
        found.read(60, 101)
    assert found.read(60, 100) == DATA[60:100]
    assert found.read(0, 60) == DATA[:60]  # what is known costs nothing
    assert memory.asked == [60, 40]


def test_without_a_budget_all_is_read_and_nothing_kept(memory):
    found = Source(memory, stored_in(memory), budget=None)
    assert found.read(0, len(DATA)) + found.read(0, 10) == DATA + DATA[:10]
    assert memory.asked == [len(DATA), 10]


def test_a_whole_object_is_one_request(memory):
    found = Source(memory, stored_in(memory))
    found.read_whole()
    file = found.file()
    file.seek(-3, 2)
    assert file.read() == DATA[-3:]
    assert found.read(5, 9) == DATA[5:9]
    assert (memory.asked, found.bytes_read) == ([len(DATA)], len(DATA))


@pytest.mark.parametrize(("start", "end"), [(-1, 5), (5, 4), (0, 10_001), (2**70, 2**70 + 1)])
def test_what_the_object_has_not_is_not_asked_for(memory, start, end):
    with pytest.raises(ObjectCorrupt, match="bytes"):
        Source(memory, stored_in(memory)).read(start, end)
    assert memory.asked == []


class FailsAfter(ViewerInMemory):
    """Gives so many parts, and then none."""

    parts, error = 1, StoreUnreachable

    def read_range(self, *asked):
        if len(self.asked) >= self.parts:
            raise self.error("too slow")
        return super().read_range(*asked)


@pytest.mark.parametrize("error", [StoreUnreachable, AccessDenied])
@pytest.mark.parametrize("parts", range(2))
@pytest.mark.parametrize("kind", ["frame", "arrow", "array"])
def test_a_store_that_fails_is_no_damaged_file(error, parts, kind):
    """Some of its errors are OSErrors, as are pyarrow's for a file that cannot be read."""
    memory = FailsAfter()
    memory.parts, memory.error = parts, error
    numbers = np.random.default_rng(0).random((300_000, 4))
    made = {
        "frame": lambda: pd.DataFrame(numbers),
        "arrow": lambda: pa.table({"a": numbers[:, 0]}),
        "array": lambda: numbers,
    }
    with pytest.raises(error, match="too slow"):
        memory.show(memory.push(made[kind]()))


@pytest.mark.parametrize("at", [0, 4, 8, 16])
def test_an_arrow_file_that_refers_beyond_itself(memory, at):
    """The positions of its batches are whatever somebody has written there."""
    entry = memory.push(pa.table({"a": np.random.default_rng(0).random(200_000)}))
    stored = objects.locate(entry, memory)
    key = memory.key(stored.uri)
    data = bytearray(memory.objects[key])
    length = int.from_bytes(data[-10:-6], "little")
    for position in range(len(data) - 10 - length + at, len(data) - 10, 20):
        data[position : position + 4] = b"\xff\xff\xff\x7f"
        memory.objects[key] = bytes(data)
        with pytest.raises((ObjectCorrupt, TooLarge)):
            memory.show(entry)
        with pytest.raises((ObjectCorrupt, TooLarge)):  # before anything has been sent
            next(downloads.csv(memory, stored))
