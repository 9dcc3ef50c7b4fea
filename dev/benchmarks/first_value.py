"""What the first value that goes to S3 costs a fresh process, such as every task is.

The process has imported Airflow's SDK; what is timed is the backend's import, connecting, a push
and a pull of a dict as Great Expectations results are (1.4 KB of JSON).
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
    found: dict[str, list[float]] = {peer: [] for peer in PEERS}
    rounds = QUICK_ROUNDS if bench.quick else ROUNDS
    with bench.s3() as env:
        for number in range(rounds + 1):
            bench.say(f"round {number} of {rounds}" if number else "a first round, not counted")
            for peer in PEERS:
                took = bench.call(peer, env, "first_value:measure", peer=peer)
                found[peer] += [took] if number else []
    ours = median(found["ours"])
    against_hook = median(found["s3_hook"]) / ours
    return Result(
        ["", "ms"],
        [[NAMES[peer], spread(found[peer])] for peer in PEERS],
        [
            Bar("beyond importing the SDK", ours, MILLISECONDS, unit=" ms"),
            Bar("times as fast as with S3Hook", against_hook, TIMES, at_least=True),
        ],
        found,
    )


def measure(peer: str) -> float:
    """In the child: milliseconds."""
    from airflow.sdk import DAG, BaseHook, Variable, task  # noqa: F401
    from airflow.sdk.bases.xcom import BaseXCom  # noqa: F401

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
