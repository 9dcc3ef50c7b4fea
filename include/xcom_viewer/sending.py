"""The page that sends files: an object as it is, as CSV, or as an image, to a few at once."""

from collections.abc import AsyncIterator, Iterator
from functools import partial
from types import GeneratorType

from fastapi import HTTPException, Request
from fastapi.responses import Response

from include.xcom_store.codecs import binary
from include.xcom_store.record import StoredObject
from include.xcom_store.stores.base import Store
from include.xcom_viewer import downloads, images, objects
from include.xcom_viewer.answers import failed, file, image
from include.xcom_viewer.asked import Allowed, Number, entry_of
from include.xcom_viewer.source import REFUSED, Source
from include.xcom_viewer.work import Busy, Pool

MAX_DOWNLOADS = 4
"""At once."""
PIECE_SECONDS = 60.0
"""For one piece of a download."""
_NO_FILE = "There is no such file for this value."


async def download(request: Request, asked: Allowed, leaf: Number | None = None) -> Response:
    """Send the object of an XCom as a file, or as CSV."""
    entry = await entry_of(asked)
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
