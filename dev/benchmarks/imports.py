"""What the backend's import costs every Airflow process, beyond the SDK's own base class."""

from __future__ import annotations

import time

from dev.benchmarks.harness import Bar, Bench, Result, median, spread

TITLE = "import include.s3_xcom_backend"
ROUNDS = 20
QUICK_ROUNDS = 3
MILLISECONDS = 2.5


def run(bench: Bench) -> Result:
    env = bench.settings("http://127.0.0.1:9")
    rounds = QUICK_ROUNDS if bench.quick else ROUNDS
    bench.say(f"{rounds} processes")
    found = [bench.call("ours", env, "imports:measure") for _ in range(rounds + 1)][1:]
    return Result(
        ["", "ms"],
        [["beyond BaseXCom", spread(found)]],
        [Bar("beyond BaseXCom", median(found), MILLISECONDS, unit=" ms")],
        found,
    )


def measure() -> float:
    """In the child: milliseconds."""
    from airflow.sdk.bases.xcom import BaseXCom  # noqa: F401

    started = time.perf_counter()
    import include.s3_xcom_backend  # noqa: F401

    return 1000 * (time.perf_counter() - started)
