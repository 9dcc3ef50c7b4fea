"""The processes that read objects: what they have, how they end, and what becomes of hostile ones."""

from __future__ import annotations

import contextlib
import gc
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

pytest.importorskip("polars")
pytest.importorskip("include.xcom_viewer", reason="the viewer was deleted")
import pandas as pd
import psutil

from include.xcom_store.errors import StoreUnreachable, XComStoreError
from include.xcom_viewer import preview, process, readers, shown, states
from include.xcom_viewer.readers import Failed, Readers, Unsafe
from include.xcom_viewer.shown.values import Text
from include.xcom_viewer.work import Busy, TooSlow
from tests.xcom_viewer import damage
from tests.xcom_viewer.memory import ViewerInMemory
from tests.xcom_viewer.peak import Peak

JSON = {"do": "show", "codec": "python-json", "size": 1}
BYTES = {"do": "show", "codec": "python-bytes", "size": 100}


@pytest.fixture
def some(monkeypatch):
    found = Readers()
    yield found
    found.close()


def ask(some, what="a", whole=b"5", **job):
    return some.ask(what, JSON | {"size": len(whole)} | job, None, whole)[1]


def processes(some):
    return [psutil.Process(reader.process.pid) for reader in some.idle]


class Source:
    """An object whose bytes are whatever `read` does."""

    size = 100

    def __init__(self, read):
        self.read = read


# ---------------------------------------------------------------------------- what they have


def test_one_is_started_with_the_first_view_and_goes_on(some):
    assert some.idle == []
    assert ask(some).text == "5"
    [first] = processes(some)
    assert ask(some, whole=b'"text"') == Text("text")
    assert processes(some) == [first]


def test_it_has_no_credentials_no_settings_and_no_network(some, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "sqlite:////tmp/secret")
    ask(some)
    [child] = processes(some)
    assert not [name for name in child.environ() if name.startswith(("AWS_", "AIRFLOW", "HOME"))]
    assert "hunter2" not in str(child.environ())
    assert child.open_files() == child.net_connections() == []
    if sys.platform == "linux":
        limits = Path(f"/proc/{child.pid}/limits").read_text()
        assert f"Max data size             {320 * 2**20}" in limits
        assert "Max file size             0" in limits


@pytest.mark.skipif(sys.platform != "linux", reason="macOS has no such thing")
def test_where_the_system_allows_it_it_cannot_even_reach_loopback(some):
    ask(some)
    [child] = processes(some)
    ours, its = (Path(f"/proc/{pid}/ns/net").readlink() for pid in ("self", child.pid))
    if ours == its:
        pytest.skip("this container does not allow it")
    lines = Path(f"/proc/{child.pid}/net/dev").read_text().splitlines()[2:]
    assert [line.split(":")[0].strip() for line in lines] == ["lo"]


# ---------------------------------------------------------------------------- how they end


def test_they_end_with_the_pipe(some):
    ask(some)
    [child], [reader] = processes(some), some.idle
    for end in reader.ends:
        end.close()
    assert child.wait(10) == 0


def test_they_end_when_they_are_idle(some):
    """By SIGALRM, whatever they are doing; the next view has a new one."""
    ask(some)
    [child] = processes(some)
    child.send_signal(signal.SIGALRM)
    some.idle[0].process.wait(10)
    assert ask(some).text == "5"
    assert processes(some) != [child]


def test_they_end_after_some_hundred_values(some, monkeypatch):
    monkeypatch.setattr(readers, "MAX_VALUES", 2)
    ask(some)
    [first] = processes(some)
    ask(some)
    assert some.idle == []
    assert not first.is_running()


def test_there_are_at_most_two(some, monkeypatch):
    monkeypatch.setattr(readers, "WAIT_SECONDS", 0.2)
    held, started = threading.Event(), threading.Semaphore(0)

    def read(_start, _end):
        started.release()
        held.wait(30)
        return bytes(100)

    threads = [
        threading.Thread(target=some.ask, args=(str(n), BYTES, Source(read), None))
        for n in range(2)
    ]
    for thread in threads:
        thread.start()
    for _ in threads:
        started.acquire()
    with pytest.raises(Busy):
        ask(some)
    held.set()
    for thread in threads:
        thread.join()
    assert len(some.idle) == 2
    assert ask(some).text == "5"


def test_a_download_leaves_one_for_pages(some):
    memory = ViewerInMemory()
    stored = memory.locate(memory.push(pd.DataFrame({"a": range(5)})))
    job = {"do": "csv", "codec": stored.codec, "size": stored.bytes}
    pieces = some.csv("a", job, preview.Source(memory, stored))
    assert next(pieces) == b'"a"\n'
    with pytest.raises(Busy):
        next(some.csv("b", job, preview.Source(memory, stored)))
    assert ask(some).text == "5"
    pieces.close()
    assert next(some.csv("b", job, preview.Source(memory, stored))) == b'"a"\n'
    gc.collect()  # what nobody holds any more gives its slot back
    assert [ask(some).text for _ in range(3)] == ["5"] * 3


# ---------------------------------------------------------------------------- deaths


def running():
    """The readers among this process's children, which has servers of other tests, too."""
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            # Not one that is only forked yet: it has the name and the memory of this process.
            found += [child] if process.ARGUMENTS[-1] in child.cmdline() else []
    return found


def resident():
    """The memory of the largest of them."""
    found = [0]
    for child in running():
        with contextlib.suppress(psutil.Error):
            found.append(child.memory_info().rss)
    return max(found)


def killing(some):
    """A source that ends the reader which asks it."""

    def read(_start, _end):
        # Those of other tests in this process are idle, and older.
        child = max(running(), key=psutil.Process.create_time)
        child.kill()
        child.wait()
        return bytes(100)

    return Source(read)


def test_a_death_costs_one_card(some):
    with pytest.raises(Unsafe, match="was ended"):
        some.ask("a", BYTES, killing(some), None)
    assert ask(some).text == "5"


def test_three_within_a_minute_pause_the_object_and_not_the_viewer(some, monkeypatch):
    for _ in range(3):
        with pytest.raises(Unsafe, match="it is gone"):
            some.ask("a", BYTES, killing(some), None)
    with pytest.raises(Unsafe, match="left alone"):
        ask(some, "a")
    assert ask(some, "b").text == "5"
    later = time.monotonic() + readers.PAUSE_SECONDS
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert ask(some, "a").text == "5"


def test_deaths_that_are_far_between_pause_nothing(some, monkeypatch):
    now = time.monotonic
    for minute in range(5):
        monkeypatch.setattr(time, "monotonic", lambda m=minute: now() + 61 * m)
        with pytest.raises(Unsafe, match="it is gone"):
            some.ask("a", BYTES, killing(some), None)


def test_what_another_object_has_broken_is_not_held_against_this_one(some):
    """The process had read others before: a fresh one has the last word."""
    ask(some)
    asked = []

    def read(start, end):
        asked.append(start)
        if len(asked) == 1:
            killing(some).read(start, end)
        return bytes(100)

    assert some.ask("a", BYTES, Source(read), None)[0] == "bytes"
    assert some.deaths == {}


@pytest.mark.parametrize(
    ("limit", "most", "why"),
    [
        ("MAX_RESIDENT_BYTES", 1_000_000, "MB of memory"),
        ("MAX_CPU_SECONDS", 0.0, "too long"),
        ("MAX_SECONDS", 0.0, "too long"),
    ],
)
def test_what_takes_too_much_is_ended(some, monkeypatch, limit, most, why):
    monkeypatch.setattr(process, limit, most)
    with pytest.raises(Unsafe, match=why):
        ask(some)
    assert some.idle == []


def test_a_reader_that_never_has_enough_is_ended(some, monkeypatch):
    """Though it takes neither time nor memory: it asks for a byte, and the store is slow."""
    monkeypatch.setattr(process, "MAX_WAITED_SECONDS", 0.5)
    monkeypatch.setattr(process, "ARGUMENTS", ["-c", FRAME + HOSTILE["ranges for ever"]])
    asked = []

    def read(start, end):
        asked.append(start)
        time.sleep(0.1)
        return bytes(end - start)

    with pytest.raises(TooSlow):
        some.ask("a", BYTES, Source(read), None)
    assert 0 < len(asked) < 10
    assert some.idle == []
    assert some.deaths == {}


def test_a_store_that_fails_is_no_death(some):
    def read(_start, _end):
        raise StoreUnreachable("too slow")

    with pytest.raises(StoreUnreachable, match="too slow"):
        some.ask("a", BYTES, Source(read), None)
    [reader] = some.idle
    assert ask(some).text == "5"
    assert some.idle == [reader]


# ---------------------------------------------------------------------------- hostile answers

FRAME = "import sys, time, struct\nsay = lambda k, d: (sys.stdout.buffer.write(struct.pack('>cI', k, len(d)) + d), sys.stdout.flush())\n"
HOSTILE = {
    "nothing": "",
    "an exit status": "import sys; sys.exit(0)",
    "text": "print('hello, I am no frame' * 99)",
    "a long frame": "import sys; sys.stdout.buffer.write(b'A' + b'\\xff' * 9999)",
    "no JSON": "say(b'A', b'text\\n{')",
    "another kind": "say(b'A', b'os.system\\n{}')",
    "no kind": "say(b'A', b'\\xff' * 20)",
    "another type": "say(b'A', b'text\\n{\"text\": 5, \"hidden\": 0}')",
    "columns of other lengths": "say(b'A', b'table\\n' + b'{\"rows\":1,\"columns_total\":2,\"columns\":[{\"label\":\"a\",\"dtype\":\"a\",\"family\":\"a\",\"cells\":[\"1\"]},{\"label\":\"b\",\"dtype\":\"a\",\"family\":\"a\",\"cells\":[]}],\"rows_read\":1,\"rows_read_words\":\"\",\"first_row\":0,\"readable_rows\":1}')",
    "deep": "say(b'A', b'tree\\n' + b'{\"label\":\"a\",\"kind\":\"b\",\"children\":[' * 5000)",
    "a piece of a file": "say(b'P', b'text')",
    "a range of another form": "say(b'R', b'1')",
    "ranges for ever": "while True: say(b'R', bytes(8) + (1).to_bytes(8, 'big'))",
    "a huge answer, slowly": "sys.stdout.buffer.write(b'A' + struct.pack('>I', 4_000_000)); sys.stdout.flush(); time.sleep(60)",
    "no end": "time.sleep(60)",
    "a loop": "while True: pass",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_an_answer_that_is_none_costs_one_card(some, monkeypatch, name):
    """What a reader says that somebody else has taken over."""
    monkeypatch.setattr(process, "MAX_CPU_SECONDS", 1.0)
    monkeypatch.setattr(process, "MAX_SECONDS", 1.0 if "sleep" in HOSTILE[name] else 3.0)
    monkeypatch.setattr(process, "ARGUMENTS", ["-c", FRAME + HOSTILE[name]])
    source = Source(lambda start, end: bytes(end - start))
    with pytest.raises(Unsafe):
        some.ask("a", BYTES, source, None)
    monkeypatch.undo()
    assert ask(some).text == "5"


def test_a_reason_that_nobody_thought_of(some, caplog):
    with pytest.raises(Failed, match="KeyError"):
        some.ask("a", {"do": "show", "nonsense": 1}, None, b"5")
    assert "a cannot be shown" in caplog.text
    assert ask(some).text == "5"


# ---------------------------------------------------------------------------- hostile objects


def look(memory, some, codec, data):
    """The states that a card and a download of an object have; the object is what its row says."""
    stored = damage.record_of(memory, codec, data)
    found = []
    for read in (
        lambda: preview.of_object(some, memory, stored, preview.Window()).kind,
        lambda: sum(map(len, preview.downloads.csv(some, memory, stored))) and "csv",
    ):
        try:
            found.append(read())
        except Exception as error:
            found.append(states.of(error).name)
    some.deaths.clear()
    return found


def test_damaged_objects(some):
    """Of every codec, in every way; the long test has thousands, against an API server."""
    memory, seen = ViewerInMemory(), set()
    for _name, record, data in damage.objects(60):
        seen |= set(look(memory, some, record["codec"], data))
    assert {"corrupt", "table", "csv", "array", "bytes"} <= seen <= {
        *shown.KINDS, "csv", "corrupt", "too-large", "unsafe", "failed", "missing",
    }  # fmt: skip


@pytest.mark.parametrize("name", damage.ODDITIES)
def test_what_libraries_fail_at_is_damage_too(some, name):
    assert look(ViewerInMemory(), some, *damage.ODDITIES[name])[0] == "corrupt"


# Five seconds each; of zeros in Arrow's own format, and of texts in test_tables.py, it is less.
SLOW = {
    "a row of 100 million zeros", "2,000 rows of a long text", "its category", "Arrow of a long text",
}  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.long if n in SLOW else ()) for n in damage.FORGERIES],
)
def test_what_is_small_and_wants_to_be_large(some, name):
    memory = ViewerInMemory()
    codec, make = damage.FORGERIES[name]
    data = make()
    assert len(data) < 3_000_000
    with Peak(resident, 0.02) as peak:
        found = look(memory, some, codec, data)
    assert not {"unsafe", "failed"} & set(found), found
    assert 0 < peak.most < process.MAX_RESIDENT_BYTES


def test_that_an_error_has_a_state():
    for error in (Unsafe(), Failed(), Busy(), shown.TooLarge(), XComStoreError(), KeyError()):
        assert states.of(error).status >= 400
