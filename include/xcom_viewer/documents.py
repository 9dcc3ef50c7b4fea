"""JSON documents of the backend (see `include/xcom_store/document.py`) as a tree, and as one line.

What a task would get is described, not made: a document may name classes, and nothing of them is
imported here.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import Any

from include.xcom_store.document import TAG

MAX_NODES = 1_500
"""Of one tree; a page with more is slow to read and to show."""
MAX_ITEMS = 200
"""Of one list or dict."""
MAX_DEPTH = 40
MAX_TEXT = 2_000
"""Characters of one text."""
OPEN_DEPTH, OPEN_ITEMS = 2, 20
"""Levels that are unfolded at first, unless they have more items."""
MAX_HINT = 80


@dataclass
class Node:
    """One value in the tree.

    Attributes:
        label: its key or position in what holds it.
        kind: of the value, as Python names it.
        text: of a single value, or a short description of one that holds others.
        hint: what is in it, for as long as it is folded.
        leaf: number of the object that holds it, for frames, arrays and large bytes.
        hidden: how many of its items are not shown.
    """

    label: str
    kind: str
    text: str = ""
    hint: str = ""
    children: list[Node] = field(default_factory=list)
    leaf: int | None = None
    hidden: int = 0
    is_open: bool = False


class Tree:
    """Builds the nodes of one document, up to the limits."""

    def __init__(self) -> None:
        self._left = MAX_NODES

    def node(self, value: Any, label: str = "", depth: int = 0) -> Node:
        """Return the node of a document."""
        self._left -= 1
        name, content = tagged(value)
        if name == "leaf":
            number, note = content
            text = f"{note.get('bytes', 0):,} bytes"
            return Node(label, str(note.get("type", "object")), text, leaf=int(number))
        pairs = _pairs(name, content)
        if pairs is None:
            return Node(label, name, _single(name, content))
        shown = pairs[:MAX_ITEMS] if depth < MAX_DEPTH else []
        node = Node(label, name, _count(name, len(pairs)))
        node.is_open = depth == 0 or (depth < OPEN_DEPTH and len(pairs) <= OPEN_ITEMS)
        node.hint = cut(brief(value, depth=2), MAX_HINT)
        for key, item in shown:
            if self._left <= 0:
                break
            node.children.append(self.node(item, key, depth + 1))
        node.hidden = len(pairs) - len(node.children)
        return node


def tree(value: Any) -> Node:
    """Return a document as a tree.

    Raises:
        ValueError, TypeError, KeyError: it is not a document.
    """
    return Tree().node(value)


def tagged(value: Any) -> tuple[str, Any]:
    """Return the name of a document's type, and its content."""
    if isinstance(value, dict) and value.keys() == {TAG}:
        name, *content = value[TAG]
        return str(name), content
    return type(value).__name__, value


def brief(value: Any, *, bare: bool = False, depth: int = 0) -> str:
    """Return a document in one line, much as Python would print the value.

    Args:
        value: the document.
        bare: a text without quotes, where it stands alone.
        depth: how deep in another value it is.
    """
    name, content = tagged(value)
    if name == "leaf":
        return f"<{content[1].get('type', 'object')}>"
    pairs = _pairs(name, content)
    if pairs is None:
        text = _single(name, content)
        return json.dumps(text, ensure_ascii=False) if name == "str" and not bare else text
    if depth > 3 and pairs:
        return "…"
    items = [
        f"{key}: {brief(item, depth=depth + 1)}" if name == "dict" else brief(item, depth=depth + 1)
        for key, item in pairs[:10]
    ]
    items += ["…"] * (len(pairs) > 10)
    around = {"dict": "{}", "list": "[]", "tuple": "()", "set": "{}"}.get(name)
    return f"{around[0]}{', '.join(items)}{around[1]}" if around else f"{name}({', '.join(items)})"


def _pairs(name: str, content: Any) -> list[tuple[str, Any]] | None:
    """Return the items of what holds others, None for a single value."""
    if name == "dict" and isinstance(content, dict):
        return list(content.items())
    if name == "dict":
        return [(brief(key), item) for key, item in content[0]]
    if name == "list":
        return [(str(position), item) for position, item in enumerate(content)]
    if name in ("tuple", "set", "frozenset"):
        return [(str(position), item) for position, item in enumerate(content[0])]
    if name == "namedtuple":
        return [(str(position), item) for position, item in enumerate(content[1])]
    return None


def _single(name: str, content: Any) -> str:
    if name in ("str", "int", "float", "bool", "NoneType") and not isinstance(content, list):
        return _cut(content) if isinstance(content, str) else str(content)
    if name in ("bytes", "bytearray"):
        data = base64.b64decode(content[0])
        return f"{len(data):,} bytes: {data[:32].hex(' ')}{'…' if len(data) > 32 else ''}"
    if name == "str":
        return _cut(base64.b64decode(content[0]).decode("utf-16-le", "replace"))
    if name == "int":
        return str(int(content[0], 16))
    if name == "enum":
        return f"{content[0].rpartition('.')[2]}.{content[1]}"
    if name == "datetime":
        text, _fold, zone = content
        return f"{text} {brief(zone, bare=True)}" if zone else str(text)
    if name in ("timestamp", "pandas_timedelta"):
        return _moment(name, content)
    if name == "numpy":
        return _numpy_scalar(content)
    if name == "serde":
        return _cut(json.dumps(content[0], ensure_ascii=False))
    return _cut(", ".join(brief(part, bare=True) for part in content if part is not None))


def _moment(name: str, content: list[Any]) -> str:
    import numpy as np

    _, count, unit, *zone = content
    kind = np.datetime64 if name == "timestamp" else np.timedelta64
    named = f" UTC, shown in {brief(zone[0], bare=True)}" if zone and zone[0] else ""
    return f"{kind(count, unit)}{named}"


def _numpy_scalar(content: list[Any]) -> str:
    import numpy as np

    dtype, data = content
    kind = np.dtype(dtype)
    if kind.hasobject:
        raise ValueError("a numpy scalar of Python objects")
    return f"{np.ndarray((), kind, base64.b64decode(data))[()]} ({kind})"


def _count(name: str, count: int) -> str:
    word = "key" if name == "dict" else "item"
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}… ({len(text):,} characters)"


def cut(text: str, limit: int) -> str:
    """Shorten a text to one of `limit` characters."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
