"""What triggerer and executor run in `test_drop_in.py`: they import this module, not a DAG file."""

from __future__ import annotations

import asyncio
import os
import threading
from functools import partial
from pathlib import Path

from airflow.sdk.bases.xcom import BaseXCom
from airflow.sdk.execution_time.xcom import XCom
from airflow.triggers.base import BaseTrigger, TaskSuccessEvent


class PullThenPush(BaseTrigger):
    """Pull a frame, and end the task with an XCom that Airflow itself writes."""

    def __init__(self, **where):
        super().__init__()
        self.where = where

    def serialize(self):
        return f"{type(self).__module__}.{type(self).__name__}", self.where

    async def run(self):
        frame = await XCom.aget_one(key="return_value", **self.where)
        yield TaskSuccessEvent(xcoms={"return_value": {"rows": len(frame)}})


async def on_deadline(context):
    """Tell in a file how long the frame is that the late run has made."""
    run = context["dag_run"]
    where = {"dag_id": run["dag_id"], "run_id": run["dag_run_id"], "task_id": "make"}
    while (frame := await XCom.aget_one(key="return_value", **where)) is None:
        await asyncio.sleep(0.2)
    (Path(os.environ["DROP_IN_FOLDER"]) / "deadline").write_text(str(len(frame)))


def on_deadline_in_the_executor(context):
    """Tell in a file whether Airflow answers a pull of its own backend there."""
    run = context["dag_run"]
    where = {"dag_id": run["dag_id"], "run_id": run["dag_run_id"], "task_id": "make"}
    pull = partial(BaseXCom.get_one, key="return_value", **where)
    asking = threading.Thread(target=pull, daemon=True)
    asking.start()
    asking.join(5)
    told = "no answer" if asking.is_alive() else "an answer"
    (Path(os.environ["DROP_IN_FOLDER"]) / "deadline_in_the_executor").write_text(told)
