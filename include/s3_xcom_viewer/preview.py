"""One XCom as what its card shows: where its value lies, and the value, by the codec that wrote it.

A reference is followed as in a pull: to an object of exactly the task instance whose row it is, or
nowhere. The same goes for leaves and downloads, which all come through `locate`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from include.s3_xcom import document, keys, settings
from include.s3_xcom.codecs import arrow, binary, frame, ge_result, json_text, npy, polars_frame
from include.s3_xcom.errors import ObjectCorrupt, ObjectMissing
from include.s3_xcom.reference import Reference, check_format, inline_text
from include.s3_xcom_viewer import arrays, arrow_tables, bucket, documents, expectations, frames
from include.s3_xcom_viewer.bucket import BUDGET, ObjectFile, TooLarge

if TYPE_CHECKING:
    from collections.abc import Callable

    from include.s3_xcom_viewer.rows import Entry

MAX_JSON = 2 * 1024 * 1024
"""Bytes of JSON text that are parsed for a page: as Python objects they take ten times that."""
MAX_TEXT = 100_000
"""Characters of a text that are shown."""
WHOLE = 1024 * 1024
"""Bytes up to which an object is read whole: one request, and its SHA-256 is compared."""
HEAD = 256
"""Bytes of bytes that are shown."""


@dataclass(frozen=True)
class Located:
    """An object that may be read for a page.

    Attributes:
        key: in the bucket.
        codec: that wrote it.
        checked: its size and SHA-256, as they were noted when it was written.
    """

    key: str
    codec: str
    type: str
    bytes: int
    sha256: str

    @property
    def file_name(self) -> str:
        """The object's name, without the directories."""
        return self.key.rpartition("/")[2]


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


def locate(entry: Entry, leaf: int | None = None) -> Located | None:
    """Return the object of an XCom, or of a value inside of it; None if it is in the database.

    Raises:
        AccessDenied: the reference leads out of the task instance.
        ObjectCorrupt: the record is not of this backend.
        S3XComError: for a leaf, whose description is in the object, S3 does not give it.
        TooLarge: for a leaf, that object cannot be read here.
    """
    record = entry.record
    if record is None:
        return None
    check_format(record)
    if inline_text(record) is not None:
        return None
    options = settings.load()
    reference = Reference.from_record(record)
    key = reference.locate(options.bucket, options.prefix, entry.owner)
    located = Located(key, reference.codec, reference.type, reference.bytes, reference.sha256)
    return located if leaf is None else _leaf(located, leaf)


def _leaf(located: Located, number: int) -> Located:
    """Return a leaf of a document; its key is made here, under the document's own."""
    note = _find_leaf(_read_json(located), number)
    wrong = [name for name, form in _LEAF.items() if not re.fullmatch(form, str(note.get(name)))]
    if wrong:
        raise ObjectCorrupt(f"the value's part {number} has no usable {', '.join(wrong)}.")
    key = f"{keys.stem(located.key)}/{number}.{note['extension']}"
    return Located(key, note["codec"], note["type"], int(note["bytes"]), note["sha256"])


_LEAF = {
    "extension": r"[a-z0-9]{1,8}(\.[a-z0-9]{1,8})?",
    "codec": r"\w+",
    "type": r"[\w.]+",
    "bytes": r"[1-9][0-9]{0,15}",
    "sha256": r"[0-9a-f]{64}",
}


def _find_leaf(content: Any, number: int) -> dict[str, Any]:
    waiting = [content]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            name, noted = documents.tagged(value)
            if name == "leaf" and isinstance(noted, list) and len(noted) == 2:
                if noted[0] == number and isinstance(noted[1], dict):
                    return noted[1]
                continue
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    raise ObjectMissing(f"this value has no part {number}.")


def preview(entry: Entry, leaf: int | None, part: Part) -> Body:
    """Return what the card of an XCom shows. Reads S3.

    Raises:
        S3XComError, TooLarge, Busy: see `states`.
    """
    located = locate(entry, leaf)
    if located is None:
        return _of_json(_in_database(entry), part)
    body = _of_object(located, part)
    body.located = located
    return body


def _of_object(located: Located, part: Part) -> Body:
    if located.codec in (json_text.NAME, ge_result.NAME):
        body = _of_json(_read_json(located), part)
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
    frame.NAME: ("table", lambda source, part: frames.preview(source, part.row, part.column)),
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


def _read_json(located: Located) -> Any:
    if located.bytes > BUDGET:
        raise TooLarge
    data = bucket.connect().get(located.key, located.bytes, located.sha256)
    return document.load(_unpack(data))


def _unpack(data: bytes | bytearray) -> bytes | bytearray:
    """Return JSON text, decompressed if need be, unless it is too large to parse here."""
    if data[:4] == b"\x28\xb5\x2f\xfd":
        import pyarrow as pa

        try:
            with pa.CompressedInputStream(pa.BufferReader(data), "zstd") as stream:
                data = stream.read(MAX_JSON + 1)
        except pa.ArrowException as error:
            raise ObjectCorrupt(f"the JSON cannot be decompressed ({error}).") from error
    if len(data) > MAX_JSON:
        raise TooLarge
    return data


def _of_json(content: Any, part: Part) -> Body:
    if part.raw:
        text = document.dump(content).decode() if not isinstance(content, str) else content
        return Body("raw", _pretty(content) if len(text) <= MAX_TEXT else text[:MAX_TEXT] + "…")
    if verdict := expectations.read(content):
        return Body("expectations", verdict)
    if isinstance(content, str):
        return Body("text", {"text": content[:MAX_TEXT], "hidden": max(0, len(content) - MAX_TEXT)})
    try:
        return Body("tree", documents.tree(content))
    except (ValueError, TypeError, KeyError, IndexError, RecursionError) as error:
        raise ObjectCorrupt(f"the document cannot be shown ({error!r}).") from error


def _pretty(content: Any) -> str:
    import json

    return json.dumps(content, ensure_ascii=False, indent=2)


def _hex_rows(data: bytes) -> list[tuple[str, str, str]]:
    """Return offset, bytes and characters, 16 to a row."""
    rows = []
    for start in range(0, len(data), 16):
        part = data[start : start + 16]
        letters = "".join(chr(byte) if 32 <= byte < 127 else "·" for byte in part)
        rows.append((f"{start:04x}", part.hex(" "), letters))
    return rows
