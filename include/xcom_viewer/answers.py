"""Pages and files as HTTP answers: templates, headers, and what a browser is told not to do."""

from __future__ import annotations

import logging
import re
import secrets
import unicodedata
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, Response, StreamingResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from include.xcom_store.sizes import size_text
from include.xcom_viewer import images, overview, states
from include.xcom_viewer.shown import tables

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from fastapi import Request
    from starlette.types import Send

    from include.xcom_store.codecs.base import Data
    from include.xcom_store.record import StoredObject


log = logging.getLogger(__name__)


def page(template: str, status: int = 200, **context: Any) -> Response:
    """Return a page from a template."""
    nonce = secrets.token_urlsafe(16)
    text = _templates().get_template(template).render(nonce=nonce, **context)
    # Replaced is what Unicode does not have: a row may hold half a surrogate pair.
    return HTMLResponse(text.encode(errors="replace"), status, _headers(f"'nonce-{nonce}'"))


def _headers(source: str) -> dict[str, str]:
    policy = {
        "default-src": "'none'",
        "script-src": source,
        "style-src": source,
        "connect-src": "'self'",
        "img-src": "'self' data:" if source != "'none'" else source,
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'self'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
    }


class _File(StreamingResponse):
    """A download that says when it has ended, and that breaks off where it is not complete."""

    def __init__(self, finished: Callable[[], None], *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._finished = finished

    async def __call__(self, *asgi: Any) -> None:
        """Send it."""
        try:
            await super().__call__(*asgi)
        finally:
            self._finished()

    async def stream_response(self, send: Send) -> None:
        """Send its pieces."""
        try:
            await super().stream_response(send)
        except Exception as error:
            log.warning("A download breaks off: %s", error)
            # To raise is not enough: Airflow's middleware (Starlette's, at that) then ends the
            # response as if it were complete. It hands on this, of which a server makes an error.
            await send({"type": "http.response.pathsend", "path": ""})
            raise


def file(
    pieces: AsyncIterator[bytes],
    stored: StoredObject,
    finished: Callable[[], None],
    *,
    as_csv: bool,
) -> Response:
    """Return a download; `finished` is called when it has ended."""
    name = stored.uri.rpartition("/")[2]
    # Airflow would compress what is compressed already, and on the event loop.
    headers = _headers("'none'") | {"Content-Encoding": "identity"}
    if as_csv:
        name = f"{name.rpartition('.')[0]}.csv"
    else:
        headers["Content-Length"] = str(stored.bytes)
    headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    kind = "text/csv; charset=utf-8" if as_csv else "application/octet-stream"
    return _File(finished, pieces, media_type=kind, headers=headers)


def image(data: Data, kind: str, name: str) -> Response:
    """Return an image for a page; opened by itself it can do nothing, and an SVG is a download."""
    headers = _headers("'none'") | {"Content-Encoding": "identity"}
    headers["Content-Security-Policy"] = "sandbox; default-src 'none'; style-src 'unsafe-inline'"
    how = "attachment" if kind == images.SVG else "inline"
    headers["Content-Disposition"] = f"{how}; filename*=UTF-8''{quote(name, safe='')}"
    return Response(bytes(data), media_type=kind, headers=headers)


def failed(error: Exception) -> Response:
    """Return the page for a download that is not possible."""
    state = states.of(error)
    return page("state.html", state.status, state=state)


async def refusal(_request: Request, error: Exception) -> Response:
    """Return the page for an HTTP error."""
    status = getattr(error, "status_code", 500)
    if isinstance(error, RequestValidationError):
        status = 400
    title, advice = _REFUSALS.get(status, ("Not found", ""))
    detail = str(getattr(error, "detail", ""))
    state = states.State(f"status-{status}", status, title, advice, detail)
    return page("state.html", status, state=state)


_REFUSALS = {
    400: ("This is not a page", "Open the tab in Airflow's UI."),
    401: ("You are not signed in", "Sign in to Airflow, then open this tab again."),
    403: (
        "You may not see these XComs",
        "Your role in Airflow lacks the permission to read the XComs of this DAG.",
    ),
    500: ("The viewer failed", "This is a bug in the viewer: see the API server's log."),
}


@cache
def _templates() -> Environment:
    folder = Path(__file__).with_name("templates")
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    environment.filters.update(_FILTERS)
    environment.globals.update(_GLOBALS)
    return environment


def _visible(value: Any) -> Any:
    """Return what a page shows, with all escaped that would deceive who reads it.

    Those are control characters, and the ones that turn the direction of text: U+202E makes "5.1"
    of "1.5". Templates put `<bdi>` around values besides, for letters that have a direction.
    """
    if not isinstance(value, str) or isinstance(value, Markup) or value.isprintable():
        return value
    return "".join(
        character if _is_harmless(character) else character.encode("unicode_escape").decode()
        for character in value
    )


def _is_harmless(character: str) -> bool:
    is_layout = unicodedata.category(character) == "Zs" or character in "\n\t\u200c\u200d"
    return character.isprintable() or is_layout


def _link(page: str, asked: Any, **more: Any) -> str:
    """Return the relative address of a page."""
    query = {name: value for name, value in asked._asdict().items() if value not in (None, "")}
    query |= {name: value for name, value in more.items() if value is not None}
    return f"{page}?{urlencode(query)}"


def _airflow_page(owner: Any, tab: str = "plugin/xcom_values") -> str:
    """Return the relative address of Airflow's own page of a task instance, with our tab open."""
    dag, run, task = (quote(part, safe="") for part in (owner.dag_id, owner.run_id, owner.task_id))
    index = owner.map_index
    mapped = f"/mapped/{index}" if index is not None and index >= 0 else ""
    return f"../dags/{dag}/runs/{run}/tasks/{task}{mapped}/{tab}"


def _short_number(text: str) -> str:
    """Return seven digits of a number that has more behind its point."""
    return f"{float(text):.7g}" if re.fullmatch(r"-?\d+\.\d{5,}(e[+-]\d+)?", text) else text


def _breakable(name: str) -> Markup:
    """Return a name that may be broken after each underscore and before a capital, else nowhere."""
    words = re.split(r"(?<=_)|(?<=[a-z])(?=[A-Z])", _visible(name))
    return Markup("<wbr>").join(words)


_GLOBALS: dict[str, Any] = {
    "airflow_page": _airflow_page,
    "link": _link,
    "PAGE_LINES": overview.PAGE_LINES,
    "PAGE_ROWS": tables.PAGE_ROWS,
    "PAGE_COLUMNS": tables.PAGE_COLUMNS,
}
_FILTERS: dict[str, Callable[..., str]] = {
    "number": lambda value: f"{value:,}",
    "breakable": _breakable,
    "size": size_text,
    "short_number": _short_number,
    "moment": lambda value: value.strftime("%Y-%m-%d %H:%M:%S UTC"),
}
