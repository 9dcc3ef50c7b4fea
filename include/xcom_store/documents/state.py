"""What an object consists of, and whether two are the same by that, not by their `==`.

An object is what lies in its `__dict__` and its slots. Values of `cached_property` are left out: a
class computes them again.
"""

from __future__ import annotations

import enum
from functools import cached_property, lru_cache
from types import MemberDescriptorType
from typing import Any

from include.xcom_store.documents import libraries, tags

_HEAP_TYPE = 1 << 9
"""Of `type.__flags__`: made by a class statement."""
_HASH = "_attrs_cached_hash"
"""Hashes differ from process to process; attrs computes one again that is None."""
_find = tags.finder(tag for tag in (*tags.TAGS, *libraries.TAGS) if tag.check in ("", tags.REFUSE))
"""Finds the tags whose parts are all of a value."""


@lru_cache(maxsize=1024)
def slots(kind: Any) -> dict[str, MemberDescriptorType]:
    """Return the descriptors of a class's slots by their names, but for those of cached values."""
    found: dict[str, MemberDescriptorType] = {}
    for base in reversed(kind.__mro__):
        own = {k: v for k, v in vars(base).items() if isinstance(v, MemberDescriptorType)}
        if "__attrs_attrs__" in vars(base):  # attrs keeps a cached property in a slot
            fields = {field.name for field in vars(base)["__attrs_attrs__"]} | {_HASH}
            own = {name: slot for name, slot in own.items() if name in fields}
        found |= own
    return found


@lru_cache(maxsize=1024)
def has_only_state(kind: Any) -> bool:
    """Tell whether `state` is all there is: no base is a builtin with more, as an exception is."""
    return all(base.__flags__ & _HEAP_TYPE for base in kind.__mro__[:-1])


def state(value: Any) -> dict[str, Any]:
    """Return what lies in an object's `__dict__` and slots, by name."""
    kind: Any = type(value)
    own = getattr(value, "__dict__", {})
    found = {name: part for name, part in own.items() if not _is_cached(kind, name)}
    for name, slot in slots(kind).items():
        try:
            found[name] = slot.__get__(value)
        except AttributeError:  # never set
            continue
    if _HASH in found:
        found[_HASH] = None
    return found


def _is_cached(kind: Any, name: str) -> bool:
    found = next((vars(base)[name] for base in kind.__mro__ if name in vars(base)), None)
    return isinstance(getattr(found, "wrapped", found), cached_property)  # pydantic wraps it


def put(made: Any, parts: dict[str, Any]) -> Any:
    """Set parts of an object's state, past any code of its class; return the object."""
    kind: Any = type(made)
    places = slots(kind)
    for name, part in parts.items():
        if slot := places.get(name):
            slot.__set__(made, part)
        else:
            made.__dict__[name] = part
    return made


def is_same(one: Any, other: Any) -> bool:
    """Tell whether two values are the same, type for type and state for state, also inside."""
    try:
        return _same(one, other)
    except Exception:  # noqa: BLE001 - an == that does not answer; or no end of it
        return False


def _same(one: Any, other: Any) -> bool:
    kind: Any = type(one)
    by_state = has_only_state(kind)
    if one is other or kind is not type(other) or isinstance(one, enum.Enum):
        return one is other
    if kind is float or kind is int or kind is str:
        return repr(one) == repr(other)
    if kind is set or kind is frozenset:
        return _same(*(sorted(s, key=lambda i: f"{type(i)}{i!r}") for s in (one, other)))
    if kind is not tuple and (tag := _find(one)):  # == takes 1.50 for 1.5, and one fold for another
        return _same(*(tuple(tag.take(value)) for value in (one, other)))
    parts: Any = []
    if isinstance(one, (list, tuple)):
        parts = [*zip(one, other, strict=True)]
    elif isinstance(one, dict):
        parts = [*zip(one.items(), other.items(), strict=True)]
    elif not by_state and not bool(one == other):
        return False
    own, others = state(one), state(other)
    parts += [(part, others[name]) for name, part in own.items()]
    return len(own) == len(others) and all(_same(a, b) for a, b in parts)
