"""What Airflow needs to read each of our DAG files, in a fresh process, beyond its own SDK.

Airflow does so every half minute, and once more in every task's process.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from dev.benchmarks.harness import Bar, Bench, Result, median, spread
from dev.project import ROOT

TITLE = "Reading a DAG file"
FILES = sorted((ROOT / "dags").glob("*.py"))
ROUNDS = 3
SECONDS, COSMOS_SECONDS = 0.25, 0.7


def run(bench: Bench) -> Result:
    env = bench.settings("http://127.0.0.1:9") | {
        "AIRFLOW__CORE__XCOM_BACKEND": "include.s3_xcom_backend.S3XComBackend",
        "AIRFLOW__COSMOS__CACHE_DIR": str(bench.folder / "cosmos"),
        "AIRFLOW__COSMOS__ENABLE_TELEMETRY": "False",
        "GX_ANALYTICS_ENABLED": "false",
    }
    found: dict[Path, list[float]] = {path: [] for path in FILES}
    for number in range(1 if bench.quick else ROUNDS):
        bench.say(f"round {number + 1}: {len(FILES)} files")
        for path in FILES:
            found[path].append(bench.call("ours", env, "dag_parse:measure", path=str(path)))
    cosmos = {path for path in FILES if "from cosmos" in path.read_text()}
    return Result(
        ["file", "s"],
        [[path.name, spread(times)] for path, times in found.items()],
        [
            Bar(path.name, median(times), COSMOS_SECONDS if path in cosmos else SECONDS, unit=" s")
            for path, times in found.items()
        ],
        {path.name: times for path, times in found.items()},
    )


def measure(path: str) -> float:
    """In the child: seconds."""
    import runpy

    import airflow.sdk  # noqa: F401

    sys.path.insert(0, str(Path(path).parent))
    started = time.perf_counter()
    runpy.run_path(path)
    return time.perf_counter() - started
