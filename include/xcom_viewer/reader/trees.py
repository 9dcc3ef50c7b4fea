"""JSON documents of the backend (see `include/xcom_store/documents/`) as a tree, and as one line.

The value that a task would get is described, not made: a document may name classes, and none of
them is imported here.
"""

from __future__ import annotations

import datetime as dt
import json
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from include.xcom_store.documents import TAG, TAGS
from include.xcom_store.errors import ObjectCorrupt
from include.xcom_store.sizes import size_text
from include.xcom_viewer.shown.values import Node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from include.xcom_store.record import StoredObject

MAX_NODES = 1_500
"""Of one tree; a page with more is slow to read and to show."""
MAX_ITEMS = 200
"""Of one list or dict."""
MAX_DEPTH = 40
MAX_TEXT_CHARACTERS = 2_000
MAX_HINT_CHARACTERS = 80
MAX_SHOWN_BYTES = 32
OBJECTS = ("namedtuple", "dataclass", "attrs", "pydantic")
"""Written as their class and their fields."""
OPEN_DEPTH, OPEN_ITEMS = 2, 20
"""Levels that are unfolded at first, unless they have more items."""


class Tree:
    """Builds the nodes of one document, up to the limits."""

    def __init__(self, leaves: Sequence[StoredObject]) -> None:
        self._leaves = leaves
        self._left = MAX_NODES

    def node(self, value: Any, label: str = "", depth: int = 0) -> Node:
        """Return the node of a document."""
        self._left -= 1
        name, content = _tagged(value)
        if name == "leaf":
            [number] = content
            stored = self._leaves[number]
            return Node(label, stored.type, size_text(stored.bytes), leaf=number)
        pairs = _pairs(name, content, self._leaves)
        if pairs is None:
            return Node(label, name, _single(name, content, self._leaves))
        shown = pairs[:MAX_ITEMS] if depth < MAX_DEPTH else []
        node = Node(label, _kind(name, content), _count(name, len(pairs)))
        node.is_open = depth == 0 or (depth < OPEN_DEPTH and len(pairs) <= OPEN_ITEMS)
        node.hint = cut(_brief(value, self._leaves, depth=2), MAX_HINT_CHARACTERS)
        for key, item in shown:
            if self._left <= 0:
                break
            node.children.append(self.node(item, key, depth + 1))
        node.hidden = len(pairs) - len(node.children)
        return node


def tree(value: Any, leaves: Sequence[StoredObject] = ()) -> Node:
    """Return a document as a tree.

    Raises:
        ObjectCorrupt: it is not a document.
    """
    with _nothing_trusted():
        return Tree(leaves).node(value)


def paths_of_leaves(value: Any, leaves: Sequence[StoredObject]) -> dict[int, list[str]]:
    """Return the keys that lead to the leaves of a document; not of those that lie too deep.

    Raises:
        ObjectCorrupt: it is not a document.
    """
    found: dict[int, list[str]] = {}
    waiting: list[tuple[list[str], Any]] = [([], value)]
    with _nothing_trusted():
        while waiting:
            path, part = waiting.pop()
            name, content = _tagged(part)
            if name == "leaf":
                found[int(content[0])] = path
            elif len(path) < MAX_DEPTH:
                pairs = _pairs(name, content, leaves) or []
                waiting += [([*path, cut(key, MAX_HINT_CHARACTERS)], item) for key, item in pairs]
    return found


def brief(value: Any, *, bare: bool = False) -> str:
    """Return a document in one line, much as Python would print the value.

    Args:
        value: the document.
        bare: a text without quotes, where it stands alone.

    Raises:
        ObjectCorrupt: it is not a document.
    """
    with _nothing_trusted():
        return _brief(value, (), bare=bare)


@contextmanager
def _nothing_trusted() -> Iterator[None]:
    try:
        yield
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        SystemError,  # numpy's, of letters that Unicode has not
        TypeError,
        ValueError,
    ) as error:
        raise ObjectCorrupt(f"the document cannot be shown ({error!r}).") from error


def _tagged(value: Any) -> tuple[str, Any]:
    """Return the name of a document's type, and its content."""
    if isinstance(value, dict) and value.keys() == {TAG}:
        name, *content = value[TAG]
        return str(name), content
    return type(value).__name__, value


def _brief(
    value: Any, leaves: Sequence[StoredObject], *, bare: bool = False, depth: int = 0
) -> str:
    name, content = _tagged(value)
    if name == "leaf":
        return f"<{leaves[content[0]].type}>"
    pairs = _pairs(name, content, leaves)
    if pairs is None:
        text = _single(name, content, leaves)
        return json.dumps(text, ensure_ascii=False) if name == "str" and not bare else text
    if depth > 3 and pairs:
        return "…"
    items = []
    for key, item in pairs[:10]:
        text = _brief(item, leaves, depth=depth + 1)
        items.append(f"{key}: {text}" if name == "dict" or name in OBJECTS else text)
    items += ["…"] * (len(pairs) > 10)
    around = {"dict": "{}", "list": "[]", "tuple": "()", "set": "{}"}.get(name)
    kind = _kind(name, content)
    return f"{around[0]}{', '.join(items)}{around[1]}" if around else f"{kind}({', '.join(items)})"


def _kind(name: str, content: Any) -> str:
    """Return what a value is: of an object the name of its class, without the module."""
    if name not in OBJECTS:
        return name
    own = content[0][0] if isinstance(content[0], list) else content[0]  # of a generic
    return str(own).rpartition(".")[2]


def _pairs(name: str, content: Any, leaves: Sequence[StoredObject]) -> list[tuple[str, Any]] | None:
    """Return the items of what holds others, None for a single value."""
    if name == "dict" and isinstance(content, dict):
        return list(content.items())
    if name == "dict":
        return [(_brief(key, leaves), item) for key, item in content[0]]
    if name == "list":
        return [(str(position), item) for position, item in enumerate(content)]
    if name in ("tuple", "set", "frozenset"):
        return [(str(position), item) for position, item in enumerate(content[0])]
    if name in OBJECTS and isinstance(content[1], dict) and content[1].keys() != {TAG}:
        return list(content[1].items())
    return None


def _single(name: str, content: Any, leaves: Sequence[StoredObject]) -> str:
    if not isinstance(content, list):  # JSON's own
        return _cut(content) if isinstance(content, str) else str(content)
    if name in _WORDS:
        return _WORDS[name](*content)
    parts = [_brief(part, leaves, bare=True) for part in content if part is not None]
    return _cut(", ".join(parts)) or name.rpartition("_")[2]


def _bytes(text: str) -> str:
    data = TAGS["bytes"].read(text)
    more = "…" if len(data) > MAX_SHOWN_BYTES else ""
    return f"{size_text(len(data))}: {data[:MAX_SHOWN_BYTES].hex(' ')}{more}"


def _int(text: str) -> str:
    is_short = len(text) <= MAX_TEXT_CHARACTERS  # of thousands of digits Python writes none
    return str(TAGS["int"].read(text)) if is_short else _cut(text)


def _moment(text: str, _fold: int, zone: Any) -> str:
    return f"{text} {_brief(zone, (), bare=True)}" if zone else str(text)


def _zone(offset: Any, name: str = "") -> str:
    return str(name or dt.timezone(dt.timedelta(*_tagged(offset)[1])))


def _numpy(*content: Any) -> str:
    scalar = TAGS["numpy"].read(*content)
    return f"{scalar} ({scalar.dtype})"


def _count_of_units(kind: str, count: int, unit: Any, zone: Any, _fold: int = 0) -> str:
    import numpy as np

    named = _brief(zone, (), bare=True) if zone else ""
    shown = {"": "", "UTC": " UTC"}.get(named, f" UTC, shown in {named}")
    return f"{getattr(np, kind)(count, unit)}{shown}"


_WORDS: dict[str, Callable[..., str]] = {
    "bytes": _bytes,
    "bytearray": _bytes,
    "complex": lambda *parts: str(complex(*(float(_brief(part, ())) for part in parts))),
    "datetime": _moment,
    "enum": lambda member, value: f"{member.rpartition('.')[2]}.{value}",
    "int": _int,
    "numpy": _numpy,
    "pandas_timedelta": partial(_count_of_units, "timedelta64"),
    "pandas_timestamp": partial(_count_of_units, "datetime64"),
    "pendulum": _moment,
    "str": lambda text: _cut(TAGS["str"].read(text).encode(errors="replace").decode()),
    "time": _moment,
    "timedelta": lambda *parts: str(dt.timedelta(*parts)),
    "timezone": _zone,
}
"""Single values that are more than their parts."""


def _count(name: str, count: int) -> str:
    word = "key" if name == "dict" else "field" if name in OBJECTS else "item"
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def _cut(text: str) -> str:
    if len(text) <= MAX_TEXT_CHARACTERS:
        return text
    return f"{text[:MAX_TEXT_CHARACTERS]}… ({len(text):,} characters)"


def cut(text: str, limit: int) -> str:
    """Shorten a text to one of `limit` characters."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
