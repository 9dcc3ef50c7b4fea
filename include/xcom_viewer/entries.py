"""The XComs of a task instance or a DAG run, as the metadata database holds them.

Through Airflow's own session: this runs in the API server, which is where that is allowed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Any

from include.xcom_store.errors import ObjectCorrupt
from include.xcom_store.keys import Owner
from include.xcom_store.record import is_record, is_reference

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

MAX_TASK_ROWS = 500
"""Of a task, mapped or not; more are not shown."""
MAX_RUN_ROWS = 100_000
"""Of a run; more are not counted."""
MAX_INT_DIGITS = 4_000
"""Python reads 4,300. A list of XComs needs no more; a card's reader gets the text."""


@dataclass(kw_only=True)
class Entry:
    """One row.

    Attributes:
        owner: whose it is, all fields set. Taken from the row's columns, never from its value.
        text: what the database holds, as JSON.
    """

    owner: Owner
    timestamp: dt.datetime
    text: str

    @cached_property
    def stored(self) -> Any:
        """What the database holds: a reference, or the value itself, a very long number cut.

        Raises:
            ObjectCorrupt: it is no JSON that Python reads.
        """
        try:
            return json.loads(self.text, parse_int=lambda digits: int(digits[:MAX_INT_DIGITS]))
        except (ValueError, RecursionError) as error:
            raise ObjectCorrupt(f"the database's JSON cannot be read ({error}).") from error

    @property
    def record(self) -> dict[str, Any] | None:
        """The record, if the value carries this backend's mark."""
        return self.stored if is_record(self.stored) else None

    @property
    def in_store(self) -> bool:
        """Whether it refers to an object, rightly or not."""
        return is_reference(self.stored)


def of_task(
    dag_id: str, run_id: str, task_id: str, map_index: int | None, key: str | None = None
) -> list[Entry]:
    """Return the XComs of a task instance by key; of all map indexes for None.

    At most one more than `MAX_TASK_ROWS`, which tells that there are more.
    """
    from airflow.models.xcom import XComModel

    conditions = [XComModel.task_id == task_id]
    if map_index is not None:
        conditions.append(XComModel.map_index == map_index)
    if key is not None:
        conditions.append(XComModel.key == key)
    return list(_read(dag_id, run_id, conditions, MAX_TASK_ROWS + 1))


def of_run(dag_id: str, run_id: str) -> Iterator[Entry]:
    """Yield the XComs of a DAG run by task, map index and key."""
    return _read(dag_id, run_id, [], MAX_RUN_ROWS)


def previous(owner: Owner) -> Entry | None:
    """Return the same XCom of the latest run before, of the same DAG, that has it.

    Args:
        owner: of the XCom, all fields set.
    """
    from airflow.models.dagrun import DagRun
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import Text, cast, select

    with create_session(scoped=False) as session:
        is_before = _is_before(session, owner.dag_id, owner.run_id)
        query = (
            select(XComModel.run_id, XComModel.timestamp, cast(XComModel.value, Text))
            .join(DagRun, DagRun.id == XComModel.dag_run_id)
            .where(
                DagRun.dag_id == owner.dag_id,
                is_before,
                XComModel.dag_id == owner.dag_id,
                XComModel.task_id == owner.task_id,
                XComModel.map_index == owner.map_index,
                XComModel.key == owner.key,
            )
            .order_by(DagRun.run_after.desc(), DagRun.id.desc())
            .limit(1)
        )
        for run_id, timestamp, text in session.execute(query):
            return _entry(owner._replace(run_id=run_id), timestamp, text)
    return None


def is_first_run(dag_id: str, run_id: str) -> bool:
    """Tell whether the DAG has no run before this one: then no XCom has one to compare with."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session(scoped=False) as session:
        is_before = _is_before(session, dag_id, run_id)
        query = select(DagRun.id).where(DagRun.dag_id == dag_id, is_before).limit(1)
        return session.execute(query).first() is None


def _is_before(session: Any, dag_id: str | None, run_id: str | None) -> Any:
    """Return SQLAlchemy's condition that a run comes before this one, by Airflow's order."""
    from airflow.models.dagrun import DagRun
    from sqlalchemy import and_, false, or_, select

    this = select(DagRun.run_after, DagRun.id).where(
        DagRun.dag_id == dag_id, DagRun.run_id == run_id
    )
    run = session.execute(this).one_or_none()
    if run is None:
        return false()
    same_moment = and_(DagRun.run_after == run.run_after, DagRun.id < run.id)
    return or_(DagRun.run_after < run.run_after, same_moment)


def task_order(dag_id: str) -> dict[str, int]:
    """Return the tasks of a DAG in the order in which they run; nothing if the DAG is gone."""
    from airflow.models.dagbag import DBDagBag
    from airflow.utils.session import create_session

    with create_session(scoped=False) as session:
        dag = DBDagBag().get_latest_version_of_dag(dag_id, session=session)
        if dag is None:
            return {}
        upstream = {name: task.upstream_task_ids for name, task in dag.task_dict.items()}
        return {name: n for n, name in enumerate(TopologicalSorter(upstream).static_order())}


def _read(dag_id: str, run_id: str, conditions: list[Any], limit: int) -> Iterator[Entry]:
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import Text, cast, select

    columns = (XComModel.task_id, XComModel.map_index, XComModel.key)
    query = (
        # As text: what cannot be parsed is one card's trouble, and not that of the page.
        select(*columns, XComModel.timestamp, cast(XComModel.value, Text))
        .where(XComModel.dag_id == dag_id, XComModel.run_id == run_id, *conditions)
        .order_by(*columns)
        .limit(limit)
        .execution_options(yield_per=500)  # values of other backends may be large
    )
    with create_session(scoped=False) as session:
        for task_id, map_index, key, timestamp, text in session.execute(query):
            owner = Owner(dag_id, run_id, task_id, map_index, key)
            yield _entry(owner, timestamp, text)


def _entry(owner: Owner, timestamp: dt.datetime, text: str | None) -> Entry:
    return Entry(owner=owner, timestamp=timestamp, text="null" if text is None else text)
