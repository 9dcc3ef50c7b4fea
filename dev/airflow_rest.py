"""The part of Airflow's REST API (/api/v2) that the demo needs."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any

from dev.errors import DevError

if TYPE_CHECKING:
    from collections.abc import Sequence

Json = dict[str, Any]

_PAGE = 100  # the API's own default maximum


class AirflowApi:
    """A client without credentials: for a server on loopback that takes everyone as admin."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        # Never through a proxy: the server is on this machine.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def healthy(self) -> bool:
        """Whether all that a task needs says so; False also while nothing answers yet."""
        try:
            # Airflow makes the API of its tasks at the first request to it, which takes seconds:
            # better now, while the scheduler starts, than at the first task.
            self._call("GET", "execution/health")
            health = self._call("GET", "api/v2/monitor/health")
        except (OSError, http.client.HTTPException):
            return False
        parts = ("metadatabase", "scheduler", "dag_processor")
        return all(health[part]["status"] == "healthy" for part in parts)

    def version(self) -> str:
        return str(self._call("GET", "api/v2/version")["version"])

    def overwrite(self, resource: str, entities: Sequence[Json]) -> None:
        """Create or replace connections, variables or pools."""
        if not entities:
            return
        action = {"action": "create", "action_on_existence": "overwrite", "entities": [*entities]}
        answer = self._call("PATCH", f"api/v2/{resource}", {"actions": [action]})
        if errors := answer["create"]["errors"]:
            raise DevError(f"Airflow refused {resource} of airflow_settings.yaml: {errors}")

    def dags(self) -> list[Json]:
        return self._list("api/v2/dags", "dags")

    def import_errors(self) -> list[Json]:
        return self._list("api/v2/importErrors", "import_errors")

    def unpause(self, dag_id: str) -> Json:
        return self._call("PATCH", f"api/v2/dags/{_quote(dag_id)}", {"is_paused": False})

    def trigger(self, dag_id: str) -> None:
        body: Json = {"logical_date": None, "conf": {}}
        self._call("POST", f"api/v2/dags/{_quote(dag_id)}/dagRuns", body)

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
        return self._call("GET", f"{path}?{query}")

    def _list(self, path: str, name: str) -> list[Json]:
        found: list[Json] = []
        while True:
            page = self._call("GET", f"{path}?limit={_PAGE}&offset={len(found)}")
            found += page[name]
            if len(found) >= page["total_entries"] or not page[name]:
                return found

    def _call(self, method: str, path: str, body: Json | None = None) -> Json:
        request = urllib.request.Request(  # noqa: S310 - always http, see __init__
            f"{self._base_url}/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with self._opener.open(request, timeout=30) as response:
                answer: Json = json.load(response)
        except urllib.error.HTTPError as error:
            detail = error.read().decode(errors="replace")[:500]
            raise DevError(f"Airflow answered {error.code} to {method} {path}: {detail}") from error
        return answer


def _run(dag_id: str, run_id: str) -> str:
    return f"api/v2/dags/{_quote(dag_id)}/dagRuns/{_quote(run_id)}"


def _quote(part: str) -> str:
    """Run ids hold ':' and '+', keys may hold anything."""
    return urllib.parse.quote(part, safe="")
