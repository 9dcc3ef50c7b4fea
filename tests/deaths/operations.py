"""The operations whose process is killed: what lies there before, and what the process does.

A task is run by Airflow's own task runner, with its own client of its execution API: it asks to be
started, deletes what its earlier try has pushed, executes, pushes, and reports its end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from include.xcom_store.keys import Owner

TASK = Owner("trips", "manual__1", "load", -1, "return_value")
OTHER = TASK._replace(key="other")
FOREIGN = TASK._replace(task_id="upstream")
SWEEP = ("sweep", "--grace-hours", "0.000001")


@dataclass(frozen=True)
class Operation:
    """One operation.

    Attributes:
        execute: what the task does, given its task instance; what it returns is pushed.
        tool: or the arguments of the operator's tool.
        pushed: values after its success.
        before: values before it.
        orphans: values without a row.
        uploads: of values, begun and never completed.
    """

    execute: Callable[[Any], Any] | None = None
    tool: tuple[str, ...] = ()
    pushed: dict[Owner, Any] = field(default_factory=dict)
    before: dict[Owner, Any] = field(default_factory=dict)
    orphans: dict[Owner, Any] = field(default_factory=dict)
    uploads: tuple[Owner, ...] = ()


def frame(number: int) -> pd.DataFrame:
    return pd.DataFrame({"number": np.arange(300) + number})


def five(number: int) -> dict[str, pd.DataFrame]:
    return {f"part {part}": frame(10 * number + part) for part in range(5)}


def push_later(ti: Any) -> None:
    asyncio.run(ti.axcom_push(OTHER.key, frame(2)))


def delete(_ti: Any) -> None:
    from airflow.sdk.execution_time.xcom import XCom

    dag_id, run_id, task_id, map_index, key = FOREIGN
    XCom.delete(key=key, task_id=task_id, dag_id=dag_id, run_id=run_id, map_index=map_index)


LARGE = np.random.default_rng(7).bytes(36_000_000)
OPERATIONS = {
    "push of a frame": Operation(lambda _ti: frame(2), pushed={TASK: frame(2)}),
    "push with five parts": Operation(lambda _ti: five(2), pushed={TASK: five(2)}),
    "push of 36 MB": Operation(lambda _ti: LARGE, pushed={TASK: LARGE}),
    "retry": Operation(
        lambda _ti: frame(2), pushed={TASK: frame(2)}, before={OTHER: frame(1), TASK: [1]}
    ),
    "clear": Operation(lambda _ti: five(2), pushed={TASK: five(2)}, before={TASK: five(1)}),
    "asynchronous push": Operation(push_later, pushed={OTHER: frame(2)}),
    "delete": Operation(delete, pushed={FOREIGN: None}, before={FOREIGN: five(1)}),
    "sweep": Operation(
        tool=(*SWEEP, "--delete"),
        orphans={OTHER: five(3), TASK: frame(3)},
        uploads=(OTHER, TASK),
    ),
    "claim of a prefix": Operation(tool=(*SWEEP, "--claim")),
}
