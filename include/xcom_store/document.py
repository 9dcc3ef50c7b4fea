"""Any nested Python value as JSON and back, exactly: type for type, or an error at push.

JSON's own values stand for themselves. Everything else is an object with the one key `$xcom`:

    {"$xcom": ["tuple", [1, 2]]}                    tuple, set, frozenset
    {"$xcom": ["dict", [[key, value], …]]}          a dict that JSON or Airflow would change
    {"$xcom": ["decimal", "1.50"]}                  a single value (see `scalars`)
    {"$xcom": ["leaf", 0, {…}]}                     a frame, table, array …: an object of its own
    {"$xcom": ["enum", "module.Color", "RED"]}      an object of a class (see `classes`)
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any, cast

from include.xcom_store import classes
from include.xcom_store.errors import ObjectCorrupt, XComStoreError, ValueNotStorable
from include.xcom_store.record import MARK_KEY, is_record
from include.xcom_store.scalars import SCALARS, find

if TYPE_CHECKING:
    from collections.abc import Callable

TAG = "$xcom"
# Keys that Airflow's deserializer, or this module, gives a meaning.
_RESERVED = {TAG, MARK_KEY, "__classname__", "__version__", "__data__", "__cache__"}
_RESERVED |= {"__type", "__source", "__var"}
_ENCODE = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), check_circular=False
).encode
_UNSAFE_TEXT = re.compile("[\0\ud800-\udfff]")
_COLLECTIONS: dict[str, Callable[[list[Any]], Any]] = {
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
}


_Place = tuple[Any, str, Any] | None
"""Of a value inside another: where that is, and how to name the last step."""


class Writer:
    """Turns one value into a document.

    Args:
        leaf: called with each value inside that may be an object of its own; returns what to note
            in the document, or None for a value that is not one.
    """

    def __init__(self, leaf: Callable[[Any], list[Any] | None] | None = None) -> None:
        self._leaf = leaf
        self.plain = True
        """No tag was needed: Airflow's own JSON path gives the value back as it is."""

    def write(self, value: Any) -> Any:
        """Return the document.

        Raises:
            ValueNotStorable: names where in the value what was found, and what to do.
        """
        try:
            return self._write(value, None)
        except RecursionError as error:
            raise ValueNotStorable(
                "the value is nested too deeply, or contains itself. Flatten it."
            ) from error

    def _write(self, value: Any, where: _Place) -> Any:
        kind = type(value)
        if value is None or kind is bool:
            return value
        if kind is str:
            safe = (value.isascii() and "\0" not in value) or not _UNSAFE_TEXT.search(value)
            return value if safe else self._scalar("str", value, where)
        if kind is int:
            return value if -(2**63) <= value < 2**63 else self._scalar("int", value, where)
        if kind is float:
            return value if _survives(value) else self._scalar("float", value, where)
        if kind is list:
            return [self._write(item, (where, "[{}]", i)) for i, item in enumerate(value)]
        if kind is dict:
            return self._dict(value, where)
        return self._other(value, where)

    def _other(self, value: Any, where: _Place) -> Any:
        name = type(value).__name__
        if type(value).__module__ == "builtins" and name in _COLLECTIONS:
            return self._tag(name, [self._write(item, (where, "[…]", None)) for item in value])
        if self._leaf and (noted := self._leaf(value)):
            return self._tag("leaf", *noted)
        if scalar := find(value):
            return self._scalar(_NAMES[scalar.type_name], value, where)
        name, parts = classes.write(value, _text(where))
        return self._tag(name, *(parts if name == "serde" else self._write(parts, where)))

    def _dict(self, value: dict[Any, Any], where: _Place) -> Any:
        if is_record(value):
            raise ValueNotStorable(
                f"the dict at {_text(where) or 'the top'} has {MARK_KEY}={value[MARK_KEY]!r}, the "
                "mark of this backend's own database records. Rename that key."
            )
        for key in value:
            if type(key) is not str or key in _RESERVED or not _safe_key(key):
                break
        else:
            return {key: self._write(item, (where, "[{!r}]", key)) for key, item in value.items()}
        pairs = [
            [self._write(key, (where, " key {!r}", key)), self._write(item, (where, "[{!r}]", key))]
            for key, item in value.items()
        ]
        return self._tag("dict", pairs)

    def _scalar(self, name: str, value: Any, where: _Place) -> Any:
        try:
            parts = SCALARS[name].write(value)
        except (AttributeError, ValueError, OverflowError) as error:
            raise ValueNotStorable(
                f"{classes.found(value, _text(where))} cannot be written: {error}"
            ) from error
        return self._tag(name, *(self._write(part, where) for part in parts))

    def _tag(self, *content: Any) -> dict[str, list[Any]]:
        self.plain = False
        return {TAG: list(content)}


def _text(where: _Place) -> str:
    """Return a place as text, for a message; most values need none."""
    if where is None:
        return ""
    parent, template, step = where
    return _text(parent) + template.format(step)


def read(document: Any, leaf: Callable[[list[Any]], Any] | None = None) -> Any:
    """Return the value of a document that `Writer` has written.

    Args:
        document: parsed JSON.
        leaf: called with what was noted for a leaf; returns its value.

    Raises:
        ObjectCorrupt: it is not a document, or of a newer version.
        ValueNotStorable: a class is not allowed by `[core] allowed_deserialization_classes`.
    """
    try:
        return _read(document, leaf)
    except RecursionError as error:
        raise ObjectCorrupt(
            "the stored document is nested more deeply than can be read."
        ) from error


def _read(document: Any, leaf: Callable[[list[Any]], Any] | None) -> Any:
    if type(document) is list:
        return [_read(item, leaf) for item in document]
    if type(document) is not dict:
        return document
    if document.keys() != {TAG}:
        return {key: _read(item, leaf) for key, item in document.items()}
    try:
        name, *content = document[TAG]
        if name == "leaf" and leaf:
            return leaf(content)
        if name == "serde":
            return classes.from_serde(content[0])
        content = [_read(part, leaf) for part in content]
        if name in classes.READERS:
            return classes.READERS[name](*content)
        if name == "dict":
            return dict(content[0])
        return (
            _COLLECTIONS[name](*content) if name in _COLLECTIONS else SCALARS[name].read(*content)
        )
    except XComStoreError:
        raise
    except Exception as error:  # whatever a class makes of what it is given
        raise ObjectCorrupt(
            f"the stored document holds {str(document)[:80]}, which this version cannot read "
            f"({type(error).__name__}: {error})."
        ) from error


def fits_database(node: Any) -> bool:
    """Tell whether JSON keeps all its strings and numbers on the way into the database and back."""
    if isinstance(node, dict):
        return all(map(_safe_key, node)) and all(map(fits_database, node.values()))
    if isinstance(node, list):
        return all(map(fits_database, node))
    if isinstance(node, float):
        return _survives(node)
    if isinstance(node, str):
        return _safe_key(node)
    return node is None or -(2**63) <= node < 2**63


def _survives(number: float) -> bool:
    # PostgreSQL's jsonb turns 1e16 into an integer and drops the sign of zero.
    return abs(number) < 1e15 and (number != 0 or math.copysign(1, number) > 0)


def _safe_key(key: str) -> bool:
    return (key.isascii() and "\0" not in key) or not _UNSAFE_TEXT.search(key)


_NAMES = {row.type_name: name for name, row in SCALARS.items()}


def dump(document: Any) -> bytes:
    """Return a document as UTF-8 JSON."""
    return _ENCODE(document).encode()


def load(data: bytes | bytearray | memoryview) -> Any:
    """Parse UTF-8 JSON.

    Raises:
        ObjectCorrupt: it is not JSON, or nested beyond what Python parses.
    """
    try:
        return cast("Any", json.loads(bytes(data)))
    except (ValueError, RecursionError) as error:
        raise ObjectCorrupt(f"the object is not readable JSON ({error}).") from error
