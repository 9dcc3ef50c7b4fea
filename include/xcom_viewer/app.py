"""The viewer's pages: their addresses, who may see them, what the browser may do with them.

    task      the XComs of a task instance, a card each     ?dag_id&run_id&task_id&map_index
    run       the XComs of a DAG run, a line each           ?dag_id&run_id
    value     one XCom's value                              ?…&key[&leaf][&row][&column][&view]
    download  its object, or as=csv                         ?…&key[&leaf][&as]

The pages `task` and `run` read the metadata database only; each card then asks for its `value`. So
an S3 that is slow or away delays cards, and nothing else.

Who may read a DAG's XComs in Airflow may read them here, and nobody else. All is escaped; the
browser runs no script and loads nothing but what carries the page's nonce.
"""

import re
from collections.abc import AsyncIterator, Iterator
from functools import cache, partial
from typing import Annotated, NamedTuple

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from fastapi import Depends, FastAPI, HTTPException, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response

from include.xcom_store.errors import AccessDenied, ConfigurationError
from include.xcom_viewer import bucket, downloads, located, overview, preview, rows, states
from include.xcom_viewer.answers import failed, file, page, refusal
from include.xcom_viewer.rows import Entry
from include.xcom_viewer.work import Busy, Pool

CARDS = 40
"""On one page; more XComs of a task instance are shown as a list."""
DOWNLOADS = 4
"""At once."""
DOWNLOAD_SECONDS = 60.0
"""For one piece of a download."""
_UNMAPPED = "{MAP_INDEX}"
"""What Airflow's UI leaves in the address where there is no map index."""


class Asked(NamedTuple):
    """Whose XComs a page shows; whoever asks may read them."""

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
    if twice or "\0" in str(query.values()) or query.get("dag_id", "") in ("", "~"):
        raise HTTPException(400, "The address is not one that Airflow's UI has made.")
    # Checked is the very text that rows are read by.
    check = requires_access_dag("GET", DagAccessEntity.XCOM, query["dag_id"])
    check(request, user)
    index = query.get("map_index") or _UNMAPPED
    if index != _UNMAPPED and not re.fullmatch(r"-1|[0-9]{1,9}", index):
        raise HTTPException(400, "map_index is a number.")
    return Asked(
        dag_id=query["dag_id"],
        run_id=query.get("run_id", ""),
        task_id=query.get("task_id", ""),
        map_index=None if index == _UNMAPPED else int(index),
        key=query.get("key"),
    )


Number = Annotated[int, Query(ge=0, lt=2**31)]
Allowed = Annotated[Asked, Depends(allowed)]


@cache
def application() -> FastAPI:
    """Return the application, made once per process."""
    app = FastAPI(title="XCom values", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.pool = Pool()
    app.state.downloads = 0
    for path, endpoint in (
        ("/task", task_page),
        ("/run", run_page),
        ("/value", value_page),
        ("/download", download),
    ):
        app.add_api_route(path, endpoint, methods=["GET"])
    app.add_exception_handler(HTTPException, refusal)
    app.add_exception_handler(404, refusal)
    app.add_exception_handler(Exception, refusal)  # which the server's log gets as well
    app.add_exception_handler(RequestValidationError, refusal)
    return app


async def task_page(asked: Allowed) -> Response:
    """Show the XComs of a task instance, without their values."""
    entries = await run_in_threadpool(rows.of_task, *asked[:3], asked.map_index)
    is_cut = len(entries) > rows.MAX_OF_TASK
    entries = entries[: rows.MAX_OF_TASK]
    entries.sort(key=lambda entry: (entry.owner.map_index, entry.owner.key != "return_value"))
    mapped = asked.map_index is None and any(entry.owner.map_index != -1 for entry in entries)
    cards = [overview.card(entry) for entry in entries]
    as_list = mapped or len(cards) > CARDS
    return page(
        "task.html",
        asked=asked,
        mapped=mapped,
        is_cut=is_cut,
        cards=[] if as_list else cards,
        lines=cards if as_list else [],
    )


async def run_page(asked: Allowed, start: Number = 0) -> Response:
    """Show the XComs of a DAG run, a line each."""
    summary = await run_in_threadpool(overview.of_run, asked.dag_id, asked.run_id, start)
    return page("run.html", asked=asked, run=summary)


async def value_page(
    request: Request,
    asked: Allowed,
    *,
    leaf: Number | None = None,
    row: Number = 0,
    column: Number = 0,
    view: str = "",
) -> Response:
    """Show the value of one XCom; with view=card only what goes into its card."""
    entry = await _entry(asked)
    part = preview.Part(row, column, raw=view == "raw")
    card = overview.card(entry)
    body = state = None
    try:
        body = await request.app.state.pool.run(partial(_preview, entry, leaf, part))
    except states.EXPECTED as error:
        state = states.of(error)
    name = "value_card.html" if view == "card" else "value.html"
    return page(name, asked=asked, card=card, body=body, state=state, leaf=leaf, part=part)


async def download(request: Request, asked: Allowed, leaf: Number | None = None) -> Response:
    """Send the object of an XCom as a file, or as CSV."""
    entry = await _entry(asked)
    as_csv = request.query_params.get("as") == "csv"
    app = request.app.state
    if app.downloads >= DOWNLOADS:
        return failed(Busy())
    app.downloads += 1
    try:
        found = await app.pool.run(partial(located.locate, entry, leaf))
        if found is None or (as_csv and found.codec not in downloads.TABLES):
            raise HTTPException(404, "There is no such file for this value.")
        pieces = downloads.csv(found) if as_csv else downloads.original(found)
        first = await app.pool.run(partial(next, pieces, None), DOWNLOAD_SECONDS)
    except BaseException as error:
        app.downloads -= 1
        if isinstance(error, states.EXPECTED):
            return failed(error)
        raise

    def finished() -> None:
        app.downloads -= 1

    return file(_pieces(app.pool, first, pieces), found, finished, as_csv=as_csv)


async def _pieces(pool: Pool, first: bytes | None, rest: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the pieces of a download; an error ends the connection before the file is complete."""
    piece = first
    while piece is not None:
        yield piece
        piece = await pool.run(partial(next, rest, None), DOWNLOAD_SECONDS)


async def _entry(asked: Asked) -> Entry:
    index = -1 if asked.map_index is None else asked.map_index
    found = await run_in_threadpool(rows.of_task, *asked[:3], index, asked.key or "")
    if not found:
        raise HTTPException(404, "There is no such XCom. Was the task cleared, or tried again?")
    return found[0]


def _preview(entry: Entry, leaf: int | None, part: preview.Part) -> preview.Body:
    try:
        return preview.preview(entry, leaf, part)
    except (AccessDenied, ConfigurationError):
        bucket.forget()  # a key may have been changed
        raise
