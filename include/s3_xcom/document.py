"""Any nested Python value as JSON and back, exactly: type for type, or an error at push.

JSON's own values stand for themselves. Everything else is an object with the one key `$xcom`:

    {"$xcom": ["tuple", [1, 2]]}                    tuple, set, frozenset
    {"$xcom": ["dict", [[key, value], …]]}          a dict that JSON or Airflow would change
    {"$xcom": ["decimal", "1.50"]}                  a single value (see `scalars`)
    {"$xcom": ["leaf", 0, {…}]}                     a frame, table, array …: an object of its own
    {"$xcom": ["serde", {"__classname__": …}]}      what Airflow's serializer returns exactly

The last is how dataclasses, attrs classes, pydantic models and classes with `serialize` travel.
Airflow's serializer is not always exact (a nested dataclass comes back as a dict), so its result
is read back at push and compared; what differs is refused.
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any, cast

from include.s3_xcom.errors import ObjectCorrupt, S3XComError, ValueNotStorable
from include.s3_xcom.reference import MARK_FAMILY, MARK_KEY, is_record
from include.s3_xcom.scalars import SCALARS, find

if TYPE_CHECKING:
    from collections.abc import Callable

TAG = "$xcom"
# Keys that Airflow's deserializer, or this module, gives a meaning.
_RESERVED = {TAG, MARK_KEY, "__classname__", "__version__", "__data__", "__cache__"}
_RESERVED |= {"__type", "__source", "__var"}
_UNSAFE_TEXT = re.compile("[\0\ud800-\udfff]")
_COLLECTIONS: dict[str, Callable[[list[Any]], Any]] = {
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
}


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
            return self._write(value, "")
        except RecursionError as error:
            raise ValueNotStorable(
                "the value is nested too deeply, or contains itself. Flatten it."
            ) from error

    def _write(self, value: Any, where: str) -> Any:
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
            return [self._write(item, f"{where}[{i}]") for i, item in enumerate(value)]
        if kind is dict:
            return self._dict(value, where)
        return self._other(value, where)

    def _other(self, value: Any, where: str) -> Any:
        name = type(value).__name__
        if type(value).__module__ == "builtins" and name in _COLLECTIONS:
            return self._tag(name, [self._write(item, f"{where}[…]") for item in value])
        if self._leaf and (noted := self._leaf(value)):
            return self._tag("leaf", *noted)
        if scalar := find(value):
            return self._scalar(_NAMES[scalar.type_name], value, where)
        return self._tag("serde", exact_serde(value, where))

    def _dict(self, value: dict[Any, Any], where: str) -> Any:
        if is_record(value):
            raise ValueNotStorable(
                f"the dict at {where or 'the top'} has {MARK_KEY}={value[MARK_KEY]!r}, the mark of "
                "this backend's own database records. Rename that key."
            )
        if all(type(key) is str and key not in _RESERVED and _safe_key(key) for key in value):
            return {key: self._write(item, f"{where}[{key!r}]") for key, item in value.items()}
        pairs = [
            [self._write(key, f"{where} key {key!r}"), self._write(item, f"{where}[{key!r}]")]
            for key, item in value.items()
        ]
        return self._tag("dict", pairs)

    def _scalar(self, name: str, value: Any, where: str) -> Any:
        try:
            parts = SCALARS[name].write(value)
        except (AttributeError, ValueError, OverflowError) as error:
            raise ValueNotStorable(f"{_found(value, where)} cannot be written: {error}") from error
        return self._tag(name, *(self._write(part, where) for part in parts))

    def _tag(self, *content: Any) -> dict[str, list[Any]]:
        self.plain = False
        return {TAG: list(content)}


def read(document: Any, leaf: Callable[[list[Any]], Any] | None = None) -> Any:
    """Return the value of a document that `Writer` has written.

    Args:
        document: parsed JSON.
        leaf: called with what was noted for a leaf; returns its value.

    Raises:
        ObjectCorrupt: it is not a document, or of a newer version.
        ValueNotStorable: a class is not allowed by `[core] allowed_deserialization_classes`.
    """
    if type(document) is list:
        return [read(item, leaf) for item in document]
    if type(document) is not dict:
        return document
    if document.keys() != {TAG}:
        return {key: read(item, leaf) for key, item in document.items()}
    try:
        name, *content = document[TAG]
        if name == "leaf" and leaf:
            return leaf(content)
        if name == "serde":
            return _from_serde(content[0])
        content = [read(part, leaf) for part in content]
        if name == "dict":
            return dict(content[0])
        return (
            _COLLECTIONS[name](*content) if name in _COLLECTIONS else SCALARS[name].read(*content)
        )
    except S3XComError:
        raise
    except Exception as error:  # whatever a class makes of what it is given
        raise ObjectCorrupt(
            f"the stored document holds {str(document)[:80]}, which this version cannot read "
            f"({type(error).__name__}: {error})."
        ) from error


def exact_serde(value: Any, where: str = "") -> Any:
    """Return what Airflow's serializer makes of a value, if that comes back as the same value.

    Raises:
        ValueNotStorable: it cannot be serialized, not be read back, or comes back changed.
    """
    from airflow.sdk.serde import serialize

    try:
        node = json.loads(json.dumps(serialize(value), allow_nan=False))
    except (TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ValueNotStorable(
            f"{_found(value, where)} is of a type that neither this backend nor Airflow can store "
            f"({error}). Return a type they can (docs/types.md), or add a codec for it."
        ) from error
    if _carries_mark(node):
        raise ValueNotStorable(f"{_found(value, where)} carries this backend's own record mark.")
    try:
        back = _from_serde(node)
    except S3XComError:
        raise
    except Exception as error:  # whatever the class's own code raises
        raise ValueNotStorable(
            f"{_found(value, where)} is written by Airflow's serializer and not read back: "
            f"{error}. Convert it to what the next task needs, for example a dict, and return that."
        ) from error
    if not same(value, back):
        raise ValueNotStorable(
            f"{_found(value, where)} would come back from Airflow's serializer as something else. "
            "Convert it to what the next task needs, for example a dict or a list, and return that."
        )
    return node


def same(one: Any, other: Any) -> bool:
    """Tell whether two values are equal, type for type, also inside."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and math.isnan(one):
        return math.isnan(other)
    if isinstance(one, float):
        return repr(one) == repr(other)
    if hasattr(one, "__dict__"):  # dataclasses, attrs and pydantic objects: their fields
        return same(vars(one), vars(other))
    return bool(one == other)


def _from_serde(node: Any) -> Any:
    from airflow.sdk.serde import deserialize

    try:
        return deserialize(node)
    except ImportError as error:
        name = node.get("__classname__") if isinstance(node, dict) else node
        raise ValueNotStorable(
            f"Airflow may not read the class {name} back ({error}). If you trust it, set "
            f"AIRFLOW__CORE__ALLOWED_DESERIALIZATION_CLASSES='airflow.* {name}' (a list divided by "
            "blanks) for all components."
        ) from error


def _carries_mark(node: Any) -> bool:
    if isinstance(node, dict):
        mark = node.get(MARK_KEY)
        marked = isinstance(mark, str) and mark.startswith(MARK_FAMILY)
        return marked or any(map(_carries_mark, node.values()))
    return isinstance(node, list) and any(map(_carries_mark, node))


def _survives(number: float) -> bool:
    # PostgreSQL's jsonb turns 1e16 into an integer and drops the sign of zero.
    return abs(number) < 1e15 and (number != 0 or math.copysign(1, number) > 0)


def _safe_key(key: str) -> bool:
    return (key.isascii() and "\0" not in key) or not _UNSAFE_TEXT.search(key)


def _found(value: object, where: str) -> str:
    kind = type(value)
    return f"the {kind.__module__}.{kind.__qualname__} at {where or 'the top'}"


_NAMES = {row.type_name: name for name, row in SCALARS.items()}


def dump(document: Any) -> bytes:
    """Return a document as UTF-8 JSON."""
    return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def load(data: bytes | bytearray | memoryview) -> Any:
    """Parse UTF-8 JSON.

    Raises:
        ObjectCorrupt: it is not JSON, or nested beyond what Python parses.
    """
    try:
        return cast("Any", json.loads(bytes(data)))
    except (ValueError, RecursionError) as error:
        raise ObjectCorrupt(f"the object is not readable JSON ({error}).") from error
