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
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.parse import quote

import obstore
import psutil

from tests import local_s3
from tests.real_airflow import Real
from tests.xcom_store.fault_proxy import FaultProxy

# Never through a proxy: the server is on this machine.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class CountingProxy(FaultProxy):
    """Counts the bytes that come from S3."""

    bytes_sent = 0

    def ask(self, head: bytes, body: bytes) -> bytes:
        answer = super().ask(head, body)
        self.bytes_sent += len(answer)
        return answer


class Site(Real):
    """A running Airflow with the pages of its runs, and the S3 behind it."""

    @classmethod
    @contextlib.contextmanager
    def running(
        cls, folder: Path, s3_server: Any, files: list[Any], dag_ids: list[str], **settings: str
    ) -> Iterator[Self]:
        """As any, with the prefix that the README's pictures show."""
        with CountingProxy(s3_server.port) as proxy:
            env = {
                "AIRFLOW__XCOM_STORE__VIEWER": "True",
                "AIRFLOW__XCOM_STORE__ENDPOINT_URL": proxy.url,
                "AIRFLOW_CONN_AWS_DEFAULT": None,  # it is in the database
                **settings,
            }
            with super().running(folder, s3_server, files, dag_ids, "xcom", **env) as site:
                site.url, site.proxy = site.server.url, proxy
                site.api.overwrite("connections", [_connection(s3_server)])
                yield site

    def row(self, dag_id: str, task_id: str, key: str, map_index: int = -1) -> Any:
        """What the database holds for an XCom."""
        path = f"{self.path(dag_id)}/taskInstances/{task_id}/xcomEntries/{quote(key, safe='')}"
        query = f"map_index={map_index}&stringify=false&deserialize=false"
        return self.api.call("GET", f"{path}?{query}")["value"]

    def object(self, dag_id: str, task_id: str, key: str, map_index: int = -1) -> str:
        """The key of an XCom's object in the store."""
        uri = self.row(dag_id, task_id, key, map_index)["uri"]
        return uri.removeprefix(f"{self.store_url}/")

    def leaves(self, dag_id: str, task_id: str, key: str, number: int) -> list[str]:
        """The key of the object of one value inside another."""
        stem = self.object(dag_id, task_id, key).rpartition(".json")[0]
        found = [item["path"] for page in obstore.list(self.store, stem) for item in page]
        return [path for path in found if path.startswith(f"{stem}/{number}.")]

    def run_page(self, dag_id: str) -> str:
        """The address of a run's page in Airflow's UI."""
        return f"{self.url}/dags/{dag_id}/runs/{quote(self.runs[dag_id], safe='')}"

    def task_page(self, dag_id: str, task_id: str, map_index: int | None = None) -> str:
        """The address of a task instance's page in Airflow's UI."""
        mapped = "" if map_index is None else f"/mapped/{map_index}"
        return f"{self.run_page(dag_id)}/tasks/{task_id}{mapped}"

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
        with OPENER.open(f"{self.url}/{path}", timeout=120) as answer:
            assert answer.status == 200
            return sum(len(piece) for piece in iter(lambda: answer.read(1 << 20), b""))

    def page(self, url: str) -> Answer:
        """What the server answers to a GET, whatever its status; of a broken download, nothing."""
        try:
            with OPENER.open(url, timeout=120) as answer:
                return Answer(answer.status, answer.read().decode(errors="replace"))
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read().decode(errors="replace"))
        except (http.client.HTTPException, ConnectionError):
            return Answer(0, "")


class Answer(NamedTuple):
    """A status, 0 where the connection broke off, and a text."""

    status: int
    text: str


def _connection(s3_server: Any) -> dict[str, Any]:
    """As Airflow's REST API takes it."""
    fields = local_s3.connection(s3_server)
    return {"connection_id": "aws_default", **fields, "extra": json.dumps(fields["extra"])}
