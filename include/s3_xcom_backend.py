"""The XCom backend: every call Airflow makes, and nothing else. What it does is in `xcom_store/`.

Switched on by

    AIRFLOW__CORE__XCOM_BACKEND=include.s3_xcom_backend.S3XComBackend
    AIRFLOW__XCOM_STORE__BUCKET=my-bucket

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
from typing import TYPE_CHECKING, Any

from airflow.sdk.bases.xcom import BaseXCom

from include.xcom_store import settings
from include.xcom_store.errors import XComStoreError
from include.xcom_store.keys import Owner
from include.xcom_store.record import is_record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.sdk.execution_time.comms import XComResult

log = logging.getLogger(__name__)

DAG_RESULT_THRESHOLD = 64 * 1024
"""Bytes. A task's result that is its run's result is read by clients of the REST API, which know
no backend: as JSON it stays in the database up to here."""
PARALLEL_READS = 32

# `serialize_value` is told whose value it stores; `deserialize_value`, `purge` and the mark of a
# run's result are not passed on by Airflow. The calls around them leave word here.
_asked_for: ContextVar[Owner | None] = ContextVar("xcom_store_asked_for", default=None)
_is_dag_result: ContextVar[bool] = ContextVar("xcom_store_is_dag_result", default=False)
_is_one_of_many: ContextVar[bool] = ContextVar("xcom_store_is_one_of_many", default=False)


class S3XComBackend(BaseXCom):
    """Stores task results in S3, and in the metadata database a reference to them."""

    @classmethod
    def set(cls, key: str, value: Any, *, dag_result: bool = False, **where: Any) -> None:
        """Store a value; see `BaseXCom.set`."""
        with _set(_is_dag_result, dag_result):
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
        """Return what the metadata database is to hold: the value itself, or a reference.

        Raises:
            XComStoreError: the value would not come back exactly, or S3 cannot take it.
        """
        from include.xcom_store import values

        options = settings.load()
        if not options.offload or None in (key, task_id, dag_id, run_id):
            return values.in_database(value)
        owner = Owner(dag_id, run_id, task_id, -1 if map_index is None else map_index, key)
        threshold = options.threshold
        if _is_dag_result.get():
            threshold = max(threshold, DAG_RESULT_THRESHOLD)
        started = time.perf_counter()
        try:
            stored = values.push(value, owner, options, threshold)
        except XComStoreError as error:
            error.action = f"pushing XCom {key!r} of {owner}"
            raise
        if is_record(stored) and "uri" in stored:
            _report("push", value, stored, started)
        return stored

    @staticmethod
    def deserialize_value(result: Any) -> Any:
        """Return the value for what the metadata database holds.

        What carries no mark of ours (plain JSON, values of other backends, of triggers and of the
        REST API) is left to Airflow.

        Raises:
            XComStoreError: the reference may not be followed, or the object is gone or damaged.
        """
        record = result.value
        if not is_record(record):
            return BaseXCom.deserialize_value(result)
        from include.xcom_store import values

        owner = _asked_for.get() or _same_run()
        started = time.perf_counter()
        try:
            value, reference = values.pull(record, owner, settings.load())
        except XComStoreError as error:
            error.action = f"pulling XCom {owner.key or ''!r} of {owner}"
            raise
        if reference:
            _report("pull", value, record, started)
        return value

    @classmethod
    def get_one(
        cls,
        *,
        key: str,
        dag_id: str,
        task_id: str,
        run_id: str,
        map_index: int | None = None,
        include_prior_dates: bool = False,
    ) -> Any | None:
        """Return one value; see `BaseXCom.get_one`."""
        run = None if include_prior_dates else run_id
        with _set(_asked_for, Owner(dag_id, run, task_id, map_index, key)):
            return super().get_one(
                key=key,
                dag_id=dag_id,
                task_id=task_id,
                run_id=run_id,
                map_index=map_index,
                include_prior_dates=include_prior_dates,
            )

    @classmethod
    def get_all(
        cls,
        *,
        key: str,
        dag_id: str,
        task_id: str,
        run_id: str,
        include_prior_dates: bool = False,
    ) -> Any:
        """Return the values of all map indexes, in order, read in parallel; None if there are none.

        See `BaseXCom.get_all`, which reads them one after the other.
        """
        from concurrent.futures import ThreadPoolExecutor

        from airflow.sdk.bases.xcom import _XComValueWrapper
        from airflow.sdk.execution_time.comms import GetXComSequenceSlice, XComSequenceSliceResult
        from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

        message = GetXComSequenceSlice(
            key=key,
            dag_id=dag_id,
            task_id=task_id,
            run_id=run_id,
            start=None,
            stop=None,
            step=None,
            include_prior_dates=include_prior_dates,
        )
        answer = SUPERVISOR_COMMS.send(msg=message)
        if not isinstance(answer, XComSequenceSliceResult):
            raise TypeError(f"Expected XComSequenceSliceResult, received: {type(answer)} {answer}")
        if not answer.root:
            return None

        owner = Owner(dag_id, None if include_prior_dates else run_id, task_id, None, key)
        started = time.perf_counter()

        def read(stored: Any) -> Any:
            with _set(_asked_for, owner), _set(_is_one_of_many, value=True):
                return cls.deserialize_value(_XComValueWrapper(stored))

        with ThreadPoolExecutor(PARALLEL_READS, "xcom_store") as pool:
            futures = [pool.submit(read, stored) for stored in answer.root]
            try:
                found = [future.result() for future in futures]
            finally:
                pool.shutdown(wait=False, cancel_futures=True)
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
        """Delete a value and its objects; Airflow calls it for what an earlier try has pushed."""
        with _set(_asked_for, Owner(dag_id, run_id, task_id, map_index, key)):
            super().delete(key, task_id, dag_id, run_id, map_index)

    @classmethod
    def purge(cls, xcom: XComResult, *_args: Any) -> None:
        """Delete the objects of a value, if it is known whose it is, and never raise.

        Airflow passes key and value, which anybody may have edited. So only within `delete`, which
        knows the task instance, is anything deleted, and only what lies under its own prefix.
        """
        from include.xcom_store import values

        record: Any = xcom.value
        owner = _asked_for.get()
        if not is_record(record):
            return
        if owner is None:
            log.warning("Not deleting the object of XCom %r: unknown whose it is.", xcom.key)
            return
        try:
            if uri := values.remove(record, owner, settings.load()):
                log.info("Deleted %s, which this try replaces", uri)
        except Exception:
            # An exception here would fail the new try for the sake of an old object.
            log.exception("Left the object of XCom %r of %s behind", xcom.key, owner)


@contextmanager
def _set(variable: ContextVar[Any], value: Any) -> Iterator[None]:
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


def _same_run() -> Owner:
    """Return who may be read where Airflow does not say: this run's tasks.

    A mapped task's input is a lazy sequence that reads values of the same DAG run one by one.
    """
    from airflow.sdk import get_current_context

    try:
        ti = get_current_context()["ti"]
    except RuntimeError:  # not in a task: a script, a test
        return Owner(None, None)
    return Owner(ti.dag_id, ti.run_id)


def _report(did: str, value: Any, record: dict[str, Any], started: float) -> None:
    """Tell the task's log and Airflow's metrics of a push or pull."""
    from airflow.sdk.observability import stats

    from include.xcom_store import values

    held = values.size_in_memory(value)
    milliseconds = 1000 * (time.perf_counter() - started)
    stats.timing(f"xcom_store.{did}_duration", milliseconds, tags={"codec": record["codec"]})
    stats.incr(f"xcom_store.{did}_bytes", record["bytes"], tags={"codec": record["codec"]})
    log.log(
        logging.DEBUG if _is_one_of_many.get() else logging.INFO,
        "XCom %s: %s, %s, %s bytes%s, %.0f ms, %s",
        did,
        record["type"],
        record["summary"] or record["codec"],
        f"{record['bytes']:,}",
        f" ({held / record['bytes']:.1f} times that in memory)" if held else "",
        milliseconds,
        record["uri"],
    )
