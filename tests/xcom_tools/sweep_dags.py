"""DAGs of `test_sweep_real_airflow.py`, which copies this file into the DAGs folder of its Airflow."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from airflow.sdk import dag, task

KEYS = 100
BIG = ["x" * 100] * 20


@dag(schedule=None)
def fill():
    """18 mapped tasks of 100 keys: 0 to 15 stay, 16 is for deletion, 17 pushes each key twice."""

    @task
    def push(index: int, ti: Any = None) -> None:
        for number in range(KEYS):
            ti.xcom_push(f"key {number}", [*BIG, number])
            if index == 17:
                ti.xcom_push(f"key {number}", [*BIG, number, "again"])
            if index < 3:
                ti.xcom_push(f"inline {number}", number)

    push.expand(index=list(range(18)))


@dag(schedule=None)
def gone():
    @task
    def push(ti: Any = None) -> None:
        for number in range(KEYS):
            ti.xcom_push(f"key {number}", [*BIG, number])

    push()


@dag(schedule=None)
def churn():
    """Writes until the file that the run's conf names is there."""

    @task
    def push(ti: Any = None, dag_run: Any = None) -> None:
        until, end = Path(dag_run.conf["until"]), time.monotonic() + 300
        number = 0
        while not until.exists() and time.monotonic() < end:
            ti.xcom_push(f"key {number % 50}", [*BIG, number])
            number += 1

    push()


fill()
gone()
churn()
