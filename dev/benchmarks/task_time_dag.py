"""A frame that one task makes and pushes, and another pulls; each notes when it did what."""

from __future__ import annotations

import os
import time
from pathlib import Path

from airflow.sdk import DAG, get_current_context, task

READ = time.time()
ROWS = 100_000


def _started() -> float:
    """When this process began, in seconds since 1970; its clock has ticks of 10 ms."""
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    since_boot = ticks / os.sysconf("SC_CLK_TCK")
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + since_boot


with DAG("task_time", schedule=None, catchup=False) as dag:

    @task
    def make() -> object:
        from dev.benchmarks.data import make_frame

        called = time.time()
        frame = make_frame(ROWS)
        print("TIMES", _started(), READ, called, called, time.time())
        return frame

    @task
    def use() -> float:
        called = time.time()
        frame = get_current_context()["ti"].xcom_pull(task_ids="make")
        pulled = time.time()
        found = float(frame.groupby("zone_0")["amount_0"].mean().max())
        print("TIMES", _started(), READ, called, pulled, time.time())
        return found

    make() >> use()
