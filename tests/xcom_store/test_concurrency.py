"""Many processes at once under one prefix: no value is lost, none is taken for another."""

from __future__ import annotations

import json
import multiprocessing
import os

import pytest

pytest.importorskip("pandas")
pytest.importorskip("obstore")
from tests.xcom_store.conftest import DAG, RUN, TASK
from tests.xcom_store.supervisor import Supervisor

# Two processes each share a map index, so that they write under the same name.
KEYS_SHARED_BY = 2


def value_of(process, number):
    """A value that says whose it is, of each kind in turn."""
    import numpy as np
    import pandas as pd

    mark = process * 10_000 + number
    return (
        lambda: [process, number, "x" * 1_100],
        lambda: pd.DataFrame({"process": [process] * 500, "number": range(mark, mark + 500)}),
        lambda: {"who": (process, number), "frame": pd.DataFrame({"a": [mark]}), "s": {mark}},
        lambda: np.full(1_000, mark),
        lambda: f"{mark}".encode() * 1_500,
    )[number % 5]()


def push_and_pull(process, count, start, results):
    """One worker: push, pull back what was just pushed, and hand the rows to the parent."""
    from airflow.sdk.execution_time import task_runner

    from include.s3_xcom_backend import S3XComBackend
    from tests.xcom_store.identical import assert_identical

    supervisor = task_runner.SUPERVISOR_COMMS = Supervisor()
    where = {
        "dag_id": DAG, "run_id": RUN, "task_id": TASK, "map_index": process // KEYS_SHARED_BY
    }  # fmt: skip
    start.wait(timeout=240)
    try:
        for number in range(count):
            S3XComBackend.set(f"key{number}", value_of(process, number), **where)
            pulled = S3XComBackend.get_one(key=f"key{number}", **where)
            assert_identical(value_of(process, number), pulled)
        results.put((process, list(supervisor.rows.items()), None))
    except BaseException as error:
        results.put((process, [], repr(error)))
        raise


@pytest.mark.parametrize(
    ("processes", "count"), [(2, 20), pytest.param(16, 100, marks=pytest.mark.long)]
)
def test_none_lost_none_mixed_up(xcom, processes, count):
    from include.s3_xcom_backend import S3XComBackend
    from tests.xcom_store.identical import assert_identical

    assert os.environ["AIRFLOW__XCOM_STORE__URL"] == xcom.s3.url  # workers inherit it
    context = multiprocessing.get_context("spawn")
    start, results = context.Barrier(processes), context.Queue()
    workers = [
        context.Process(target=push_and_pull, args=(number, count, start, results), daemon=True)
        for number in range(processes)
    ]
    for worker in workers:
        worker.start()
    answers = [results.get(timeout=500) for _ in workers]
    for worker in workers:
        worker.join(timeout=60)
    assert [error for _, _, error in answers if error] == []
    assert [worker.exitcode for worker in workers] == [0] * processes

    uris = set()
    for process, rows, _ in answers:
        assert len(rows) == count
        xcom.rows.clear()
        xcom.rows.update(rows)
        for (dag, run, task, index, key), text in rows:
            uris.add(json.loads(text)["uri"])
            pulled = S3XComBackend.get_one(
                key=key, dag_id=dag, run_id=run, task_id=task, map_index=index
            )
            assert_identical(value_of(process, int(key.removeprefix("key"))), pulled)
    assert len(uris) == processes * count
    visible = xcom.s3.keys()
    objects = {f"{xcom.s3.url}/{key}" for key in visible}
    assert uris <= objects
    leaves = sum(number % 5 == 2 for number in range(count)) * processes
    assert len(objects) == len(uris) + leaves
    print(f"\n{processes} processes × {count} values: {len(uris)} pushed, each pulled twice")
