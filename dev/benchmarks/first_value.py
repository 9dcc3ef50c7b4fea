"""What the first value that goes to S3 costs a fresh process, such as every task is.

The process has imported Airflow's SDK; what is timed is the backend's import, connecting, a push
and a pull of a dict as Great Expectations results are (1.4 KB of JSON). A task's process is forked
from its supervisor, so that it has the supervisor's modules, too, which Airflow's connections need;
in the second row they are loaded before.
"""

from __future__ import annotations

import importlib
import time
from typing import Any

from dev.benchmarks.harness import NAMES, Bar, Bench, Result, median, spread

TITLE = "The first value of a process: push + pull of a dict of 1.4 KB"
PEERS = ("ours", "s3_hook", "common_io")
ROUNDS = 7
QUICK_ROUNDS = 2
MILLISECONDS = 35
TIMES = 10


def run(bench: Bench) -> Result:
    rows = [(peer, has) for peer in PEERS for has in (False, True)]
    found: dict[tuple[str, bool], list[float]] = {row: [] for row in rows}
    rounds = QUICK_ROUNDS if bench.quick else ROUNDS
    with bench.s3() as env:
        for number in range(rounds + 1):
            bench.say(f"round {number} of {rounds}" if number else "a first round, not counted")
            for peer, has in rows:
                took = bench.call(peer, env, "first_value:measure", peer=peer, supervisor=has)
                found[peer, has] += [took] if number else []
    bars = []
    for has, process in ((False, "the SDK imported"), (True, "a task's process")):
        ours = median(found["ours", has])
        against = median(found["s3_hook", has]) / ours
        bars.append(Bar(process, ours, MILLISECONDS, unit=" ms"))
        bars.append(Bar(f"{process}, times as fast as with S3Hook", against, TIMES, at_least=True))
    return Result(
        ["", "the SDK imported, ms", "a task's process, ms"],
        [[NAMES[peer], *(spread(found[peer, has]) for has in (False, True))] for peer in PEERS],
        bars,
        {f"{peer}, {'task' if has else 'SDK'}": times for (peer, has), times in found.items()},
    )


def measure(peer: str, *, supervisor: bool) -> float:
    """In the child: milliseconds."""
    from airflow.sdk import DAG, BaseHook, Variable, task  # noqa: F401
    from airflow.sdk.bases.xcom import BaseXCom  # noqa: F401

    if supervisor:
        importlib.import_module("airflow.sdk.execution_time.supervisor")
        importlib.import_module("airflow.sdk.execution_time.task_runner")
    value = make_value()
    started = time.perf_counter()
    module = importlib.import_module(f"dev.benchmarks.peers.{peer}")
    back = module.pull(module.push(value))
    milliseconds = 1000 * (time.perf_counter() - started)
    if back != value:
        raise ValueError(f"{peer} gave back {back}")
    return milliseconds


def make_value() -> dict[str, Any]:
    """Four expectations of a validation, as the provider's operators push them."""
    columns = ("vendor_id", "passenger_count", "pickup_datetime", "pickup_location_id")
    expectations = [
        {
            "expectation_type": "expect_column_values_to_not_be_null",
            "success": True,
            "kwargs": {"batch_id": "taxi-february", "column": column, "mostly": 1.0},
            "result": {
                "element_count": 10_000,
                "unexpected_count": 0,
                "unexpected_percent": 0.0,
                "partial_unexpected_list": [],
                "partial_unexpected_counts": [],
            },
        }
        for column in columns
    ]
    return {
        "success": True,
        "statistics": {"evaluated_expectations": 4, "successful_expectations": 4},
        "expectations": expectations,
        "result_url": None,
    }
