"""An S3 that is slow or away holds up the viewer's cards, and nothing of Airflow's own."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

pytest.importorskip("obstore")
pytest.importorskip("include.xcom_viewer", reason="the viewer was deleted")
from include.xcom_store.errors import StoreUnreachable
from include.xcom_viewer import app, source, work
from include.xcom_viewer.source import StoreLookup
from include.xcom_viewer.work import Busy, Pool, TooSlow
from tests.xcom_viewer.test_pages import state


def run(coroutine):
    return asyncio.run(coroutine)


def test_the_event_loop_goes_on_while_threads_wait():
    held = threading.Event()

    async def main():
        pool = Pool()
        waiting = [asyncio.ensure_future(pool.run(held.wait)) for _ in range(work.MAX_THREADS)]
        await asyncio.sleep(0.01)  # for ever, if they waited in the loop
        held.set()
        assert await asyncio.gather(*waiting) == [True] * work.MAX_THREADS
        while pool.unfinished:
            await asyncio.sleep(0.01)

    run(main())


def test_a_value_is_rendered_elsewhere_too(viewer, monkeypatch):
    """A reader that somebody has taken over may answer 4 MiB: five seconds of templates."""
    rendered, page = [], app.page

    def noted(*arguments, **context):
        rendered.append(threading.current_thread().name)
        return page(*arguments, **context)

    monkeypatch.setattr(app, "page", noted)
    viewer.push(1)
    assert viewer.get("value").status_code == 200
    [thread] = rendered
    assert thread.startswith("xcom_viewer")


def test_what_takes_too_long_is_given_up():
    held = threading.Event()

    async def main():
        pool = Pool()
        with pytest.raises(TooSlow, match=r"0\.05 seconds"):
            await pool.run(held.wait, 0.05)
        assert pool.unfinished == 1  # its thread waits still
        held.set()
        assert await pool.run(lambda: 5) == 5
        while pool.unfinished:
            await asyncio.sleep(0.01)

    run(main())


def test_too_much_at_once_is_turned_away():
    held = threading.Event()

    async def main():
        pool = Pool()
        waiting = [asyncio.ensure_future(pool.run(held.wait)) for _ in range(work.MAX_UNFINISHED)]
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await pool.run(lambda: 5)
        held.set()
        await asyncio.gather(*waiting)
        assert await pool.run(lambda: 5) == 5

    run(main())


def test_a_slot_is_given_back_whatever_happens():
    """No future can hold a StopIteration: it would never be done."""

    def stops():
        raise StopIteration

    async def main():
        pool = Pool()
        for _ in range(work.MAX_UNFINISHED + 1):
            with pytest.raises(RuntimeError):
                await pool.run(stops, 5)
        assert pool.unfinished == 0

    run(main())


def test_an_error_after_all_have_gone_is_no_noise(caplog):
    async def main():
        pool = Pool()
        with pytest.raises(TooSlow):
            await pool.run(lambda: (time.sleep(0.1), 1 / 0), 0.01)
        await asyncio.sleep(0.3)

    run(main())
    assert not caplog.records


def test_a_page_waits_for_a_few_seconds_only(viewer, monkeypatch):
    """S3 that takes a connection and never answers."""
    import socket

    from include.xcom_store import settings

    viewer.push(["x" * 2_000])
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv(
            settings.variable("endpoint_url"), f"http://127.0.0.1:{silent.getsockname()[1]}"
        )
        settings.load.cache_clear()
        viewer.lookup.forget()
        started = time.perf_counter()
        answer = viewer.get("value")
        took = time.perf_counter() - started
        for page in ("task", "run"):
            started = time.perf_counter()
            assert viewer.get(page).status_code == 200
            assert time.perf_counter() - started < work.ANSWER_SECONDS / 2
    assert state(answer) == "unreachable"
    assert "data-retry" in answer.text
    assert took < work.ANSWER_SECONDS + 2


def test_cards_that_wait_need_not_find_out_again(configure, monkeypatch):
    configure(url="s3://bucket")
    lookup = StoreLookup()
    first = lookup.store()
    lookup.was_silent(StoreUnreachable("too slow"))
    with pytest.raises(StoreUnreachable, match="too slow"):
        lookup.store()
    later = time.monotonic() + source.SILENT_SECONDS
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert lookup.store() is first


def test_the_connection_is_looked_up_again(viewer, monkeypatch):
    """The API server lives for weeks; keys are changed meanwhile."""
    viewer.push(["x" * 2_000])
    assert state(viewer.get("value")) is None
    first = viewer.lookup.store()
    assert viewer.lookup.store() is first
    later = source.REFRESH_SECONDS
    monkeypatch.setattr(time, "monotonic", lambda now=time.monotonic: now() + later)
    assert viewer.lookup.store() is not first


def test_the_pages_wait_less_than_tasks(configure):
    configure(url="s3://bucket", connect_timeout=0.5, retry_timeout=300)
    found = StoreLookup().store().settings
    assert (found.connect_timeout, found.retry_timeout) == (0.5, 4.0)
    assert found.url == "s3://bucket"
