"""A real Airflow with finished runs, for the browser tests.

Airflow is started as `python3 -m dev up` does it, with the connection in its database. Between it
and the S3 server stands a `FaultProxy`, so that a test can make S3 hang.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import obstore
import psutil

from dev import ports
from dev.airflow_server import AirflowServer
from tests import local_s3, waiting
from tests.xcom_store.fault_proxy import FaultProxy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from obstore.store import S3Store

RUN_SECONDS = 300.0
PREFIX = "xcom"


class CountingProxy(FaultProxy):
    """Counts the bytes that come from S3."""

    bytes_sent = 0

    def ask(self, head: bytes, body: bytes) -> bytes:
        answer = super().ask(head, body)
        self.bytes_sent += len(answer)
        return answer


class Site:
    """A running Airflow, the runs in it, and the S3 behind it."""

    def __init__(self, server: AirflowServer, proxy: CountingProxy, store: S3Store):
        self.server, self.api, self.url = server, server.api, server.url
        self.proxy, self.store = proxy, store
        self.runs: dict[str, str] = {}
        # Never through a proxy: the server is on this machine.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    @classmethod
    @contextlib.contextmanager
    def start(cls, folder: Path, s3_server: Any, dags: Path, **settings: str) -> Iterator[Self]:
        """An Airflow with the DAGs of a folder and more settings; it ends with the context."""
        with CountingProxy(s3_server.port) as proxy:
            env = {
                "AIRFLOW__CORE__XCOM_BACKEND": "include.s3_xcom_backend.S3XComBackend",
                "AIRFLOW__XCOM_STORE__VIEWER": "True",
                "AIRFLOW__XCOM_STORE__URL": f"s3://{s3_server.bucket}/{PREFIX}",
                "AIRFLOW__XCOM_STORE__ENDPOINT_URL": proxy.url,
                "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            }
            win = {"AIRFLOW__CORE__DAGS_FOLDER": str(dags), **settings}
            port = ports.free_ports(1)[0]
            with AirflowServer.start(folder / "airflow", port, env, win) as server:
                server.wait_until_healthy()
                server.api.overwrite("connections", [_connection(s3_server)])
                yield cls(server, proxy, local_s3.client(s3_server, PREFIX))

    def run(self, *dag_ids: str, **conf: Any) -> None:
        """Run these DAGs, wait for the end of each; the latest run is the one of its pages."""
        waiting.for_dags(self.api, dag_ids, RUN_SECONDS)
        for dag_id in dag_ids:
            self.runs[dag_id] = self.api.trigger(dag_id, **conf)["dag_run_id"]
        for dag_id in dag_ids:
            said = f"{dag_id} does not end: {self.server.home}"
            waiting.until(partial(self._has_ended, dag_id), said, seconds=RUN_SECONDS)

    def _has_ended(self, dag_id: str) -> bool:
        self.server.check_alive()
        runs = {run["dag_run_id"]: run["state"] for run in self.api.runs(dag_id)}
        return runs[self.runs[dag_id]] in ("success", "failed")

    def row(self, dag_id: str, task_id: str, key: str, map_index: int = -1) -> Any:
        """What the database holds for an XCom."""
        path = f"{self._run(dag_id, 'api/v2/dags', 'dagRuns')}/taskInstances/{task_id}/xcomEntries"
        query = f"map_index={map_index}&stringify=false&deserialize=false"
        return self.api.call("GET", f"{path}/{_quote(key)}?{query}")["value"]

    def object(self, dag_id: str, task_id: str, key: str, map_index: int = -1) -> str:
        """The key of an XCom's object in the store."""
        return self.row(dag_id, task_id, key, map_index)["uri"].partition(f"/{PREFIX}/")[2]

    def leaves(self, dag_id: str, task_id: str, key: str, number: int) -> list[str]:
        """The key of the object of one value inside another."""
        stem = self.object(dag_id, task_id, key).rpartition(".json")[0]
        found = [item["path"] for page in obstore.list(self.store, stem) for item in page]
        return [path for path in found if path.startswith(f"{stem}/{number}.")]

    def run_page(self, dag_id: str) -> str:
        """The address of a run's page in Airflow's UI."""
        return f"{self.url}/{self._run(dag_id, 'dags', 'runs')}"

    def task_page(self, dag_id: str, task_id: str, map_index: int | None = None) -> str:
        """The address of a task instance's page in Airflow's UI."""
        mapped = "" if map_index is None else f"/mapped/{map_index}"
        return f"{self.run_page(dag_id)}/tasks/{task_id}{mapped}"

    def _run(self, dag_id: str, dags: str, runs: str) -> str:
        return f"{dags}/{dag_id}/{runs}/{_quote(self.runs[dag_id])}"

    def memory(self) -> int:
        """Bytes of private memory that the API server's processes hold."""
        guard = psutil.Process(self.server.components["api-server"].pid)
        return sum(process.memory_full_info().uss for process in guard.children(recursive=True))

    def seconds(self, path: str) -> float:
        """How long the server takes to answer 200 to a GET."""
        started = time.perf_counter()
        assert self.size(path) > 0
        return time.perf_counter() - started

    def size(self, path: str) -> int:
        """How many bytes the server answers to a GET; they are not kept."""
        with self._opener.open(f"{self.url}/{path}", timeout=120) as answer:
            assert answer.status == 200
            return sum(len(piece) for piece in iter(lambda: answer.read(1 << 20), b""))

    def page(self, url: str) -> Answer:
        """What the server answers to a GET, whatever its status; of a broken download, nothing."""
        try:
            with self._opener.open(url, timeout=120) as answer:
                return Answer(answer.status, answer.read().decode(errors="replace"))
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read().decode(errors="replace"))
        except (http.client.HTTPException, ConnectionError):
            return Answer(0, "")


class Answer(NamedTuple):
    """A status, 0 where the connection broke off, and a text."""

    status: int
    text: str


def _quote(part: str) -> str:
    return urllib.parse.quote(part, safe="")


def _connection(s3_server: Any) -> dict[str, Any]:
    """As Airflow's REST API takes it."""
    fields = local_s3.connection(s3_server)
    return {"connection_id": "aws_default", **fields, "extra": json.dumps(fields["extra"])}
