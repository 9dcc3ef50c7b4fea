"""DAGs of `test_drop_in.py`: what works with Airflow's own backend, with a frame in each."""

from __future__ import annotations

import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.providers.standard.operators.hitl import HITLBranchOperator
from airflow.providers.standard.operators.latest_only import LatestOnlyOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import (
    DAG,
    AsyncCallback,
    BaseOperator,
    DeadlineAlert,
    DeadlineReference,
    SyncCallback,
    task,
)

FOLDER = Path(os.environ.get("DROP_IN_FOLDER", "."))
SITE_PACKAGES = next(path for path in sys.path if path.endswith("site-packages"))
ROWS = 1_000
LONG = [f"one_of_fourteen_tasks_whose_names_are_rather_long_{number:02d}" for number in range(14)]


def a_frame() -> Any:
    import pandas as pd

    return pd.DataFrame({"number": range(ROWS), "text": ["ü", None] * (ROWS // 2)})


@task
def make() -> Any:
    return a_frame()


@task
def read(found: Any) -> int:
    import pandas as pd

    pd.testing.assert_frame_equal(found, a_frame())
    return len(found)


@task
def numbers() -> list[int]:
    return [0, 1, 2]


@task(trigger_rule="none_failed")
def nothing(number: int = 0) -> None:
    """Runs, unless the branch before it says otherwise."""


with DAG("drop_in_branch", schedule=None):

    @task.branch
    def choose(frame: Any) -> list[str]:
        return LONG[:9] if len(frame) == ROWS else []

    chosen = choose(make())
    for name in LONG:
        chosen >> nothing.override(task_id=name)()
    chosen >> nothing.override(task_id="mapped").expand(number=numbers())
    # Its instances are there before the branch has run, so only the branch's row can tell.
    chosen >> nothing.override(task_id="mapped_early").expand(number=[0, 1, 2])


with DAG("drop_in_short_circuit", schedule=None):

    @task.short_circuit
    def stop(frame: Any) -> bool:
        return len(frame) != ROWS

    @task.short_circuit(multiple_outputs=True)
    def go_on(frame: Any) -> Any:
        return {"frame": frame}

    made = make()
    stop(made) >> nothing.override(task_id="stopped")()
    went_on = go_on(made)
    read(went_on["frame"])


with DAG(
    "drop_in_latest_only",
    schedule="@yearly",
    start_date=datetime(2020, 1, 1, tzinfo=UTC),
    end_date=datetime(2020, 6, 1, tzinfo=UTC),
    catchup=True,
    is_paused_upon_creation=True,
):
    LatestOnlyOperator(task_id="latest") >> nothing.override(task_id="late")()
    read(make())


with DAG("drop_in_hitl", schedule=None):
    ask = HITLBranchOperator(
        task_id="ask", subject="Which one?", options=["this_one", "that_one"],
        params={"remark": "x" * 2_000},
    )  # fmt: skip
    make() >> ask >> [nothing.override(task_id=name)() for name in ("this_one", "that_one")]


with DAG("drop_in_hitl_default", schedule=None):
    ask = HITLBranchOperator(
        task_id="ask", subject="Nobody answers", options=["this_one", "that_one"],
        defaults=["this_one"], response_timeout=timedelta(seconds=1),
    )  # fmt: skip
    make() >> ask >> [nothing.override(task_id=name)() for name in ("this_one", "that_one")]


def tell(name: str) -> Any:
    """Return a callback that says in a file how long the frame is."""

    def callback(context: Any) -> None:
        found = context["ti"].xcom_pull(task_ids="make")
        (FOLDER / f"{context['dag'].dag_id}.{name}").write_text(str(len(found)))

    return callback


with DAG("drop_in_success", schedule=None, on_success_callback=tell("dag")):
    make.override(on_success_callback=tell("task"))()


with DAG("drop_in_failure", schedule=None, on_failure_callback=tell("dag")):

    @task(on_failure_callback=tell("task"))
    def fail(found: Any) -> None:
        raise ValueError("meant to fail")

    fail(make())


with DAG("drop_in_killed", schedule=None):

    @task(on_failure_callback=tell("task"))
    def kill(found: Any) -> None:
        """End as with a machine that dies: the executor's process, too, which would tell of it."""
        os.kill(os.getppid(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)

    kill(make())


with DAG("drop_in_killed_alone", schedule=None, on_failure_callback=tell("dag")):

    @task(on_failure_callback=tell("task"))
    def kill_alone(found: Any) -> None:
        """End as by the kernel's out-of-memory killer, which spares the executor's process."""
        os.kill(os.getpid(), signal.SIGKILL)

    kill_alone(make())


with DAG(
    "drop_in_deadline",
    schedule=None,
    deadline=[
        DeadlineAlert(
            reference=DeadlineReference.DAGRUN_QUEUED_AT,
            interval=timedelta(seconds=1),
            callback=callback,
        )
        for callback in (
            AsyncCallback("tests.drop_in_triggerer.on_deadline"),
            SyncCallback("tests.drop_in_triggerer.on_deadline_in_the_executor"),
        )
    ],
):

    @task
    def wait_for_the_callback(found: Any) -> None:
        import time

        deadline = time.monotonic() + 120
        files = [FOLDER / name for name in ("deadline", "deadline_in_the_executor")]
        while not all(file.exists() for file in files) and time.monotonic() < deadline:
            time.sleep(0.2)

    wait_for_the_callback(make())


class EndedByTrigger(BaseOperator):
    def execute(self, context: Any) -> None:
        from tests.drop_in_triggerer import PullThenPush

        ti = context["ti"]
        where = {"dag_id": ti.dag_id, "run_id": ti.run_id, "task_id": "make"}
        self.defer(trigger=PullThenPush(**where), method_name="never")


with DAG("drop_in_trigger", schedule=None):

    @task
    def read_text(found: Any) -> None:
        assert found == '{"rows": 1000}', found

    ended = EndedByTrigger(task_id="ended")
    make() >> ended
    read_text(ended.output)


with DAG("drop_in_interpreters", schedule=None):

    def imports_airflow(frame: Any) -> list[Any]:
        from airflow.sdk.execution_time.xcom import XCom

        return [XCom.__name__, len(frame)]

    @task
    def check(found: list[Any]) -> None:
        assert found == ["S3XComBackend", 1_000], found

    frame = make()
    external = task.external_python(python=sys.executable, task_id="external")
    check(external(imports_airflow)(frame))
    paths = {"PYTHONPATH": os.pathsep.join([os.environ.get("PYTHONPATH", ""), SITE_PACKAGES])}
    virtualenv = task.virtualenv(requirements=[], env_vars=paths, task_id="virtualenv")
    check(virtualenv(imports_airflow)(frame))


with DAG("drop_in_link", schedule=None):
    TriggerDagRunOperator(task_id="trigger", trigger_dag_id="drop_in_result")


with DAG("drop_in_result", schedule=None) as result_dag:

    @task
    def result(found: Any) -> dict[str, Any]:
        return {"rows": len(found), "text": "x" * 2_000}

    made = make()
    result_dag.add_result(result(made))
    result.override(task_id="kept")(made)  # named in `keep_in_database`


with DAG("drop_in_refused", schedule=None):

    @task
    def refused() -> Any:
        return [a_frame(), object()]

    refused()
