"""JSON that stands for itself in a document: what every database and file keeps as it is."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from include.xcom_store.record import MARK_KEY, is_record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TAG = "$xcom"
# Keys that Airflow's deserializer, or this module, gives a meaning.
RESERVED = {TAG, MARK_KEY, "__classname__", "__version__", "__data__", "__cache__"}
RESERVED |= {"__type", "__source", "__var"}
_UNSAFE_TEXT = re.compile("[\0\ud800-\udfff]")


def is_safe(text: str) -> bool:
    """Tell whether every database and file keeps a text as it is."""
    return (text.isascii() and "\0" not in text) or not _UNSAFE_TEXT.search(text)


def _survives(number: float) -> bool:
    # PostgreSQL's jsonb turns 1e16 into an integer and drops the sign of zero.
    return abs(number) < 1e15 and (number != 0 or math.copysign(1, number) > 0)


KEPT: dict[type, Callable[[Any], bool]] = {
    str: is_safe,
    int: lambda number: -(2**63) <= number < 2**63,
    float: _survives,
    bool: lambda _: True,
    type(None): lambda _: True,
}
"""The scalars of JSON, and whether it and every database keep this one as it is."""


def is_name(key: Any) -> bool:
    """Tell whether a key of a dict stands for itself."""
    return type(key) is str and key not in RESERVED and is_safe(key)


def room_left(value: Any, room: int) -> int:
    """Return what a plain value's JSON surely leaves of some bytes; less than 0 for any other."""
    kind = type(value)
    if kind in KEPT:
        most = 6 * len(value) + 3 if kind is str else 25  # an escaped character takes six
        return room - most if KEPT[kind](value) else -1
    room -= 12  # more than 1,024 / 100: no value this small is nested too deeply
    if kind is list:
        for item in value:
            if (room := room_left(item, room)) < 0:
                return room
        return room
    if kind is dict:
        for key, item in value.items():
            if not is_name(key) or (room := room_left(item, room - 6 * len(key) - 4)) < 0:
                return -1
        return room
    return -1


def not_kept(node: Any) -> Iterator[Any]:
    """Yield what of JSON not every database keeps as it is, or a pull would take for a record."""
    if is_record(node):
        yield node
    if type(node) is dict or type(node) is list:
        for part in (*node, *node.values()) if type(node) is dict else node:
            yield from not_kept(part)
    elif not KEPT[type(node)](node):
        yield node
