"""What a page reads of an object: counted, bounded, and nothing twice; and failures while it reads."""

from __future__ import annotations

import contextlib
import hashlib

import pytest

pytest.importorskip("include.xcom_viewer", reason="the viewer was deleted")
import numpy as np
import pandas as pd
import pyarrow as pa

from include.xcom_store.errors import AccessDenied, ObjectCorrupt, StoreUnreachable
from include.xcom_store.record import StoredObject
from include.xcom_viewer import pipe
from include.xcom_viewer.reader import remote
from include.xcom_viewer.shown import TooLarge
from include.xcom_viewer.source import Source
from tests.xcom_viewer.memory import ViewerInMemory

DATA = bytes(range(250)) * 40


@pytest.fixture
def memory():
    return ViewerInMemory()


def stored_in(memory, data=DATA, sha256=None):
    memory.objects["k"] = data
    sha256 = sha256 or hashlib.sha256(data).hexdigest()
    return StoredObject(memory.uri("k"), "python-bytes", "bytes", len(data), sha256)


class Server:
    """The server's end of a reader's pipe."""

    def __init__(self, *answers):
        self.asked, self._answers = [], iter(answers)

    def send(self, _kind, data):
        self.asked.append(pipe.ENDS.unpack(data))

    def receive(self):
        start, end = self.asked[-1]
        return next(self._answers, (pipe.DATA, DATA[start:end]))


def test_a_reader_asks_for_no_part_twice():
    server = Server()
    found = remote.Source(server, len(DATA))
    assert found.read(10, 50) == DATA[10:50]
    assert found.read(20, 30) == DATA[20:30]
    assert found.read(10, 50) == DATA[10:50]
    assert found.read(40, 60) == DATA[40:60]
    assert found.read(45, 70, ahead=100) == DATA[45:70]
    assert found.read(100, 160) == DATA[100:160]
    assert found.read(5, 5, ahead=100) == b""
    assert server.asked == [(10, 50), (50, 60), (60, 160)]


def test_ahead_of_the_end_there_is_nothing():
    server = Server()
    found = remote.Source(server, len(DATA))
    assert found.read(len(DATA) - 5, len(DATA) - 1, ahead=100) == DATA[-5:-1]
    assert server.asked == [(len(DATA) - 5, len(DATA))]


def test_of_what_a_reader_writes_as_csv_it_keeps_the_last_part():
    server = Server()
    found = remote.Source(server, len(DATA), keeps=False)
    for start in (0, 5, 10, 0):
        assert found.read(start, start + 10) == DATA[start : start + 10]
    assert server.asked == [(0, 10), (10, 15), (15, 20), (0, 10)]


def test_a_reader_asks_for_nothing_of_what_it_was_given():
    file = remote.Source(Server(), len(DATA), DATA).file()
    file.seek(-3, 2)
    assert file.read() == DATA[-3:]


def test_what_a_reader_may_not_have():
    found = remote.Source(Server((pipe.LIMIT, b""), (pipe.STOP, b"")), len(DATA))
    with pytest.raises(TooLarge):
        found.read(0, 10)
    with pytest.raises(remote.Stopped):
        found.read(0, 10)


def test_the_budget_ends_it(memory):
    found = Source(memory, stored_in(memory), budget=100)
    found.read(0, 60)
    with pytest.raises(TooLarge):
        found.read(60, 101)
    found.read(60, 100)
    assert memory.asked == [60, 40]
    assert found.bytes_read == 100


def test_a_whole_object_is_one_request(memory):
    found = Source(memory, stored_in(memory))
    assert bytes(found.whole()) == DATA
    assert (memory.asked, found.bytes_read) == ([len(DATA)], len(DATA))


def test_pieces_end_well_only_if_the_hash_is_right(memory, monkeypatch):
    monkeypatch.setattr("include.xcom_viewer.source.PIECE_BYTES", 3_000)
    assert b"".join(Source(memory, stored_in(memory)).pieces()) == DATA
    pieces = Source(memory, stored_in(memory, sha256="0" * 64)).pieces()
    assert [len(next(pieces)) for _ in range(3)] == [3_000] * 3
    with pytest.raises(ObjectCorrupt, match="SHA-256"):
        next(pieces)


@pytest.mark.parametrize(("start", "end"), [(-1, 5), (5, 4), (0, 10_001), (2**63, 2**63 + 1)])
def test_what_the_object_has_not_is_not_asked_for(memory, start, end):
    server = Server()
    for source in (Source(memory, stored_in(memory)), remote.Source(server, len(DATA))):
        with pytest.raises(ObjectCorrupt, match="bytes"):
            source.read(start, end)
    assert memory.asked == server.asked == []


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
    assert memory.show(memory.push(5)).body.kind == "tree"  # the reader goes on


@pytest.mark.parametrize("at", [0, 4, 8, 16])
def test_an_arrow_file_that_refers_beyond_itself(memory, at):
    """The positions of its batches are whatever somebody has written there."""
    entry = memory.push(pa.table({"a": np.random.default_rng(0).random(200_000)}))
    stored = memory.locate(entry)
    key = memory.key(stored.uri)
    data = bytearray(memory.objects[key])
    length = int.from_bytes(data[-10:-6], "little")
    for position in range(len(data) - 10 - length + at, len(data) - 10, 20):
        data[position : position + 4] = b"\xff\xff\xff\x7f"
        memory.objects[key] = bytes(data)
        with contextlib.suppress(ObjectCorrupt, TooLarge):  # or the damage is not in what it reads
            memory.show(entry)
        with pytest.raises(ObjectCorrupt):  # before anything has been sent
            memory.csv(stored)
