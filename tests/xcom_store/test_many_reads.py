"""Many values at once: mapped tasks, lazy sequences, threads, the event loop, forked processes."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest

pytest.importorskip("pandas")
pytest.importorskip("obstore")
from airflow.sdk.execution_time import comms

from include.xcom_store.errors import AccessDenied, ObjectMissing
from tests.xcom_store.conftest import DAG, RUN, TASK

WHERE = {"dag_id": DAG, "run_id": RUN, "task_id": TASK}
ALL = {"key": "return_value", **WHERE}


def push_mapped(xcom, count=30):
    values = [[index, "x" * 1_100] if index % 3 else (index,) for index in range(count)]
    for index, value in enumerate(values):
        xcom.push(value, map_index=index)
    return values


class TestGetAll:
    def test_in_the_order_of_the_map_indexes(self, xcom):
        assert push_mapped(xcom) == xcom.backend.get_all(**ALL)

    def test_none_where_nothing_was_pushed(self, xcom):
        assert xcom.backend.get_all(**ALL) is None

    def test_in_parallel(self, xcom, monkeypatch):
        push_mapped(xcom, 8)
        together = threading.Barrier(8, timeout=20)  # broken unless eight wait at once

        def deserialize(_row):
            return together.wait() >= 0

        monkeypatch.setattr(xcom.backend, "deserialize_value", staticmethod(deserialize))
        assert xcom.backend.get_all(**ALL) == [True] * 8

    def test_the_one_that_fails_is_named(self, xcom):
        import obstore

        push_mapped(xcom, 5)
        gone = json.loads(xcom.rows[DAG, RUN, TASK, 4, "return_value"])["uri"]
        obstore.delete(xcom.s3.client, gone.removeprefix(f"{xcom.s3.url}/"))
        with pytest.raises(ObjectMissing, match="map_index=4") as error:
            xcom.backend.get_all(**ALL)
        assert gone in str(error.value)

    def test_a_row_of_another_task_is_refused(self, xcom, supervisor):
        push_mapped(xcom, 3)
        stranger = xcom.push(["x" * 1_100], task_id="other", map_index=1)
        supervisor.put(stranger, map_index=1, **ALL)
        with pytest.raises(AccessDenied):
            xcom.backend.get_all(**ALL)


class TestLazySequence:
    """What a task gets that reads a mapped task's output; it calls `deserialize_value` alone."""

    @pytest.fixture
    def lazy(self, xcom, supervisor, monkeypatch):
        from airflow.sdk.execution_time import xcom as sdk
        from airflow.sdk.execution_time.lazy_sequence import LazyXComSequence

        def rows():
            return supervisor.send(
                comms.GetXComSequenceSlice(start=None, stop=None, step=None, **ALL)
            ).root

        supervisor.answers["GetXComCount"] = lambda _: comms.XComCountResponse(len=len(rows()))
        supervisor.answers["GetXComSequenceItem"] = lambda message: (
            comms.XComSequenceIndexResult(root=rows()[message.offset])
            if message.offset < len(rows())
            else comms.ErrorResponse()
        )
        monkeypatch.setattr(sdk, "XCom", xcom.backend, raising=False)
        operator = SimpleNamespace(dag_id=DAG, task_id=TASK)
        return LazyXComSequence(
            xcom_arg=SimpleNamespace(operator=operator, key="return_value"),
            ti=SimpleNamespace(run_id=RUN, dag_id=DAG),
        )

    def test_items_slices_and_iteration(self, xcom, lazy):
        values = push_mapped(xcom, 5)
        assert (len(lazy), lazy[1], lazy[:], list(lazy)) == (5, values[1], values, values)

    @pytest.mark.parametrize("other", [{"run_id": "manual__1"}, {"dag_id": "other"}])
    def test_within_a_task_only_its_own_runs_values(
        self, xcom, supervisor, lazy, monkeypatch, other
    ):
        from airflow.sdk.definitions._internal import contextmanager

        supervisor.put(xcom.push(["x" * 1_100], **other), map_index=0, **ALL)
        ti = SimpleNamespace(dag_id=DAG, run_id=RUN)
        monkeypatch.setattr(contextmanager, "_get_current_context", lambda: {"ti": ti})
        with pytest.raises(AccessDenied):
            lazy[0]


class TestAsync:
    def test_the_same_values(self, xcom):
        async def run():
            await xcom.backend.aset("return_value", ["x" * 1_100], map_index=-1, **WHERE)
            one = await xcom.backend.aget_one(map_index=-1, **ALL)
            ti = SimpleNamespace(map_index=-1, **WHERE)
            assert await xcom.backend.aget_value(ti_key=ti, key="return_value") == one
            return one, await xcom.backend.aget_all(**ALL)

        assert asyncio.run(run()) == (["x" * 1_100], [["x" * 1_100]])

    @pytest.mark.parametrize("call", ["aset", "aget_one", "aget_all"])
    def test_the_event_loop_goes_on(self, xcom, monkeypatch, call):
        from include.xcom_store.stores.base import Store

        xcom.push(["x" * 1_100])
        begun, loop_goes_on = threading.Event(), threading.Event()

        def slow(request):
            def wait(*arguments):
                begun.set()
                assert loop_goes_on.wait(20), "the event loop waits for the store"
                return request(*arguments)

            return wait

        for name in ("put", "get"):
            monkeypatch.setattr(Store, name, slow(getattr(Store, name)))

        async def run():
            arguments = {"value": ["y" * 1_100], "map_index": -1} if call == "aset" else {}
            work = asyncio.create_task(getattr(xcom.backend, call)(**ALL, **arguments))
            while not begun.is_set() and not work.done():
                await asyncio.sleep(0.001)
            loop_goes_on.set()
            await work

        asyncio.run(run())
        assert begun.is_set()


def test_threads_share_the_backend(xcom):
    from concurrent.futures import ThreadPoolExecutor

    def there_and_back(number):
        value = [number, "x" * 1_100]
        xcom.push(value, key=f"key{number}")
        return xcom.pull(f"key{number}") == value

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(there_and_back, range(100)))


FORK = """
import os, sys, time
from airflow.sdk import DAG
from include.xcom_store import settings
from include.xcom_store.stores import base
from include.xcom_store.errors import StoreUnreachable
key = sys.argv[1]
base.connect(settings.load()).put(key, lambda sink: sink.write(b"x"))
child = os.fork()
if not child:
    try:
        base.connect(settings.load()).put(key, lambda sink: sink.write(b"y"))
        os._exit(0)  # works
    except StoreUnreachable as error:
        print(error, flush=True)
        os._exit(7)  # fails at once
for _ in range(100):
    done, status = os.waitpid(child, os.WNOHANG)
    if done:
        sys.exit(os.waitstatus_to_exitcode(status))
    time.sleep(0.1)
os.kill(child, 9)
sys.exit("hangs")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_works_or_fails_at_once(s3):
    command = [sys.executable, "-W", "ignore", "-c", FORK, "fork"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode in (0, 7), run.stderr
    if run.returncode == 7:
        assert "forked" in run.stdout
        assert "spawn" in run.stdout
