"""What Airflow's REST API (/api/v2) says about XComs: one client for `sweep` and `verify`.

    with airflow_access.connect() as api:
        for listed in api.xcoms("trips"):                 # whose they are, without values
            row = api.xcom(listed.owner)                  # what the database holds, or None

Deletions depend on these answers, so nothing is guessed and nothing is retried: anything but the
answer that Airflow 3.3 gives (an error, a redirect, a proxy's page, a 404 of another form) raises
`AirflowApiError`. In particular None, for "there is no such row", is returned only for Airflow's
own words for that row, so a wrong address cannot be taken for an empty database.

`airflow_access` finds the address and the credentials.
"""

from __future__ import annotations

import threading
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from urllib.parse import quote

from include.xcom_store.keys import Owner
from include.xcom_tools.errors import ToolError, Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    import httpx

PAGE_ROWS = 100
"""Per request, the most that the API gives."""
ANY = "~"
"""The API's word for any DAG, run or task."""


class AirflowApiError(Unreachable):
    """Airflow did not answer as it should."""


class NotAllowed(AirflowApiError):
    """The token may not do this."""


class Row(NamedTuple):
    """An XCom of the metadata database: the JSON value that it holds, a reference or a value."""

    value: Any


class ListedRow(NamedTuple):
    """A row as lists have it: whose it is and when it was written, without its value."""

    owner: Owner
    written: datetime


class AirflowApi:
    """A client of one Airflow. Threads may share it.

    Attributes:
        url: without `/api/v2`.
        requests: made so far.
        seconds: spent on them, by all threads together.
    """

    def __init__(self, client: httpx.Client, rate: float | None = None) -> None:
        """Use a client whose `base_url` is the Airflow and which is already authenticated.

        Args:
            client: closed together with this.
            rate: requests per second at most; None for no limit.
        """
        self.url = str(client.base_url).rstrip("/")
        self.requests = 0
        self.seconds = 0.0
        self._client = client
        self._interval = 1 / rate if rate else 0.0
        self._next = 0.0
        self._counting = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.close()

    def xcom(self, owner: Owner) -> Row | None:
        """Return one row by its exact name; None if Airflow says that there is none.

        Args:
            owner: all fields set.

        Raises:
            NotAllowed: the token may not read this DAG's XComs.
            AirflowApiError: no answer, or none that can be relied on.
        """
        path = f"{_entries(owner)}/{_segment(str(owner.key))}"
        query = {"map_index": owner.map_index, "deserialize": "false", "stringify": "false"}
        status, body = self._get(path, query)
        if status == 404:
            # An unknown route, a proxy or a path that was normalised on its way differ.
            if body.get("detail") != f"XCom entry with key: `{owner.key}` not found":
                raise self._unexpected(path, status, body)
            return None
        said = Owner(*(body.get(name) for name in Owner._fields))
        if status != 200 or said != owner or "value" not in body:
            raise self._unexpected(path, status, body)
        return Row(body["value"])

    def xcoms(
        self,
        dag_id: str = ANY,
        run_id: str = ANY,
        task_id: str = ANY,
        map_index: int | None = None,
        key: str | None = None,
    ) -> Iterator[ListedRow]:
        """List rows, without their values, page by page.

        If rows come and go between two pages, some may be left out or listed twice. With `~` as
        DAG, rows of DAGs that the token may not read are left out silently.
        """
        path = _entries(Owner(dag_id, run_id, task_id))
        for entries, _total in self._pages(path, "xcom_entries", map_index=map_index, xcom_key=key):
            yield from (_listed(entry) for entry in entries)

    def owners(self, wanted: Owner) -> Iterator[Owner]:
        """List whose rows there are, page by page; its None fields stand for any."""
        dag_id, run_id, task_id = (name or ANY for name in wanted[:3])
        for listed in self.xcoms(dag_id, run_id, task_id, wanted.map_index, wanted.key):
            yield listed.owner

    def rows(self, wanted: Owner) -> Iterator[tuple[Owner, Row]]:
        """List rows with their values, one request for each; its None fields stand for any."""
        for owner in self.owners(wanted):
            if row := self.xcom(owner):
                yield owner, row

    def all_xcoms(self, owner: Owner) -> list[Owner] | None:
        """List the rows of an owner whose fields may be None; None if they do not fit one page.

        A page that is not full is a single answer: nothing can have come or gone in between.
        """
        path = _entries(Owner(owner.dag_id, owner.run_id or ANY, owner.task_id or ANY))
        query = {"map_index": owner.map_index, "xcom_key": owner.key}
        entries, total = next(self._pages(path, "xcom_entries", **query))
        if len(entries) != total or total >= PAGE_ROWS:
            return None
        return [_listed(entry).owner for entry in entries]

    def dag_ids(self) -> Iterator[str]:
        """List the DAGs that the token may read."""
        for dags, _total in self._pages("dags", "dags", exclude_stale="false"):
            yield from (str(dag["dag_id"]) for dag in dags)

    def runs(self, dag_id: str | None = None) -> Iterator[Owner]:
        """List the runs of a DAG, or of all that the token may read, the oldest first."""
        # `~`, because for one DAG Airflow wants its code, which may be gone. The pattern finds
        # other DAGs, too, and knows `|` as a sign of its own.
        path = f"dags/{ANY}/dagRuns"
        pattern = None if dag_id is None or "|" in dag_id else dag_id
        for runs, _total in self._pages(path, "dag_runs", order_by="id", dag_id_pattern=pattern):
            owners = (Owner(str(run["dag_id"]), str(run["dag_run_id"])) for run in runs)
            yield from (owner for owner in owners if dag_id in (None, owner.dag_id))

    def variable(self, key: str) -> str | None:
        """Return a Variable of the metadata database; None if Airflow says that there is none."""
        path = f"variables/{_segment(key)}"
        status, body = self._get(path, {})
        if status == 404 and body.get("detail") == (
            f"The Variable with key: `{key}` was not found"
        ):
            return None
        if status != 200 or body.get("key") != key or not isinstance(body.get("value"), str):
            raise self._unexpected(path, status, body)
        return str(body["value"])

    def create_variable(self, key: str, value: str, description: str) -> None:
        """Create a Variable; raise if there already is one of that name."""
        body = {"key": key, "value": value, "description": description}
        status, answer = self._call("POST", "variables", json=body)
        if status != 201:
            raise self._unexpected("variables", status, answer)

    def _pages(self, path: str, name: str, **query: Any) -> Iterator[tuple[list[Any], int]]:
        asked = {key: value for key, value in query.items() if value is not None}
        offset = 0
        while True:
            status, body = self._get(path, {**asked, "limit": PAGE_ROWS, "offset": offset})
            entries, total = body.get(name), body.get("total_entries")
            if status != 200 or not isinstance(entries, list) or not isinstance(total, int):
                raise self._unexpected(path, status, body)
            yield entries, total
            offset += len(entries)
            if not entries or offset >= total:
                return

    def _get(self, path: str, query: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        return self._call("GET", path, params=query)

    def _call(self, method: str, path: str, **more: Any) -> tuple[int, dict[str, Any]]:
        import httpx

        self._wait()
        started = time.monotonic()
        try:
            response = self._client.request(method, f"/api/v2/{path}", **more)
            body = response.json()
        except httpx.HTTPError as error:
            raise AirflowApiError(
                f"Airflow at {self.url} does not answer: {type(error).__name__} {error} "
                f"({method} {path}). Start it, or name its address with --airflow-url."
            ) from error
        except ValueError:  # no JSON: a proxy's page, a login
            body = None
        finally:
            with self._counting:
                self.requests += 1
                self.seconds += time.monotonic() - started
        if response.status_code == 401:
            raise AirflowApiError(
                f"Airflow at {self.url} wants a valid token ({method} {path}: 401). Set "
                "AIRFLOW_API_TOKEN or the connection airflow_api; a token may have expired."
            )
        if response.status_code == 403:
            raise NotAllowed(
                f"the token may not {method} {path} on Airflow at {self.url}: {response.text[:200]}"
            )
        if not isinstance(body, dict):
            raise self._unexpected(path, response.status_code, response.text)
        return response.status_code, body

    def _wait(self) -> None:
        if not self._interval:
            return
        with self._counting:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + self._interval
        time.sleep(turn - now)

    def _unexpected(self, path: str, status: int, body: Any) -> AirflowApiError:
        return AirflowApiError(
            f"Airflow at {self.url} answered {path} in a way that is not understood: {status} "
            f"{str(body)[:300]}. Is that the address of an Airflow 3.3?"
        )


def _listed(entry: dict[str, Any]) -> ListedRow:
    try:
        written = datetime.fromisoformat(entry["timestamp"])
        return ListedRow(Owner(*(entry[name] for name in Owner._fields)), written)
    except (KeyError, ValueError, TypeError) as error:
        raise AirflowApiError(f"Airflow lists an XCom that is not understood: {entry}") from error


def _entries(owner: Owner) -> str:
    dag, run, task = (_segment(str(part)) for part in owner[:3])
    return f"dags/{dag}/dagRuns/{run}/taskInstances/{task}/xcomEntries"


def _segment(text: str) -> str:
    """Return an identifier as a part of a path.

    Raises:
        ToolError: it would not arrive as it is.
    """
    if text in (".", "..", ""):
        raise ToolError(f"{text!r} cannot be asked for: it means a folder in a path.")
    return quote(text, safe="~")
