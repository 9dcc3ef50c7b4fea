"""Waiting for what happens in another process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any


def until(
    is_so: Callable[[], Any], said: object = "", *, seconds: float = 60, every: float = 0.2
) -> Any:
    """Ask again and again; return the first answer that is true, and fail if there is none in time.

    `said` is what the failure says; where it can be called, what it says then.
    """
    deadline = time.monotonic() + seconds
    while not (found := is_so()):
        assert time.monotonic() < deadline, said() if callable(said) else said
        time.sleep(every)
    return found


def for_dags(api: Any, dag_ids: Iterable[str], seconds: float) -> None:
    """Wait until an Airflow lists these DAGs, and fail where it cannot import one."""

    def listed() -> bool:
        assert api.import_errors() == []
        return {dag["dag_id"] for dag in api.dags()} >= {*dag_ids}

    until(listed, "the DAGs are not listed", seconds=seconds, every=0.5)
