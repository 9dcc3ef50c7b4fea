"""Any nested Python value as JSON and back, exactly: type for type, or an error at push.

JSON's own values stand for themselves. Everything else is an object with the one key `$xcom`, whose
value is the name of a tag (see `tags`, `libraries`, `objects`) and what it holds:

    {"$xcom": ["tuple", [1, 2]]}
    {"$xcom": ["decimal", "1.50"]}
    {"$xcom": ["leaf", 0]}                a frame, table, array …: an object of its own, and at the
    {"$xcom": ["leaves", [{…}], …]}       top of such a document, what and where its leaves are
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from include.xcom_store.documents.plain import TAG, is_safe, not_kept, room_left
from include.xcom_store.documents.reader import TAGS, read
from include.xcom_store.documents.stack import MAX_DEPTH, ROOM
from include.xcom_store.documents.writer import Writer
from include.xcom_store.errors import ObjectCorrupt

if TYPE_CHECKING:
    from mmap import mmap

__all__ = [
    "MAX_DEPTH",
    "TAG",
    "TAGS",
    "Writer",
    "dump",
    "is_safe",
    "load",
    "not_kept",
    "read",
    "room_left",
    "split_leaves",
    "with_leaves",
]

_ENCODE = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), check_circular=False
).encode


def with_leaves(document: Any, leaves: list[dict[str, Any]]) -> Any:
    """Return a document together with what and where its leaves are."""
    return {TAG: ["leaves", leaves, document]}


def split_leaves(document: Any) -> tuple[list[Any], Any]:
    """Return the leaves (none for a document without) and the document of `with_leaves`."""
    match document:
        case {"$xcom": ["leaves", [*leaves], content]} if len(document) == 1:
            return leaves, content
    return [], document


def dump(document: Any) -> bytes:
    """Return a document as UTF-8 JSON."""
    with ROOM:
        return _ENCODE(document).encode()


def load(data: str | bytes | bytearray | memoryview | mmap) -> Any:
    """Parse UTF-8 JSON; raises `ObjectCorrupt` for what is none, or nested too deeply."""
    try:
        with ROOM:
            return json.loads(data if isinstance(data, str) else bytes(data))
    except (ValueError, RecursionError) as error:
        raise ObjectCorrupt(f"the object is not readable JSON ({error}).") from error
