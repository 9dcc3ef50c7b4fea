"""Whose XComs an address asks for, and whether the user may read them.

Only users who may read a DAG's XComs in Airflow may read them here.
"""

import re
from typing import Annotated, NamedTuple

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from fastapi import Depends, HTTPException, Query, Request
from fastapi.concurrency import run_in_threadpool

from include.xcom_viewer import entries
from include.xcom_viewer.entries import Entry

_UNMAPPED = "{MAP_INDEX}"
"""What Airflow's UI leaves in the address where there is no map index."""


class Asked(NamedTuple):
    """Whose XComs a page shows; the user may read them."""

    dag_id: str
    run_id: str
    task_id: str = ""
    map_index: int | None = None
    key: str | None = None


def allowed(request: Request, user: GetUserDep) -> Asked:
    """Read the address, and check it against Airflow's permissions.

    Raises:
        HTTPException: 401, 403, or 400 for an address that is not one of ours.
    """
    query = request.query_params
    twice = len(query) != len(query.multi_items())
    has_nul = any("\0" in value for value in query.values())  # which PostgreSQL would not take
    if twice or has_nul or query.get("dag_id", "") in ("", "~"):
        raise HTTPException(400, "This address was not made by Airflow's UI.")
    # Checked is the very text that rows are read by.
    check = requires_access_dag("GET", DagAccessEntity.XCOM, query["dag_id"])
    check(request, user)
    index = query.get("map_index") or _UNMAPPED
    if index != _UNMAPPED and not re.fullmatch(r"-1|[0-9]{1,9}", index):
        raise HTTPException(400, "map_index has to be a number.")
    return Asked(
        dag_id=query["dag_id"],
        run_id=query.get("run_id", ""),
        task_id=query.get("task_id", ""),
        map_index=None if index == _UNMAPPED else int(index),
        key=query.get("key"),
    )


Number = Annotated[int, Query(ge=0, lt=2**31)]
Allowed = Annotated[Asked, Depends(allowed)]


async def entry_of(asked: Asked) -> Entry:
    """Return the row of one XCom.

    Raises:
        HTTPException: 404, there is none.
    """
    index = -1 if asked.map_index is None else asked.map_index
    found = await run_in_threadpool(entries.of_task, *asked[:3], index, asked.key or "")
    if not found:
        raise HTTPException(404, "There is no such XCom. Was the task cleared, or tried again?")
    return found[0]
