"""What a small value costs that stays in the database: here, and with Airflow's default backend."""

from __future__ import annotations

import time
from typing import Any

from dev.benchmarks.harness import Bar, Bench, Result, median, spread

TITLE = "A small value, kept in the database"
VALUE = {"rows": 10_000, "path": "s3://landing/trips/2026-11-22.csv", "valid": True, "share": 0.97}
PEERS = ("ours", "airflow")
LIMITS = {"serialize": 1.3, "deserialize": 1.1}
CALLS = 2_000
ROUNDS = 15
QUICK_ROUNDS = 5


def run(bench: Bench) -> Result:
    bench.say("one process, the two in turn")
    env = bench.settings("http://127.0.0.1:9")  # where nobody answers: nothing goes to S3
    rounds = QUICK_ROUNDS if bench.quick else ROUNDS
    figures = bench.call("ours", env, "small_values:measure", rounds=rounds)
    return Result(
        ["", "S3XComBackend, µs", "Airflow's default, µs"],
        [[name, *(spread(figures[name][peer]) for peer in PEERS)] for name in figures],
        [
            Bar(
                f"{name}, of Airflow's default",
                median(found["ours"]) / median(found["airflow"]),
                LIMITS[name],
            )
            for name, found in figures.items()
        ],
        figures,
    )


def measure(rounds: int) -> dict[str, dict[str, list[float]]]:
    """In the child: microseconds of a call, by what and whose."""
    from airflow.sdk.bases.xcom import BaseXCom

    from dev.benchmarks.peers.ours import WHERE
    from include.s3_xcom_backend import S3XComBackend

    classes = {"ours": S3XComBackend, "airflow": BaseXCom}
    found: dict[str, dict[str, list[float]]] = {
        name: {peer: [] for peer in PEERS} for name in ("serialize", "deserialize")
    }
    for number in range(rounds + 1):
        for peer, backend in classes.items():
            seconds = _seconds(backend, WHERE)
            for name, value in seconds.items():
                if number:  # the first loads what it needs
                    found[name][peer].append(value / CALLS * 1e6)
    return found


def _seconds(backend: Any, where: dict[str, Any]) -> dict[str, float]:
    from airflow.sdk.execution_time.comms import XComResult

    started = time.perf_counter()
    for _ in range(CALLS):
        stored = backend.serialize_value(VALUE, **where)
    between = time.perf_counter()
    result = XComResult(key="return_value", value=stored)
    for _ in range(CALLS):
        value = backend.deserialize_value(result)
    ended = time.perf_counter()
    if value != VALUE:
        raise ValueError(f"{backend} gave back {value}")
    return {"serialize": between - started, "deserialize": ended - between}
