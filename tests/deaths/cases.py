"""One death: an operation, the number of a request, and what happens there; then what is promised.

Between the process and both its servers, SeaweedFS and a real API server of Airflow, stands a proxy
that numbers the requests to the one and the messages to the other in one sequence. What a scheduler
does after a death, it is given here: a task that has not succeeded is queued for its next try.

Promised, at the death, after the retry and after a sweep:

1. no row refers to an object that is not there;
2. the values of a task that has succeeded are there: of this one, and of others;
3. a pull gives what was pushed last, or what was there before, or a typed error;
4. after the sweep nothing is in the store that no row refers to, and no upload that is not complete.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple, Self
from unittest.mock import patch

import obstore

from include.xcom_store.errors import XComStoreError
from include.xcom_store.keys import Owner
from tests import local_s3, waiting
from tests.deaths.operations import OPERATIONS, TASK, Operation, frame
from tests.xcom_store.fault_proxy import Buffer, Fault, FaultProxy
from tests.xcom_store.identical import assert_identical
from tests.xcom_tools import sweep_airflow

STANDING = TASK._replace(task_id="done before")
"""A value of another task, which has succeeded."""
WAYS = {
    "killed before": ("call before", 1),
    "killed meanwhile": ("call", 1),
    "killed after": ("call after", 1),
    "answer lost": ("reset answer", 1),
    "all answers lost": ("reset answer", None),
}
"""What happens at request n: a kind of fault, and how many requests are hit.

Killed meanwhile, half of it arrives at the server, and whole all that was on its way beside it.
"""
SECONDS = 120.0


class Outcome(NamedTuple):
    """What became of an operation.

    Attributes:
        done: it had its effect all the same; else it was done again.
        swept: how many objects the sweep then removed.
        aborted: the sweep then aborted uploads, as many as the service was asked to begin.
    """

    done: bool
    swept: int = 0
    aborted: bool = False

    def __str__(self) -> str:
        swept = [f"{self.swept} swept"] if self.swept else []
        aborted = ["an upload aborted"] if self.aborted else []
        return ", ".join(["done" if self.done else "again", *swept, *aborted])


class Recorder(FaultProxy):
    """Stands before S3 and Airflow, and numbers what is asked of both in the order it arrives.

    Of requests on their way at once each is passed on when the one before has been answered. Those
    of `AT_ONCE` are taken off the wire before, so that they are not cut when the process dies.
    """

    def __init__(self, s3: int, airflow: int) -> None:
        super().__init__(s3)
        self.requests: list[str] = []
        self._arrived, self._changed = 0, threading.Condition()
        self._airflow = airflow
        self.turn = threading.Lock()

    def begin(self, fault: Fault | None) -> None:
        """Count from 1 again; break requests in this way."""
        self.requests.clear()
        self._arrived = 0
        self.inject(fault)

    def wait_for(self, count: int) -> None:
        """Return when so many requests have arrived."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._arrived >= count, SECONDS)

    def wait_until_idle(self) -> None:
        """Return when all that has arrived is answered, if it is to be."""
        waiting.until(lambda: not self._at_once, seconds=SECONDS, every=0.005)

    def arrived(self, buffer: Buffer, head: bytes) -> None:
        if label(head) in AT_ONCE:
            buffer.read_ahead(head)
        with self._changed:
            self._arrived += 1
            self._changed.notify_all()

    def _next(self) -> Fault | None:
        if self._fault and self._fault.kind in ("call before", "call after") and self.hits:
            raise EOFError  # what comes after the death does not arrive
        return super()._next()

    def server(self, head: bytes) -> socket.socket:
        path = head.split(b" ", 2)[1]
        if not path.startswith((b"/execution/", b"/api/v2/", b"/auth/")):
            return super().server(head)
        return socket.create_connection(("127.0.0.1", self._airflow), timeout=60)

    def ask(self, head: bytes, body: bytes) -> bytes:
        self.requests.append(label(head))
        return super().ask(head, body)


REQUESTS = {
    r"PATCH /execution/.*/run$": "Airflow: start the task",
    r"PATCH /execution/.*/state$": "Airflow: report success",
    r"GET /execution/xcoms/": "Airflow: read the row",
    r"POST /execution/xcoms/": "Airflow: write the row",
    r"DELETE /execution/xcoms/": "Airflow: delete the row",
    r"POST /auth/token": "Airflow: log in",
    r"GET /api/v2/variables/": "Airflow: read the Variable",
    r"POST /api/v2/variables": "Airflow: create the Variable",
    r"GET /api/v2/.*/xcomEntries\?": "Airflow: list rows",
    r"GET /api/v2/.*/xcomEntries/": "Airflow: read the row",
    r"PUT .*/_owner\.json-probe-": "S3: create an object to prove that this overwrites none",
    r"PUT .*/_owner\.json": "S3: create the marker",
    r"HEAD .*/_owner\.json": "S3: look for the marker",
    r"GET .*/_owner\.json": "S3: read the marker",
    r"PUT .*partNumber=": "S3: write a part",
    r"POST .*\?uploads": "S3: begin the upload",
    r"POST .*\?uploadId=": "S3: complete the upload",
    r"PUT .*-[0-9a-f]{32}/[0-9]+\.": "S3: write a leaf",
    r"PUT .*-[0-9a-f]{32}\.": "S3: write the object",
    r"POST .*\?delete": "S3: delete objects",
    r"GET .*list-type=": "S3: list objects",
    r"GET .*\?uploads": "S3: list uploads",
    r"DELETE .*\?uploadId=": "S3: abort an upload",
}
"""What a request is called in the table, by how its first line begins."""
AT_ONCE = {"S3: write a leaf", "S3: write a part"}
"""Of these an operation has all on their way at the same time."""


def label(head: bytes) -> str:
    """What a request asks for, in words."""
    line = head.split(b" HTTP/", 1)[0].decode()
    return next((said for begin, said in REQUESTS.items() if re.match(begin, line)), line)


class Site:
    """The servers, and the process that forks those which are killed."""

    def __init__(self, folder: Path, s3: Any, airflow: Any, proxy: Recorder, api: Any) -> None:
        from include.xcom_store import settings
        from include.xcom_store.stores.base import connect

        self.s3, self.airflow, self.proxy, self.api = s3, airflow, proxy, api
        self.store = connect(settings.load())
        self.prefix = self.store.location.prefix
        self.objects = local_s3.client(s3, self.prefix)
        self.uploads = local_s3.Uploads(s3, self.prefix)
        self.log = folder / "worker.log"
        self.forks = multiprocessing.get_context("forkserver")
        self.forks.set_forkserver_preload(["tests.deaths.worker"])

    @classmethod
    @contextmanager
    def between(cls, folder: Path, s3: Any, airflow: Any) -> Iterator[Self]:
        """Stand between these servers; what is set for that ends with the context."""
        from include.xcom_store import settings
        from include.xcom_tools import airflow_access

        prefix = f"xcom-{uuid.uuid4().hex}"
        environment = airflow.server.env | local_s3.settings(s3, prefix)
        environment |= {
            "AIRFLOW__XCOM_STORE__RETRY_TIMEOUT": "5",
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",  # the first answer takes seconds
            "AIRFLOW__WORKERS__EXECUTION_API_RETRY_WAIT_MIN": "0.01",
            "AIRFLOW__WORKERS__EXECUTION_API_RETRY_WAIT_MAX": "0.1",
            "AIRFLOW_API_URL": airflow.url,
            "AIRFLOW_API_USERNAME": "sweeper",
            "AIRFLOW_API_PASSWORD": sweep_airflow.PASSWORD,
        }
        with patch.dict(os.environ, environment), Recorder(s3.port, airflow.port) as proxy:
            settings.load.cache_clear()
            try:
                with airflow_access.connect() as api:
                    yield cls(folder, s3, airflow, proxy, api)
            finally:
                settings.load.cache_clear()

    def points(self, name: str) -> list[str]:
        """The requests of an operation in peace; everything is asserted of it as well."""
        outcome = self.die(name, None)
        assert outcome == Outcome(done=True), f"in peace: {outcome}"
        return list(self.requests)

    def outcomes(self, name: str, requests: list[str], number: int) -> list[Outcome]:
        """What becomes of an operation that ends at one of its requests, for each of `WAYS`."""
        found, last = [], number
        if requests[number - 1] in AT_ONCE:
            last += len([*takewhile(requests[number - 1].__eq__, requests[number:])])
        for way, (kind, times) in WAYS.items():
            fault = Fault(kind, at=0, after=number - 1, times=times)
            try:
                found.append(self.die(name, fault, last))
            except AssertionError as error:
                error.add_note(f"{name}, request {number}: {way}")
                raise
        return found

    def die(self, name: str, fault: Fault | None, arrived: int = 0) -> Outcome:
        """Let it happen, do the operation again where that is needed, sweep, and check.

        A process is killed when so many of its requests have arrived.
        """
        operation = OPERATIONS[name]
        self._prepare(operation)
        self._run(name, fault, arrived)
        self.requests = list(self.proxy.requests)
        done = self.is_done(operation)
        self._check(operation, done=done)
        if not done:
            self._queue()
            assert self._run(name) == 0, "the next try fails: " + self._log()
        self._check(operation, done=True)
        swept, aborted = self._sweep()
        self._check(operation, done=True)
        lost = (set(self._keys()) - self._referred_to()) | set(self.uploads.keys())
        assert not lost, f"left after the sweep: {lost}"
        return Outcome(done, swept, aborted)

    def _prepare(self, operation: Operation) -> None:
        """Empty both servers, then write what is there before."""
        from include.xcom_store import keys
        from include.xcom_tools import marker

        self.proxy.inject(None)
        rows = self.airflow.rows
        rows.clear()
        obstore.delete(self.objects, [*self._keys(), marker.KEY])
        rows.push({"number": 1, "frame": frame(1)}, STANDING)
        rows.put(None, TASK)  # makes the task instance
        rows.delete_xcom(TASK)
        for owner, value in operation.before.items():
            rows.push(value, owner)
        for owner, value in operation.orphans.items():
            rows.push(value, owner)
            rows.delete_xcom(owner)
        for owner in operation.uploads:
            self.uploads.begin(f"{keys.new_stem(owner)}.parquet")
        self._queue()
        if "--delete" in operation.tool:
            marker.claim(self.store, self.api)

    def _queue(self) -> None:
        """Give a task its next try, as the scheduler does."""
        self._execute(
            "UPDATE task_instance SET state = 'queued', try_number = try_number + 1, max_tries = 9,"
            " hostname = '', pid = NULL WHERE task_id = ?", TASK.task_id,
        )  # fmt: skip

    def _run(self, name: str, fault: Fault | None = None, arrived: int = 0) -> int | None:
        """Do an operation in a process of its own; return how that ended."""
        from tests.deaths import worker

        [(ti_id, tries)] = self._execute(
            "SELECT id, try_number FROM task_instance WHERE task_id = ?", TASK.task_id
        )
        dag_id, run_id, task_id, map_index, _key = TASK
        ti = {
            "id": ti_id, "dag_id": dag_id, "run_id": run_id, "task_id": task_id,
            "map_index": map_index, "try_number": tries, "dag_version_id": str(uuid.uuid4()),
        }  # fmt: skip
        environment = {
            "AIRFLOW__XCOM_STORE__ENDPOINT_URL": self.proxy.url,
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.proxy.url}/execution/",
            "AIRFLOW_API_URL": self.proxy.url,
            "TOKEN": _token(ti_id),
        }
        if OPERATIONS[name].tool:  # allows a grace period as short as the tests need
            environment["AIRFLOW__XCOM_STORE__OPERATION_TIMEOUT"] = "0.001"
        process = self.forks.Process(target=worker.run, args=(name, environment, str(self.log), ti))
        started = threading.Event()

        def kill() -> None:
            started.wait()
            self.proxy.wait_for(arrived)
            process.kill()

        self.proxy.begin(fault)
        if fault:
            fault.call = kill
        process.start()
        started.set()
        process.join(SECONDS)
        assert process.exitcode is not None, f"hangs: {self._log()}"
        self.proxy.wait_until_idle()
        assert fault is None or self.proxy.hits, "there is no such request"
        self.proxy.inject(None)
        return process.exitcode

    def is_done(self, operation: Operation) -> bool:
        """Tell whether the operation has had its effect."""
        from include.xcom_tools import marker

        if "--claim" in operation.tool:
            return marker.is_ours(self.store, self.api)
        if operation.tool:
            return set(self._keys()) == self._referred_to() and not self.uploads.keys()
        query = "SELECT state FROM task_instance WHERE task_id = ?"
        return self._execute(query, TASK.task_id) == [("success",)]

    def _check(self, operation: Operation, *, done: bool) -> None:
        """Assert what is promised before a sweep as well."""
        there = set(self._keys())
        assert self._referred_to() <= there, f"gone: {self._referred_to() - there}"
        assert_identical({"number": 1, "frame": frame(1)}, self._pull(STANDING))
        for owner in operation.pushed | operation.before:
            found = self._pull(owner)
            after = operation.pushed.get(owner)
            fitting = [after] if done else [after, operation.before.get(owner), None]
            right = any(_is_identical(one, found) for one in fitting)
            right = right or (isinstance(found, XComStoreError) and not done)
            assert right, f"{owner.key} of {owner} is {found!r}; done: {done}"
        if done:
            assert self.is_done(operation)

    def _pull(self, owner: Owner) -> Any:
        """Return what a task further down gets, an error of ours as its value."""
        import psutil
        import structlog
        from airflow.sdk.api.client import Client
        from airflow.sdk.execution_time import supervisor

        from include.s3_xcom_backend import S3XComBackend

        some_task = uuid.uuid4()
        client = Client(base_url=f"{self.airflow.url}/execution/", token=_token(str(some_task)))
        airflow = supervisor.InProcessTestSupervisor(
            id=some_task, client=client, pid=os.getpid(), process=psutil.Process(),
            process_log=structlog.get_logger(),
        )  # fmt: skip
        airflow.comms = supervisor.InProcessSupervisorComms(supervisor=airflow)
        with client, supervisor.set_supervisor_comms(airflow.comms):
            try:
                return S3XComBackend.get_one(**owner._asdict())
            except XComStoreError as error:
                return error

    def _sweep(self) -> tuple[int, bool]:
        """Return how many objects were removed, and whether uploads were aborted."""
        from include.xcom_tools import sweep_findings as kinds
        from include.xcom_tools.sweep_run import Sweep

        sweep = Sweep(self.store, self.api, delete=True, grace=timedelta(0))
        findings = list(sweep.findings())
        expected = {kinds.ORPHAN, kinds.UPLOAD, kinds.LEFT_OVER}
        assert {finding.kind for finding in findings} <= expected, findings
        return sum(finding.objects for finding in findings), sweep.total.uploads > 0

    def _keys(self) -> list[str]:
        """All objects of values."""
        from include.xcom_tools import marker

        found = [each["path"] for page in obstore.list(self.objects) for each in page]
        return [key for key in found if key != marker.KEY]

    def _referred_to(self) -> set[str]:
        """The keys of all objects that rows refer to."""
        from include.xcom_store import keys, record

        found = set()
        for (text,) in self._execute("SELECT value FROM xcom"):
            row = json.loads(str(text))
            if not record.is_reference(row):
                continue
            key = row["uri"].removeprefix(self.store.uri())
            found.add(key)
            found |= {f"{keys.stem(key)}/{number}.parquet" for number in range(row["leaves"])}
        return found

    def _execute(self, statement: str, *values: Any) -> list[Any]:
        with self.airflow.rows.connect() as db:
            found = db.execute(statement, values).fetchall()
        db.close()
        return found

    def _log(self) -> str:
        """What the process that did the operation last has printed."""
        return self.log.read_text(errors="replace")[-4000:]


def _is_identical(one: Any, other: Any) -> bool:
    try:
        assert_identical(one, other)
    except AssertionError:
        return False
    return True


def _token(ti_id: str) -> str:
    """A task instance's token, as the executor gives it to a worker."""
    from airflow.api_fastapi.auth.tokens import JWTGenerator, get_signing_args
    from airflow.configuration import conf

    generator = JWTGenerator(
        valid_for=3600,
        audience=conf.get_mandatory_list_value("execution_api", "jwt_audience")[0],
        **get_signing_args(make_secret_key_if_needed=False),
    )
    return generator.generate(extras={"sub": str(uuid.UUID(ti_id)), "scope": "execution"})
