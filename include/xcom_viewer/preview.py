"""One XCom's value as what its card shows, by the codec that wrote it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from include.xcom_store import document, settings
from include.xcom_store.codecs import arrow, binary, ge_result, json_text, npy, polars_frame
from include.xcom_store.codecs import frames as frame_codec
from include.xcom_store.errors import ObjectCorrupt
from include.xcom_store.record import inline_text
from include.xcom_viewer import arrays, arrow_tables, bucket, documents, expectations, frames
from include.xcom_viewer.bucket import ObjectFile
from include.xcom_viewer.located import Located, locate, read_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from include.xcom_viewer.rows import Entry

MAX_TEXT = 100_000
"""Characters of a text that are shown."""
WHOLE = 1024 * 1024
"""Bytes up to which an object is read whole: one request, and its SHA-256 is compared."""
HEAD = 256
"""Bytes of bytes that are shown."""


@dataclass
class Body:
    """What a card shows.

    Attributes:
        kind: names the template.
        bytes_read: from S3.
        checked: whether size and SHA-256 of the whole object were compared.
        located: the object; None for a value of the database.
    """

    kind: str
    content: Any
    bytes_read: int = 0
    checked: bool = False
    located: Located | None = None

    @property
    def uri(self) -> str:
        """The object's, or nothing for a value of the database."""
        return f"s3://{settings.load().bucket}/{self.located.key}" if self.located else ""


@dataclass(frozen=True)
class Part:
    """Which part of a value is shown."""

    row: int = 0
    column: int = 0
    raw: bool = False


def preview(entry: Entry, leaf: int | None, part: Part) -> Body:
    """Return what the card of an XCom shows. Reads S3.

    Raises:
        XComStoreError, TooLarge, Busy: see `states`.
    """
    located = locate(entry, leaf)
    if located is None:
        return _of_json(_in_database(entry), part)
    body = _of_object(located, part)
    body.located = located
    return body


def _of_object(located: Located, part: Part) -> Body:
    if located.codec in (json_text.NAME, ge_result.NAME):
        body = _of_json(read_json(located), part)
        body.bytes_read, body.checked = located.bytes, True
        return body
    if located.codec == binary.NAME:
        data = bucket.connect().get_range(located.key, 0, min(HEAD, located.bytes), located.bytes)
        return Body("bytes", _hex_rows(data), len(data))
    if located.codec not in _PREVIEWS:
        raise ObjectCorrupt(f"it was written with codec {located.codec!r}, unknown here.")
    kind, read = _PREVIEWS[located.codec]
    source = ObjectFile(located.key, located.bytes)
    if whole := located.bytes <= WHOLE:
        source.read_whole(located.sha256)
    return Body(kind, read(source, part), source.bytes_read, whole)


_PREVIEWS: dict[str, tuple[str, Callable[[ObjectFile, Part], Any]]] = {
    frame_codec.NAME: ("table", lambda source, part: frames.preview(source, part.row, part.column)),
    arrow.NAME: ("table", lambda source, part: arrow_tables.preview(source, part.row, part.column)),
    polars_frame.NAME: (
        "table",
        lambda source, part: arrow_tables.preview(source, part.row, part.column),
    ),
    npy.NAME: ("array", lambda source, _part: arrays.preview(source)),
}


def _in_database(entry: Entry) -> Any:
    text = inline_text(entry.record) if entry.record is not None else None
    return entry.stored if text is None else document.load(text.encode())


def _of_json(content: Any, part: Part) -> Body:
    if part.raw:
        text = content if isinstance(content, str) else json.dumps(content, indent=2)
        return Body("raw", text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…")
    if verdict := expectations.read(content):
        return Body("expectations", verdict)
    if isinstance(content, str):
        return Body("text", {"text": content[:MAX_TEXT], "hidden": max(0, len(content) - MAX_TEXT)})
    try:
        return Body("tree", documents.tree(content))
    except (ValueError, TypeError, KeyError, IndexError, RecursionError) as error:
        raise ObjectCorrupt(f"the document cannot be shown ({error!r}).") from error


def _hex_rows(data: bytes) -> list[tuple[str, str, str]]:
    """Return offset, bytes and characters, 16 to a row."""
    rows = []
    for start in range(0, len(data), 16):
        part = data[start : start + 16]
        letters = "".join(chr(byte) if 32 <= byte < 127 else "·" for byte in part)
        rows.append((f"{start:04x}", part.hex(" "), letters))
    return rows
