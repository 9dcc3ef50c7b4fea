"""The XCom backend: every call Airflow makes, and nothing else. What it does is in `xcom_store/`.

Airflow imports this module in every process, by way of `from airflow.sdk import DAG`: at its top
stand only the standard library, `BaseXCom`, and modules of ours that import no more than that. The
API server and the scheduler call nothing of it; values move in task processes only.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import contextmanager
from contextvars import ContextVar
from fnmatch import fnmatchcase
from functools import cache, partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow.sdk.bases.xcom import BaseXCom

from include.xcom_store import settings
from include.xcom_store.errors import XComStoreError
from include.xcom_store.keys import Owner
from include.xcom_store.record import MARK_KEY, is_record, is_reference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow.sdk.execution_time.comms import XComResult

    from include.xcom_store.settings import Settings
    from include.xcom_store.stores.base import Store

log = logging.getLogger(__name__)
_serde = cache(partial(import_module, "airflow.sdk.serde"))  # with the first value
_common_io = cache(partial(import_module, "include.xcom_store.stores.common_io"))

READ_BY_AIRFLOW, LINKS = ("skipmixin_key", "past_depends_met"), "_link_"
"""Keys, and how keys begin, that scheduler and API server read from the database, past any backend:
what a branch has chosen, links of operators. They keep Airflow's own form (docs/switching.md)."""

# Airflow tells `serialize_value` whose value it stores, but not whether it is its run's result, and
# tells `deserialize_value` and `purge` neither. The calls around them note it here.
_asked_for: ContextVar[Owner | None] = ContextVar("xcom_store_asked_for", default=None)
_is_dag_result: ContextVar[bool] = ContextVar("xcom_store_is_dag_result", default=False)
_deleted: ContextVar[list[XComResult] | None] = ContextVar("xcom_store_deleted", default=None)


class XComBackend(BaseXCom):
    """Stores task results in an object store, and in the metadata database a reference to them."""

    @classmethod
    def set(cls, key: str, value: Any, *, dag_result: bool = False, **where: Any) -> None:
        """Store a value; see `BaseXCom.set`."""
        with _bound(_is_dag_result, dag_result):
            super().set(key, value, dag_result=dag_result, **where)

    @staticmethod
    def serialize_value(
        value: Any,
        *,
        key: str | None = None,
        task_id: str | None = None,
        dag_id: str | None = None,
        run_id: str | None = None,
        map_index: int | None = None,
    ) -> Any:
        """Return what the database is to hold, a value or a reference, or raise one of `errors`."""
        if key in READ_BY_AIRFLOW or (key and key.startswith(LINKS)):
            return BaseXCom.serialize_value(value)
        options = settings.load()
        values, connect = _values_and_connect()
        if values.stays(value, options.threshold):
            return value
        owner = Owner(dag_id, run_id, task_id, -1 if map_index is None else map_index, key)
        why = "" if options.offload else "[xcom_store] offload is False"
        why = "Airflow does not say whose XCom it is" if None in owner else why
        name, globs = f"{dag_id}/{task_id}/{key}", options.keep_in_database.split()
        is_kept = _is_dag_result.get() or any(fnmatchcase(name, glob) for glob in globs)
        keep = max(options.threshold, values.MAX_KEPT_BYTES) if is_kept else 0
        started = time.perf_counter()
        with _doing("pushing", owner), values.inexact.collected(options.inexact) as changed:
            stored = values.push(value, owner, connect(options), keep=keep, only_database=why)
        if changed.count:
            log.warning("XCom %r of %s does not come back as pushed: %s", key, owner, changed)
        if is_reference(stored):
            _report("push", stored, started)
        if keep and is_record(stored):
            from include.xcom_store.sizes import size_text

            log.warning(
                "XCom %r of %s is meant for clients without this backend. They find a record of %s "
                "there: it is not plain JSON, or over %s.",
                *(key, owner, stored["type"], size_text(keep)),
            )
        return stored

    @staticmethod
    def deserialize_value(result: Any) -> Any:
        """Return the value for what the metadata database holds.

        Values without this backend's marker (plain JSON, values of other backends, of triggers and
        of the REST API) are left to Airflow, or to common-io's backend which has written them.

        Raises:
            XComStoreError: the reference may not be followed, or the object is gone or damaged.
        """
        record = result.value
        kind = type(record)
        earlier = kind is str and _common_io().names_object(record)
        if not (earlier or (kind is dict and MARK_KEY in record and is_record(record))):
            return _serde().deserialize(record)  # as `BaseXCom` has it, which imports it each time
        owner = _asked_for.get() or _same_run()
        started = time.perf_counter()
        with _doing("pulling", owner):
            value = (
                _common_io().read(result)
                if earlier
                else _values_and_connect()[0].pull(record, owner, _store())
            )
        if is_reference(record):
            _report("pull", record, started, quiet=isinstance(owner, _OneOfMany))
        return value

    @classmethod
    def get_one(cls, *, include_prior_dates: bool = False, **which: Any) -> Any | None:
        """Return one value; see `BaseXCom.get_one`, for which no map index means -1."""
        index, run_id = which.get("map_index"), None if include_prior_dates else which["run_id"]
        known = which | {"run_id": run_id, "map_index": -1 if index is None else index}
        with _bound(_asked_for, Owner(**known)):
            return super().get_one(include_prior_dates=include_prior_dates, **which)

    @classmethod
    def get_all(cls, *, include_prior_dates: bool = False, **which: Any) -> Any:
        """Return the values of all map indexes, in order, read in parallel; None if there are none.

        See `BaseXCom.get_all`, which reads them one after the other.
        """
        from include.xcom_store.stores.parallel import Ahead, Job

        rows = RawXCom.get_all(include_prior_dates=include_prior_dates, **which)
        if rows is None:
            return None
        kind = Owner if len(rows) == 1 else _OneOfMany
        owner = kind(**which | ({"run_id": None} if include_prior_dates else {}))
        started = time.perf_counter()

        def read(row: Any) -> Any:
            with _bound(_asked_for, owner):
                return cls.deserialize_value(row)

        if len(rows) == 1:
            return [read(rows[0])]
        if any(is_reference(row.value) for row in rows):
            with _doing("pulling", owner):
                _store().prepare()  # once, and not by each thread
        with Ahead((Job(partial(read, row)) for row in rows), len(rows)) as values:
            found = list(values)
        milliseconds = 1000 * (time.perf_counter() - started)
        log.info("XCom pull: %s values of %s, %.0f ms", f"{len(found):,}", owner, milliseconds)
        return found

    # Airflow's asynchronous calls would (de)serialize on the event loop and block it.
    @classmethod
    async def aset(cls, key: str, value: Any, **where: Any) -> None:
        """Store a value without blocking the event loop."""
        await asyncio.to_thread(cls.set, key, value, **where)

    @classmethod
    async def aget_one(cls, **which: Any) -> Any | None:
        """Return one value without blocking the event loop."""
        return await asyncio.to_thread(cls.get_one, **which)

    @classmethod
    async def aget_all(cls, **which: Any) -> Any:
        """Return the values of all map indexes without blocking the event loop."""
        return await asyncio.to_thread(cls.get_all, **which)

    @classmethod
    def delete(
        cls, key: str, task_id: str, dag_id: str, run_id: str, map_index: int | None = None
    ) -> None:
        """Delete a value's row, then its objects, so that no row ever refers to what is gone.

        A failure to delete objects is only logged: it would fail the new try that this is for.
        """
        owner = Owner(dag_id, run_id, task_id, -1 if map_index is None else map_index, key)
        with _bound(_deleted, []) as rows:
            super().delete(key, task_id, dag_id, run_id, map_index)
        for row in rows:
            try:
                if is_reference(row.value):
                    _values_and_connect()[0].remove(row.value, owner, _store())
                else:
                    _common_io().remove(row, owner)
                uri = row.value if isinstance(row.value, str) else row.value["uri"]
                log.info("Deleted %s, which this try replaces", uri)
            except Exception:
                log.exception("Left the object of XCom %r of %s behind", key, owner)

    @classmethod
    def purge(cls, xcom: XComResult, *_args: Any) -> None:
        """Note an object for `delete`, which knows whose it is; else delete nothing."""
        if is_reference(xcom.value) or _common_io().names_object(xcom.value):
            if (rows := _deleted.get()) is None:
                log.warning("Not deleting the object of XCom %r: unknown whose it is.", xcom.key)
            else:
                rows.append(xcom)


class _OneOfMany(Owner):
    """Asked for by `get_all`, which tells of all its values in one line of the log."""


class RawXCom(BaseXCom):
    """XComs as the metadata database holds them, each with its `value`."""

    @staticmethod
    def deserialize_value(result: Any) -> Any:
        """Return it as it is."""
        return result


@cache
def _values_and_connect() -> tuple[Any, Callable[[Settings], Store]]:
    """Return the module `values` and what opens a store; imported with the first value only."""
    from include.xcom_store import values
    from include.xcom_store.stores import base

    return values, base.connect


def _store() -> Store:
    return _values_and_connect()[1](settings.load())


def _same_run() -> Owner:
    """Return who may be read where Airflow does not say, as by a mapped task's lazy input."""
    from airflow.sdk import get_current_context

    try:
        ti = get_current_context()["ti"]
    except RuntimeError:  # not in a task: a script, a test
        return Owner(None, None)
    return Owner(ti.dag_id, ti.run_id)


@contextmanager
def _doing(what: str, owner: Owner) -> Iterator[None]:
    try:
        yield
    except XComStoreError as error:
        error.action = f"{what} XCom {owner.key or ''!r} of {owner}"
        raise


@contextmanager
def _bound(variable: ContextVar[Any], value: Any) -> Iterator[Any]:
    token = variable.set(value)
    try:
        yield value
    finally:
        variable.reset(token)


def _report(did: str, record: dict[str, Any], started: float, *, quiet: bool = False) -> None:
    """Tell the task's log and Airflow's metrics of a push or pull."""
    from airflow.sdk.observability import stats

    from include.xcom_store.sizes import size_text

    milliseconds = 1000 * (time.perf_counter() - started)
    tags = {"codec": record["codec"]}
    stats.timing(f"xcom_store.{did}_duration", milliseconds, tags=tags)
    stats.incr(f"xcom_store.{did}_bytes", record["bytes"], tags=tags)
    level, about = logging.DEBUG if quiet else logging.INFO, record["summary"] or record["codec"]
    said = (did, record["type"], about, size_text(record["bytes"]), milliseconds, record["uri"])
    log.log(level, "XCom %s: %s, %s, %s, %.0f ms, %s", *said)
