"""Which object a page may read, and the JSON documents in which leaves are described.

A reference is followed as in a pull: to an object of exactly the task instance whose row it is, or
nowhere. The same goes for leaves and downloads, which all come through `locate`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from include.xcom_store import document, keys, settings
from include.xcom_store.errors import ObjectCorrupt, ObjectMissing
from include.xcom_store.record import Reference, check_format, inline_text
from include.xcom_viewer import bucket, documents
from include.xcom_viewer.bucket import BUDGET, TooLarge

if TYPE_CHECKING:
    from include.xcom_viewer.rows import Entry

MAX_JSON = 2 * 1024 * 1024
"""Bytes of JSON text that are parsed for a page: as Python objects they take ten times that."""


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


def locate(entry: Entry, leaf: int | None = None) -> Located | None:
    """Return the object of an XCom, or of a value inside of it; None if it is in the database.

    Raises:
        AccessDenied: the reference leads out of the task instance.
        ObjectCorrupt: the record is not of this backend.
        XComStoreError: for a leaf, whose description is in the object, S3 does not give it.
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
    note = _find_leaf(read_json(located), number)
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


def read_json(located: Located) -> Any:
    """Return the parsed JSON of a whole object, whose size and SHA-256 are compared.

    Raises:
        TooLarge: it is too large to be parsed for a page.
        XComStoreError: S3 does not give it, or it is not what was written.
    """
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
