"""The viewer's pages: their addresses, who may see them, what the browser may do with them.

    task      the XComs of a task instance, a card each     ?dag_id&run_id&task_id&map_index
    run       the XComs of a DAG run, a line each           ?dag_id&run_id[&of_task][&of_key]…
    value     one XCom's value                              ?…&key[&leaf][&row][&column][&view]
    chart     two columns of a table                        ?…&key[&leaf][&x]&y[&line][&view]
    previous  a table or validation and the run before's    ?…&key[&leaf][&view]
    download  its object, as=csv, or as=image               ?…&key[&leaf][&as]

The pages `task` and `run` read the metadata database only; each card then asks for its `value`. So
a store that is slow or away delays cards, and nothing else.

Only users who may read a DAG's XComs in Airflow may read them here. Everything is escaped; the
browser runs no script and loads nothing but what carries the page's nonce.
"""

from functools import cache, partial

from fastapi import FastAPI, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response

from include.xcom_store.errors import StoreUnreachable
from include.xcom_viewer import entries, objects, overview, preview, previous, sending, states
from include.xcom_viewer.answers import page, refusal
from include.xcom_viewer.asked import Allowed, Asked, Number, entry_of
from include.xcom_viewer.entries import Entry
from include.xcom_viewer.readers import Readers
from include.xcom_viewer.source import REFUSED, StoreLookup
from include.xcom_viewer.work import Pool

MAX_CARDS = 40
"""On one page; more XComs of a task instance are shown as a list."""


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
        ("/chart", chart_page),
        ("/previous", previous_page),
        ("/download", sending.download),
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
    is_first_run = await run_in_threadpool(entries.is_first_run, *asked[:2])
    found.sort(key=lambda entry: (entry.owner.map_index, entry.owner.key != "return_value"))
    mapped = asked.map_index is None and any(entry.owner.map_index != -1 for entry in found)
    cards = [overview.card(entry, _lookup(request).store) for entry in found]
    as_list = mapped or len(cards) > MAX_CARDS
    return page(
        "task.html",
        asked=asked,
        mapped=mapped,
        is_cut=is_cut,
        is_first_run=is_first_run,
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
    window = preview.Window(row, column, raw=view == "raw")
    return await _card(request, asked, leaf, window, view)


async def chart_page(
    request: Request,
    asked: Allowed,
    *,
    y: Number,
    x: Number | None = None,
    line: bool = False,
    leaf: Number | None = None,
    view: str = "",
) -> Response:
    """Show two columns of a table; without `x` one, by the rows' numbers."""
    window = preview.Window(do="chart", x=x, y=y, line=line)
    return await _card(request, asked, leaf, window, view)


async def previous_page(
    request: Request, asked: Allowed, *, leaf: Number | None = None, view: str = ""
) -> Response:
    """Show what is other than in the previous run."""
    return await _card(request, asked, leaf, previous.PROFILE, view)


async def _card(
    request: Request, asked: Asked, leaf: int | None, window: preview.Window, view: str
) -> Response:
    entry = await entry_of(asked)
    before = None
    if window is previous.PROFILE:
        before = await run_in_threadpool(entries.previous, entry.owner)
    in_card = view == "card"  # which has its head already
    is_first_run = not in_card and await run_in_threadpool(entries.is_first_run, *asked[:2])
    lookup, app = _lookup(request), request.app.state
    shown = partial(
        page,
        "value_card.html" if in_card else "value.html",
        asked=asked,
        card=overview.card(entry, lookup.store),
        leaf=leaf,
        window=window,
        is_first_run=is_first_run,
    )

    def made() -> Response:  # all of it by another thread: what a reader has said may be long
        body = _body(app.readers, lookup, (entry, before), leaf, window)
        return shown(body=body, state=None)

    try:
        answer: Response = await app.pool.run(made)
        return answer
    except Exception as error:  # noqa: BLE001 - whatever it is, it is this value's trouble
        return shown(body=None, state=states.of(error))


def _lookup(request: Request) -> StoreLookup:
    found: StoreLookup = request.app.state.lookup
    return found


def _body(
    readers: Readers,
    lookup: StoreLookup,
    rows: tuple[Entry, Entry | None],
    leaf: int | None,
    window: preview.Window,
) -> preview.Body:
    entry, before = rows
    try:
        if window is previous.PROFILE:
            return previous.compare(readers, lookup.store, entry, before, leaf)
        if not entry.in_store:
            return preview.of_database(readers, entry, window)
        store = lookup.store()
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
