"""Objects of classes: enums, named tuples, and whatever Airflow's serializer gives back exactly.

| object | written as |
|---|---|
| enum member | class and name |
| named tuple | class and fields, each a value of its own |
| dataclass, attrs, pydantic, class with `serialize` | what Airflow's serializer makes of it |

Reading one imports its class, so only classes that `[core] allowed_deserialization_classes` allows
are stored at all: what is pushed can be pulled. Airflow's serializer is not always exact (a nested
dataclass comes back as a dict), so its result is read back at push and compared.
"""

from __future__ import annotations

import enum
import importlib
import json
import re
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any

from include.xcom_store import scalars
from include.xcom_store.errors import XComStoreError, ValueNotStorable
from include.xcom_store.record import is_record

if TYPE_CHECKING:
    from collections.abc import Callable


def write(value: Any, where: str) -> tuple[str, list[Any]]:
    """Return the name of an object's tag, and what it holds.

    Raises:
        ValueNotStorable: it would not come back as it is, or its class is not allowed.
    """
    if isinstance(value, enum.Enum):
        name = _allowed_name(value, where)
        if type(value).__members__.get(value.name or "") is value:  # not a combination of flags
            return "enum", [name, value.name]
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        return "namedtuple", [_allowed_name(value, where), list(value)]
    return "serde", [exact_serde(value, where)]


def exact_serde(value: Any, where: str = "") -> Any:
    """Return what Airflow's serializer makes of a value, if that comes back as the same value.

    Raises:
        ValueNotStorable: it cannot be serialized, not be read back, or comes back changed.
    """
    from airflow.sdk.serde import serialize

    try:
        # To UTF-8 and back, as it will be stored: a lone surrogate does not survive that.
        text = json.dumps(serialize(value), allow_nan=False, ensure_ascii=False).encode()
        node = json.loads(text)
    except (TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ValueNotStorable(
            f"{found(value, where)} is of a type that neither this backend nor Airflow can store "
            f"({error}). Return a type they can (docs/types.md), or add a codec for it."
        ) from error
    if _carries_mark(node):
        raise ValueNotStorable(f"{found(value, where)} carries this backend's own record mark.")
    try:
        back = from_serde(node)
    except XComStoreError:
        raise
    except Exception as error:  # whatever the class's own code raises
        raise ValueNotStorable(
            f"{found(value, where)} is written by Airflow's serializer and not read back: "
            f"{error}. Convert it to what the next task needs, for example a dict, and return that."
        ) from error
    if not same(value, back):
        raise ValueNotStorable(
            f"{found(value, where)} would come back from Airflow's serializer as something else. "
            "Convert it to what the next task needs, for example a dict or a list, and return that."
        )
    return node


def same(one: Any, other: Any) -> bool:
    """Tell whether two values are equal, type for type, also inside."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return same(list(one), list(other)) and same(list(one.values()), list(other.values()))
    if isinstance(one, (set, frozenset)):
        return same(
            *(sorted(items, key=lambda item: f"{type(item)}{item}") for items in (one, other))
        )
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, (str, int, float)) or one is None:  # and the enums of these
        return repr(one) == repr(other)
    if scalar := scalars.find(one):  # == takes 1.50 for 1.5, and one fold for the other
        return all(map(same, scalar.write(one), scalar.write(other)))
    if isinstance(one, enum.Enum):
        return one is other
    if hasattr(one, "__dict__"):  # dataclasses, attrs and pydantic objects: their fields
        return same(vars(one), vars(other))
    try:
        return bool(one == other)
    except Exception:  # noqa: BLE001 - an == that does not answer, such as an array's
        return False


def from_serde(node: Any) -> Any:
    from airflow.sdk.serde import deserialize

    try:
        return deserialize(node)
    except ImportError as error:
        name = node.get("__classname__") if isinstance(node, dict) else node
        raise _not_allowed(name) from error


def _carries_mark(node: Any) -> bool:
    if isinstance(node, dict):
        return is_record(node) or any(map(_carries_mark, node.values()))
    return isinstance(node, list) and any(map(_carries_mark, node))


def found(value: object, where: str) -> str:
    """Name a value and where it is, for a message."""
    kind = type(value)
    return f"the {kind.__module__}.{kind.__qualname__} at {where or 'the top'}"


def _allowed_name(value: Any, where: str) -> str:
    kind = type(value)
    name = f"{kind.__module__}.{kind.__qualname__}"
    if _import(name) is not kind:
        raise ValueNotStorable(
            f"{found(value, where)} is of a class that cannot be imported by that name. Define it "
            "at the top of a module."
        )
    return name


def _import(name: str) -> Any:
    from airflow.sdk.configuration import conf

    globs = conf.get("core", "allowed_deserialization_classes").split()
    patterns = conf.get("core", "allowed_deserialization_classes_regexp").split()
    if not (
        any(fnmatch(name, glob) for glob in globs)
        or any(re.fullmatch(pattern, name) for pattern in patterns)
    ):
        raise _not_allowed(name)
    module, _, kind = name.rpartition(".")
    try:
        return getattr(importlib.import_module(module), kind, None)
    except ImportError:
        return None


def _not_allowed(name: object) -> ValueNotStorable:
    return ValueNotStorable(
        f"Airflow may not read objects of the class {name} back. If you trust it, set "
        f"AIRFLOW__CORE__ALLOWED_DESERIALIZATION_CLASSES='airflow.* {name}' (a list divided by "
        "blanks) for all components."
    )


def _read_enum(name: str, member: str) -> Any:
    return _import(name).__members__[member]


def _read_namedtuple(name: str, fields: list[Any]) -> Any:
    return _import(name)._make(fields)


READERS: dict[str, Callable[..., Any]] = {"enum": _read_enum, "namedtuple": _read_namedtuple}
"""By tag; the tag `serde` holds no values of ours and goes to `from_serde`."""
