"""Values with many parts: written and read several at a time, all or none, bounded in number.

Requests are counted at a proxy before a real S3 server.
"""

from __future__ import annotations

import os
import threading
import time
from ast import literal_eval
from concurrent.futures import ThreadPoolExecutor

import pytest

pytest.importorskip("pandas")
pytest.importorskip("obstore")
import numpy as np
import pandas as pd

from include.xcom_store.codecs import npy
from include.xcom_store.errors import AccessDenied, ObjectMissing, StoreUnreachable
from include.xcom_store.stores import files, parallel
from include.xcom_store.stores.parallel import Ahead, Job, Slots
from tests.xcom_store.conftest import DAG, RUN, TASK
from tests.xcom_store.fault_proxy import Fault, FaultProxy
from tests.xcom_store.identical import assert_identical

ALL = {"key": "return_value", "dag_id": DAG, "run_id": RUN, "task_id": TASK}
SLOW = {"retry_timeout": 1, "request_timeout": 20}


@pytest.fixture
def proxy(xcom, s3_server):
    with FaultProxy(s3_server.port) as proxy:
        xcom.s3.through(int(proxy.url.rpartition(":")[2]))
        xcom.push({"connects": np.arange(2)}, key="first")
        xcom.delete("first")
        assert xcom.s3.keys() == []
        yield proxy


def parts(count, start=0):
    return {str(number): np.arange(3) + start + number for number in range(count)}


def delayed(proxy, seconds=0.05, **more):
    proxy.inject(Fault("delay", seconds=seconds, **more))
    return proxy


class TestRequests:
    def test_a_hundred_parts_take_a_few_round_trips(self, xcom, proxy):
        for call in (lambda: xcom.push(parts(100)), xcom.pull):
            delayed(proxy, 0.2)
            started = time.monotonic()
            call()
            assert time.monotonic() - started < 50 * 0.2  # one after the other: 101 × 0.2
            assert proxy.hits == 101
            assert 16 < proxy.most_at_once <= parallel.REQUESTS
        assert_identical(parts(100), xcom.pull())

    def test_all_parts_are_there_before_the_main_object(self, xcom, proxy):
        seen = []
        proxy.inject(Fault("call before", after=40, times=1, call=lambda: seen.append(names())))

        def names():
            return xcom.s3.keys()

        xcom.push(parts(40))
        assert [len(found) for found in seen] == [40]

    @pytest.mark.parametrize("count", [50, pytest.param(2_000, marks=pytest.mark.long)])
    def test_never_more_than_32_of_a_process(self, xcom, proxy, count):
        """Pushes and pulls of many parts, of large objects and of many values, by threads."""
        large = np.random.default_rng(7).bytes(30_000_000)
        xcom.push(large, key="large")
        rows = min(40, count // 5)
        for index in range(rows):
            xcom.push(
                {"large": large[:9_000_000] if index < 4 else b"", **parts(40)}, map_index=index
            )
        delayed(proxy, 0.02)
        calls = [
            lambda: xcom.push(parts(count), key="many"),
            lambda: xcom.push(large, key="large again"),
            lambda: xcom.pull("large"),
            lambda: xcom.backend.get_all(**ALL),
        ]
        with ThreadPoolExecutor(8) as pool:
            done = [pool.submit(call) for call in calls * 2]
            found = [each.result(timeout=300) for each in done]
        assert found[2] == found[6] == large
        assert [list(one) for one in found[3]] == [["large", *parts(40)]] * rows
        assert 24 <= proxy.most_at_once <= parallel.REQUESTS
        proxy.inject(None)
        assert_identical(parts(count), xcom.pull("many"))

    def test_threads_mix_nothing_up(self, xcom, proxy):
        def there_and_back(number):
            xcom.push(parts(12, number), key=f"key{number}")
            assert_identical(parts(12, number), xcom.pull(f"key{number}"))

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(there_and_back, range(40)))

    def test_of_a_list_all_items_are_read_of_mapped_tasks_one(self, xcom, proxy):
        """As docs/operations.md says: Airflow pulls a list whole, and of mapped tasks one row."""
        frames = [pd.DataFrame({"a": [number]}) for number in range(30)]
        xcom.push(frames)
        for index, frame in enumerate(frames):
            xcom.push(frame, task_id="mapped", map_index=index)
        delayed(proxy, 0)
        assert_identical(frames[7], xcom.pull()[7])
        assert proxy.hits == 31
        delayed(proxy, 0)
        assert_identical(frames[7], xcom.pull(task_id="mapped", map_index=7))
        assert proxy.hits == 1

    def test_what_is_huge_is_written_in_larger_parts(self, xcom, proxy, monkeypatch):
        """S3 takes no more than 10,000 of an object. Requests: begin, parts, complete."""
        large = np.random.default_rng(7).bytes(30 * 1024**2)
        for usual, requests in ((files.USUAL_PARTS, 2 + 6), (3, 2 + 3)):
            monkeypatch.setattr(files, "USUAL_PARTS", usual)
            delayed(proxy, 0)
            xcom.push(large)
            assert proxy.hits == requests
            assert xcom.pull() == large


def test_headers_of_arrays_are_parsed_one_at_a_time(monkeypatch):
    """By `ast`, which in CPython 3.11 raises SystemError if two threads call it at once."""
    now, most = [], []

    def parse(text):
        now.append(text)
        most.append(len(now))
        time.sleep(0.001)
        now.pop()
        return literal_eval(text)

    monkeypatch.setattr("ast.literal_eval", parse)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: npy.encode(np.arange(3), "zstd"), range(16)))
    assert most == [1] * 16


class TestAPartFails:
    @pytest.mark.parametrize("after", [0, 7, 49, 50], ids=["first", "8th", "last", "main object"])
    def test_the_others_are_deleted(self, xcom, proxy, after):
        proxy.inject(Fault("403 AccessDenied", after=after, times=1))
        with pytest.raises(AccessDenied):
            xcom.push(parts(50))
        assert proxy.hits == 1
        assert xcom.s3.keys() == []
        assert xcom.rows == {}

    def test_an_answer_that_is_lost_for_good(self, xcom, proxy, configure, caplog):
        configure(**SLOW)
        proxy.inject(Fault("reset answer", at=0, after=7))
        with pytest.raises(StoreUnreachable):
            xcom.push(parts(20))
        assert xcom.s3.keys() == []  # the server has done what the process was not told
        assert "Left what a failed push has written" in caplog.text

    def test_what_cannot_be_deleted_is_told(self, xcom, proxy, configure, caplog):
        configure(**SLOW)
        proxy.inject(Fault("503 SlowDown", after=7))
        with pytest.raises(StoreUnreachable):
            xcom.push(parts(20))
        assert len(xcom.s3.keys()) == 7
        assert "Left what a failed push has written" in caplog.text

    def test_while_a_part_is_encoded(self, xcom, proxy, monkeypatch):
        from include.xcom_store.codecs import npy

        encode = npy.encode

        def fails(value, compression):
            if value[0] < 30:
                return encode(value, compression)
            return npy.Encoded("npy", lambda _sink: 1 / 0, "")

        monkeypatch.setattr(npy, "encode", fails)
        with pytest.raises(Exception, match=r"at \['30'\] cannot be stored: ZeroDivisionError"):
            xcom.push(parts(50))
        assert xcom.s3.keys() == []

    def test_a_pull_names_the_part_that_is_gone(self, xcom, proxy):
        record = xcom.push({"frame": pd.DataFrame({"a": [1]}), **parts(50)})
        gone = f"{record['uri'].removeprefix(f'{xcom.s3.url}/').removesuffix('.json')}/17.npy"
        xcom.s3.remove(gone)
        with pytest.raises(ObjectMissing, match=r"/17\.npy"):
            xcom.pull()
        assert record["leaves"] == 51


class TestAhead:
    def test_in_order_and_no_more_than_the_window(self):
        made = []

        def jobs():
            for number in range(100):
                made.append(number)
                yield Job(lambda number=number: (time.sleep(0.001 * (number % 3)), number)[1])

        with Ahead(jobs(), 5) as results:
            for number, result in enumerate(results):
                assert result == number
                assert len(made) <= number + 5

    def test_no_more_bytes_than_there_is_room_for(self, monkeypatch):
        monkeypatch.setattr(parallel, "AHEAD_BYTES", 100)
        begun = []
        jobs = (Job(lambda n=n: begun.append(n) or n, 60) for n in range(9))
        with Ahead(jobs) as results:
            for number, _result in enumerate(results):
                time.sleep(0.01)
                assert len(begun) <= number + 2

    def test_what_runs_is_waited_for_and_what_waits_is_not_begun(self):
        ended, go_on = [], threading.Event()

        def fail():
            go_on.set()
            raise KeyError("first")

        def slow(number):
            go_on.wait()
            time.sleep(0.1)
            ended.append(number)

        jobs = [Job(fail), *(Job(lambda n=n: slow(n)) for n in range(100))]
        with pytest.raises(KeyError, match="first"), Ahead(jobs, 100) as results:
            list(results)
        count = len(ended)
        assert count <= parallel.REQUESTS
        time.sleep(0.3)
        assert len(ended) == count, "something goes on after the end"

    def test_nested_deeper_than_there_are_threads(self):
        def tree(depth):
            if not depth:
                return 1
            with Ahead([Job(lambda: tree(depth - 1))] * 6) as results:
                return sum(results)

        assert tree(5) == 6**5

    def test_slots_are_taken_all_or_none(self):
        slots, most, held = Slots(4), [], []
        lock = threading.Lock()

        def use(count):
            with slots(count):
                with lock:
                    held.append(count)
                    most.append(sum(held))
                time.sleep(0.001)
                with lock:
                    held.remove(count)

        with ThreadPoolExecutor(12) as pool:
            list(pool.map(use, [1, 4, 2, 3] * 25))
        assert max(most) == 4
        assert not held

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
    @pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
    def test_in_a_forked_child(self):
        go_on = threading.Event()

        def hold():
            with parallel.SLOTS(parallel.REQUESTS):
                go_on.wait(20)

        holder = threading.Thread(target=hold)
        holder.start()
        with Ahead([Job(int)] * 3) as results:
            assert list(results) == [0] * 3
        if not (child := os.fork()):
            with parallel.SLOTS(), Ahead([Job(int)] * 50) as results:
                os._exit(sum(results) + 7)
        end = time.monotonic() + 10
        while (done := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < end:
            time.sleep(0.01)
        if done == (0, 0):
            os.kill(child, 9)
            os.waitpid(child, 0)
        go_on.set()
        holder.join()
        assert os.waitstatus_to_exitcode(done[1]) == 7, "hangs"
        assert done[0] == child
