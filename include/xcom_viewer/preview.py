"""One XCom's value as what its card shows, by the codec that wrote it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from include.xcom_store import documents
from include.xcom_store.codecs import arrow, binary, ge_result, json_text, npy, polars_frame
from include.xcom_store.codecs import frames as frame_codec
from include.xcom_store.record import inline_text
from include.xcom_viewer import arrays, arrow_tables, expectations, frames, objects, trees
from include.xcom_viewer.source import NoPreview, Source

if TYPE_CHECKING:
    from collections.abc import Callable

    from include.xcom_store.record import StoredObject
    from include.xcom_store.stores.base import Store
    from include.xcom_viewer.entries import Entry

MAX_TEXT_CHARACTERS = 100_000
"""Of a text, or of raw JSON."""
WHOLE_BYTES = 1024 * 1024
"""Objects up to this size are read whole: one request, and their SHA-256 is checked."""
HEAD_BYTES = 256
"""Of a value of bytes, what is shown."""


@dataclass
class Body:
    """What a card shows.

    Attributes:
        kind: names the template.
        bytes_read: from the store.
        checked: whether size and SHA-256 of the whole object were checked.
        stored: the object; None for a value of the database.
    """

    kind: str
    content: Any
    bytes_read: int = 0
    checked: bool = False
    stored: StoredObject | None = None


@dataclass(frozen=True)
class Window:
    """Which part of a value is shown: from which row and column on, or its JSON as it is."""

    row: int = 0
    column: int = 0
    raw: bool = False


def of_database(entry: Entry, window: Window) -> Body:
    """Return what the card of a value in the database shows.

    Raises:
        ObjectCorrupt: it is not what this backend wrote.
    """
    if entry.record is None:
        return _of_json(entry.stored, window)
    return _of_json(documents.load(inline_text(entry.record).encode()), window)


def of_object(store: Store, stored: StoredObject, window: Window) -> Body:
    """Return what the card of a value in the store shows. Reads the store.

    Args:
        store: where the object is.
        stored: the object, as `objects.locate` returned it.
        window: which part of it.

    Raises:
        XComStoreError, TooLarge, NoPreview: see `states`.
    """
    body = _of_codec(store, stored, window)
    body.stored = stored
    return body


def _of_codec(store: Store, stored: StoredObject, window: Window) -> Body:
    if stored.codec in (json_text.NAME, ge_result.NAME):
        body = _of_json(objects.read_json(store, stored), window)
        body.bytes_read, body.checked = stored.bytes, True
        return body
    source = Source(store, stored)
    if stored.codec == binary.NAME:
        data = source.read(0, min(HEAD_BYTES, source.size))
        return Body("bytes", _hex_rows(data), source.bytes_read)
    if stored.codec not in _PREVIEWS:
        raise NoPreview(f"it was written with codec {stored.codec!r}")
    kind, read = _PREVIEWS[stored.codec]
    if whole := source.size <= WHOLE_BYTES:
        source.read_whole()
    return Body(kind, read(source, window), source.bytes_read, whole)


def _of_arrow(source: Source, window: Window) -> Any:
    return arrow_tables.preview(source, window.row, window.column)


_PREVIEWS: dict[str, tuple[str, Callable[[Source, Window], Any]]] = {
    frame_codec.NAME: ("table", lambda source, at: frames.preview(source, at.row, at.column)),
    arrow.NAME: ("table", _of_arrow),
    polars_frame.NAME: ("table", _of_arrow),
    npy.NAME: ("array", lambda source, _at: arrays.preview(source)),
}


def _of_json(content: Any, window: Window) -> Body:
    most = MAX_TEXT_CHARACTERS
    if window.raw:
        text = content if isinstance(content, str) else json.dumps(content, indent=2)
        return Body("raw", text if len(text) <= most else f"{text[:most]}…")
    if isinstance(content, str):
        return Body("text", {"text": content[:most], "hidden": max(0, len(content) - most)})
    if verdict := expectations.read(content):
        return Body("expectations", verdict)
    leaves, document = objects.split_leaves(content)
    return Body("tree", trees.tree(document, leaves))


def _hex_rows(data: bytes) -> list[tuple[str, str, str]]:
    """Return offset, bytes and characters, 16 to a row."""
    rows = []
    for start in range(0, len(data), 16):
        part = data[start : start + 16]
        letters = "".join(chr(byte) if 32 <= byte < 127 else "·" for byte in part)
        rows.append((f"{start:04x}", part.hex(" "), letters))
    return rows
