"""A task that pulls what 1,000 mapped tasks have pushed, from an S3 that is 20 ms away."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

from dev.benchmarks import latency
from dev.benchmarks.harness import Bar, Bench, Result, median, number, spread

TITLE = "get_all of 1,000 objects of 20 KB, 20 ms away"
COUNT = 1_000
QUICK_COUNT = 100
ROUND_TRIP_MS = 20
ROUNDS = 2
PEERS = ("ours", "common_io")
METHODS = {"ours": "ours", "one after the other": "ours", "common-io": "common_io"}
"""By name: the peer. `one after the other` is `BaseXCom.get_all` on our backend."""


def run(bench: Bench) -> Result:
    count = QUICK_COUNT if bench.quick else COUNT
    found: dict[str, list[float]] = {name: [] for name in METHODS}
    with bench.s3() as env:
        records: dict[str, Any] = {}
        for peer in PEERS:
            bench.say(f"{count:,} objects pushed by {peer}")
            records[peer] = bench.call(peer, env, "fan_in:push", peer=peer, count=count)
        with latency.far_away(env, bench, ROUND_TRIP_MS) as far:
            for round_number in range(1 if bench.quick else ROUNDS):
                for name, peer in METHODS.items():
                    bench.say(f"round {round_number + 1}: {name}")
                    arguments = {"method": name, "records": records[peer]}
                    found[name].append(bench.call(peer, far, "fan_in:pull", **arguments))
    ours = median(found["ours"])
    return Result(
        ["", "s", "times as long"],
        [[name, spread(times), number(median(times) / ours)] for name, times in found.items()],
        [
            Bar(
                "times as fast as one after the other",
                median(found["one after the other"]) / ours,
                15,
                at_least=True,
            ),
            Bar("times as fast as common-io", median(found["common-io"]) / ours, 8, at_least=True),
        ],
        {"count": count, "seconds": found},
    )


def push(peer: str, count: int) -> list[Any]:
    """In the child: what the database holds for the values of `count` mapped tasks."""
    import importlib

    from dev.benchmarks.peers.ours import WHERE

    module = importlib.import_module(f"dev.benchmarks.peers.{peer}")
    records = []
    for index in range(count):
        WHERE["map_index"] = index
        records.append(module.push(_value(index)))
    return records


def pull(method: str, records: list[Any]) -> float:
    """In the child: seconds of one `get_all`, with what it loads and connects."""
    from airflow.sdk.bases.xcom import BaseXCom
    from airflow.sdk.execution_time import task_runner
    from airflow.sdk.execution_time.comms import XComSequenceSliceResult

    from dev.benchmarks.peers.ours import WHERE

    answer = XComSequenceSliceResult(root=records)
    supervisor: Any = SimpleNamespace(send=lambda msg: answer)  # noqa: ARG005 - called by name
    task_runner.SUPERVISOR_COMMS = supervisor
    backend = _backend(method)
    get_all: Any = backend.get_all
    if method == "one after the other":
        get_all = BaseXCom.get_all.__func__.__get__(backend)  # type: ignore[attr-defined]
    where = {name: WHERE[name] for name in ("key", "dag_id", "run_id", "task_id")}
    started = time.perf_counter()
    values = get_all(**where)
    seconds = time.perf_counter() - started
    if values != [_value(index) for index in range(len(records))]:
        raise ValueError(f"{method} gave back other values")
    return seconds


def _backend(method: str) -> Any:
    if method == "common-io":
        from airflow.providers.common.io.xcom.backend import XComObjectStorageBackend

        return XComObjectStorageBackend
    from include.s3_xcom_backend import S3XComBackend

    return S3XComBackend


def _value(index: int) -> dict[str, Any]:
    return {"index": index, "text": f"{index:06}" * 3_333}
