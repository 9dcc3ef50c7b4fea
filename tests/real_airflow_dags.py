"""DAGs of `test_real_airflow.py`, which copies this file into the DAGs folder of its Airflow."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import BaseOperator, dag, task

ROWS, MAPPED = 1_000, 30


def frame(number: int) -> Any:
    import pandas as pd

    return pd.DataFrame({"number": [number] * ROWS, "row": range(ROWS), "text": ["ü", None] * 500})


def check(found: Any, number: int) -> None:
    import pandas as pd

    pd.testing.assert_frame_equal(found, frame(number), check_exact=True)


@dag(schedule=None)
def real_mapped():
    @task
    def make(number: int) -> Any:
        return frame(number)

    @task
    def reduce(frames: Any) -> int:
        frames = list(frames)
        for number, found in enumerate(frames):
            check(found, number)
        return len(frames)

    reduce(make.expand(number=list(range(MAPPED))))


@dag(schedule=None)
def real_retried():
    @task
    def bystander() -> Any:
        return frame(1)

    @task(retries=1, retry_delay=timedelta(seconds=1))
    def flaky(found: Any, ti: Any = None) -> Any:
        check(found, 1)
        ti.xcom_push("nested", {"try": ti.try_number, "frame": frame(ti.try_number)})
        ti.xcom_push(f"only_{ti.try_number}", frame(ti.try_number))
        if ti.try_number == 1:
            raise RuntimeError("fails after pushing")
        return frame(2)

    @task
    def reader(found: Any, ti: Any = None) -> None:
        check(found, 2)
        nested = ti.xcom_pull(task_ids="flaky", key="nested")
        assert nested["try"] == 2
        check(nested["frame"], 2)

    reader(flaky(bystander()))


@dag(schedule=None)
def real_cleared():
    @task
    def source() -> Any:
        return frame(3)

    @task
    def reader(found: Any) -> None:
        check(found, 3)

    reader(source())


class PushDeferPull(BaseOperator):
    def execute(self, context: Any) -> None:
        from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger

        context["ti"].xcom_push("before", {"frame": frame(4)})
        # Airflow 3.3.0 fails a task that goes on before the scheduler has heard that the process that
        # deferred it has ended: five seconds are too few for a busy one.
        self.defer(trigger=TimeDeltaTrigger(timedelta(seconds=20)), method_name="resume")

    def resume(self, context: Any, event: Any = None) -> Any:
        check(context["ti"].xcom_pull(task_ids=self.task_id, key="before")["frame"], 4)
        return frame(5)


@dag(schedule=None)
def real_deferred():
    PushDeferPull(task_id="deferred")


@dag(schedule=None)
def real_inline():
    @task
    def plain() -> Any:
        return {"numbers": list(range(500))}

    @task
    def reader(found: Any) -> None:
        assert found == {"numbers": list(range(500))}

    reader(plain())


real_mapped()
real_retried()
real_cleared()
real_deferred()
real_inline()
