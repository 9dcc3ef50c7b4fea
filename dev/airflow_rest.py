"""The part of Airflow's REST API (/api/v2) that the demo needs.

On httpx, so only for what runs in `.venv`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx

from dev.errors import DevError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Json = dict[str, Any]

_PAGE_ROWS = 100  # the most that the API gives
_GONE_SECONDS = 60.0  # for how long nobody may answer; an API server that died is started again
_FAILURES = 3  # of one request, before it is told: SQLite may have been locked

_PARTS = {"metadatabase": "database", "scheduler": "scheduler", "dag_processor": "DAG processor"}


class _InternalError(DevError):
    """Airflow failed, and has undone what it had begun."""


class AirflowApi:
    """A client without credentials: for a server on loopback that takes everyone as admin.

    Args:
        base_url: of the server.
        watch: called while nobody answers; it may start the server again, or raise.
    """

    def __init__(self, base_url: str, watch: Callable[[], None] = lambda: None) -> None:
        self._watch = watch
        # Never through a proxy: the server is on this machine. And no connection is kept for the
        # next request: it may have been restarted by then.
        limits = httpx.Limits(max_keepalive_connections=0)
        self._client = httpx.Client(base_url=base_url, timeout=30, trust_env=False, limits=limits)

    def healthy(self) -> bool:
        """Whether all that a task needs is healthy; False also while nothing answers yet."""
        return not self.awaited()

    def awaited(self) -> list[str]:
        """The parts that a task needs and that are not healthy yet."""
        try:
            # Airflow creates its tasks' API on the first request to it, which takes seconds:
            # better now, while the scheduler starts, than with the first task.
            self._request("GET", "execution/health")
            health = self._request("GET", "api/v2/monitor/health")
        except ConnectionError:
            return ["API server"]
        return [said for part, said in _PARTS.items() if health[part]["status"] != "healthy"]

    def version(self) -> str:
        return str(self.call("GET", "api/v2/version")["version"])

    def overwrite(self, resource: str, entities: Sequence[Json]) -> None:
        """Create or replace connections, variables or pools."""
        if not entities:
            return
        action = {"action": "create", "action_on_existence": "overwrite", "entities": [*entities]}
        answer = self.call("PATCH", f"api/v2/{resource}", {"actions": [action]})
        if errors := answer["create"]["errors"]:
            raise DevError(f"Airflow refused {resource} of airflow_settings.yaml: {errors}")

    def dags(self) -> list[Json]:
        return self._list("api/v2/dags", "dags")

    def import_errors(self) -> list[Json]:
        return self._list("api/v2/importErrors", "import_errors")

    def unpause(self, dag_id: str) -> Json:
        return self.call("PATCH", f"api/v2/dags/{_quote(dag_id)}", {"is_paused": False})

    def trigger(self, dag_id: str, **conf: Any) -> Json:
        body: Json = {"logical_date": None, "conf": conf}
        return self.call("POST", f"api/v2/dags/{_quote(dag_id)}/dagRuns", body)

    def runs(self, dag_id: str) -> list[Json]:
        return self._list(f"api/v2/dags/{_quote(dag_id)}/dagRuns", "dag_runs")

    def task_instances(self, dag_id: str, run_id: str) -> list[Json]:
        return self._list(f"{_run(dag_id, run_id)}/taskInstances", "task_instances")

    def xcoms(self, dag_id: str, run_id: str) -> list[Json]:
        """Every XCom of the run with its raw value: what the metadata database holds."""
        every_task = f"{_run(dag_id, run_id)}/taskInstances/~/xcomEntries"
        return [self._xcom(entry) for entry in self._list(every_task, "xcom_entries")]

    def _xcom(self, entry: Json) -> Json:
        run = _run(entry["dag_id"], entry["run_id"])
        path = f"{run}/taskInstances/{_quote(entry['task_id'])}/xcomEntries/{_quote(entry['key'])}"
        query = f"map_index={entry['map_index']}&stringify=false&deserialize=false"
        return self.call("GET", f"{path}?{query}")

    def _list(self, path: str, name: str) -> list[Json]:
        found: list[Json] = []
        while True:
            page = self.call("GET", f"{path}?limit={_PAGE_ROWS}&offset={len(found)}")
            found += page[name]
            if len(found) >= page["total_entries"] or not page[name]:
                return found

    def call(self, method: str, path: str, body: Json | None = None) -> Json:
        """Make a request, again while nobody answers or Airflow fails; an empty answer is {}.

        Raises:
            ConnectionError: nobody has answered for a minute.
            DevError: Airflow answers with an error, or cannot be started again.
        """
        deadline, failures = time.monotonic() + _GONE_SECONDS, 0
        while True:
            try:
                return self._request(method, path, body)
            except _InternalError:
                failures += 1
                if failures == _FAILURES:
                    raise
            except ConnectionError as error:
                # What may have arrived is not sent again if that would make a second one of it.
                arrived = not isinstance(error.__cause__, httpx.ConnectError)
                if (arrived and method == "POST") or time.monotonic() > deadline:
                    raise
            self._watch()
            time.sleep(0.5)

    def _request(self, method: str, path: str, body: Json | None = None) -> Json:
        try:
            response = self._client.request(method, f"/{path}", json=body)
        except httpx.TransportError as error:
            raise ConnectionError(f"{method} {path}: {type(error).__name__} {error}") from error
        if not response.is_success:
            kind = _InternalError if response.status_code == 500 else DevError
            said = f"{response.status_code} to {method} {path}: {response.text[:500]}"
            raise kind(f"Airflow answered {said}")
        answer: Json = response.json() if response.content else {}
        return answer


def _run(dag_id: str, run_id: str) -> str:
    return f"api/v2/dags/{_quote(dag_id)}/dagRuns/{_quote(run_id)}"


def _quote(part: str) -> str:
    """Run ids hold ':' and '+', keys may hold anything."""
    return quote(part, safe="")
