"""The DAG of `test_switching.py`: what every backend gives back, and a task that compares it."""

from __future__ import annotations

from datetime import date
from typing import Any

from airflow.sdk import dag, task

VALUE = {"rows": [{"trip": number} for number in range(200)], "day": date(2026, 1, 2)}


@dag(schedule=None)
def switched():
    @task
    def source(ti: Any = None) -> Any:
        ti.xcom_push("small", "a")
        return VALUE

    @task
    def reader(found: Any, ti: Any = None) -> None:
        assert found == VALUE, found
        assert ti.xcom_pull(task_ids="source", key="small") == "a"

    reader(source())


switched()
