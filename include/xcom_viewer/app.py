"""The viewer's pages: their addresses, who may see them, what the browser may do with them.

    task      the XComs of a task instance, a card each     ?dag_id&run_id&task_id&map_index
    run       the XComs of a DAG run, a line each           ?dag_id&run_id[&of_task][&of_key]…
    value     one XCom's value                              ?…&key[&leaf][&row][&column][&view]
    download  its object, as=csv, or as=image               ?…&key[&leaf][&as]

The pages `task` and `run` read the metadata database only; each card then asks for its `value`. So
a store that is slow or away delays cards, and nothing else.

Whoever may read a DAG's XComs in Airflow may read them here, and nobody else. Everything is
escaped; the browser runs no script and loads nothing but what carries the page's nonce.
"""

import re
from collections.abc import AsyncIterator, Iterator
from functools import cache, partial
from types import GeneratorType
from typing import Annotated, NamedTuple

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from fastapi import Depends, FastAPI, HTTPException, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response

from include.xcom_store.codecs import binary
from include.xcom_store.errors import AccessDenied, ConfigurationError, StoreUnreachable
from include.xcom_store.record import StoredObject
from include.xcom_store.stores.base import Store
from include.xcom_viewer import downloads, entries, images, objects, overview, preview, states
from include.xcom_viewer.answers import failed, file, image, page, refusal
from include.xcom_viewer.entries import Entry
from include.xcom_viewer.readers import Readers
from include.xcom_viewer.source import Source, StoreLookup
from include.xcom_viewer.work import Busy, Pool

MAX_CARDS = 40
"""On one page; more XComs of a task instance are shown as a list."""
MAX_DOWNLOADS = 4
"""At once."""
PIECE_SECONDS = 60.0
"""For one piece of a download."""
REFUSED = (AccessDenied, ConfigurationError)
"""After these the connection is looked up again: a key may have been changed."""
_NO_FILE = "There is no such file for this value."
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
    has_nul = any("\0" in value for value in query.values())  # which PostgreSQL would not take
    if twice or has_nul or query.get("dag_id", "") in ("", "~"):
        raise HTTPException(400, "This address was not made by Airflow's UI.")
    # Checked is the very text that rows are read by.
    check = requires_access_dag("GET", DagAccessEntity.XCOM, query["dag_id"])
    check(request, user)
    index = query.get("map_index") or _UNMAPPED
    if index != _UNMAPPED and not re.fullmatch(r"-1|[0-9]{1,9}", index):
        raise HTTPException(400, "map_index has to be a number.")
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
    app.state.lookup = StoreLookup()
    app.state.readers = Readers()
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


async def task_page(request: Request, asked: Allowed) -> Response:
    """Show the XComs of a task instance, without their values."""
    found = await run_in_threadpool(entries.of_task, *asked[:3], asked.map_index)
    is_cut = len(found) > entries.MAX_TASK_ROWS
    found = found[: entries.MAX_TASK_ROWS]
    found.sort(key=lambda entry: (entry.owner.map_index, entry.owner.key != "return_value"))
    mapped = asked.map_index is None and any(entry.owner.map_index != -1 for entry in found)
    cards = [overview.card(entry, _lookup(request).store) for entry in found]
    as_list = mapped or len(cards) > MAX_CARDS
    return page(
        "task.html",
        asked=asked,
        mapped=mapped,
        is_cut=is_cut,
        cards=[] if as_list else cards,
        lines=cards if as_list else [],
    )


async def run_page(
    request: Request,
    asked: Allowed,
    *,
    start: Number = 0,
    of_task: str = "",
    of_key: str = "",
    of_type: str = "",
) -> Response:
    """Show the XComs of a DAG run, one line per XCom."""
    wanted = overview.Filter(of_task, of_key, of_type)
    connect = _lookup(request).store
    run = await run_in_threadpool(
        overview.of_run, asked.dag_id, asked.run_id, start, wanted, connect
    )
    return page("run.html", asked=asked, run=run, wanted=wanted)


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
    window = preview.Window(row, column, raw=view == "raw")
    lookup = _lookup(request)
    shown = partial(
        page,
        "value_card.html" if view == "card" else "value.html",
        asked=asked,
        card=overview.card(entry, lookup.store),
        leaf=leaf,
        window=window,
    )
    app = request.app.state
    try:
        body = await app.pool.run(partial(_preview, app.readers, lookup, entry, leaf, window))
        return shown(body=body, state=None)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is this value's trouble
        return shown(body=None, state=states.of(error))


async def download(request: Request, asked: Allowed, leaf: Number | None = None) -> Response:
    """Send the object of an XCom as a file, or as CSV."""
    entry = await _entry(asked)
    wanted = request.query_params.get("as")
    as_csv = wanted == "csv"
    app = request.app.state
    if app.downloads >= MAX_DOWNLOADS:
        return failed(Busy())
    app.downloads += 1
    pieces: Iterator[bytes] | None = None
    try:
        if not entry.in_store:
            raise HTTPException(404, _NO_FILE)
        store, readers = app.lookup.store(), app.readers
        found, _path = await app.pool.run(partial(objects.locate, readers, entry, store, leaf))
        if as_csv and found.codec not in downloads.TABLE_CODECS:
            raise HTTPException(404, _NO_FILE)
        if wanted == "image":
            picture: Response = await app.pool.run(partial(_image, store, found))
            app.downloads -= 1
            return picture
        pieces = (
            downloads.csv(readers, store, found) if as_csv else downloads.original(store, found)
        )
        first = await _next(app.pool, pieces)
    except BaseException as error:
        app.downloads -= 1
        _close(pieces)
        if isinstance(error, REFUSED):
            app.lookup.forget()
        if isinstance(error, HTTPException) or not isinstance(error, Exception):
            raise
        return failed(error)

    def finished() -> None:
        app.downloads -= 1
        _close(pieces)

    return file(_pieces(app.pool, first, pieces), found, finished, as_csv=as_csv)


async def _pieces(pool: Pool, first: bytes | None, rest: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the pieces of a download; an error ends the connection before the file is complete."""
    piece = first
    while piece is not None:
        yield piece
        piece = await _next(pool, rest)


async def _next(pool: Pool, pieces: Iterator[bytes]) -> bytes | None:
    """Return the next piece that is not empty, None after the last."""
    piece: bytes | None = b""
    while piece == b"":
        piece = await pool.run(partial(next, pieces, None), PIECE_SECONDS)
    return piece


def _image(store: Store, stored: StoredObject) -> Response:
    """Return an object of bytes as an image, if it is one."""
    if stored.codec != binary.NAME or stored.bytes > images.MAX_BYTES:
        raise HTTPException(404, _NO_FILE)
    data = Source(store, stored).whole()
    kind = images.media_type(bytes(data[:256]))
    if kind is None:
        raise HTTPException(404, _NO_FILE)
    return image(data, kind, stored.uri.rpartition("/")[2])


def _close(pieces: Iterator[bytes] | None) -> None:
    """Let go what a download holds, unless a thread is at it: then that is the last to hold it."""
    if isinstance(pieces, GeneratorType) and not pieces.gi_running:
        pieces.close()


async def _entry(asked: Asked) -> Entry:
    index = -1 if asked.map_index is None else asked.map_index
    found = await run_in_threadpool(entries.of_task, *asked[:3], index, asked.key or "")
    if not found:
        raise HTTPException(404, "There is no such XCom. Was the task cleared, or tried again?")
    return found[0]


def _lookup(request: Request) -> StoreLookup:
    found: StoreLookup = request.app.state.lookup
    return found


def _preview(
    readers: Readers, lookup: StoreLookup, entry: Entry, leaf: int | None, window: preview.Window
) -> preview.Body:
    if not entry.in_store:
        return preview.of_database(readers, entry, window)
    store = lookup.store()
    try:
        stored, path = objects.locate(readers, entry, store, leaf)
        body = preview.of_object(readers, store, stored, window)
        body.path = path
        return body
    except REFUSED:
        lookup.forget()
        raise
    except StoreUnreachable as error:
        lookup.was_silent(error)
        raise
