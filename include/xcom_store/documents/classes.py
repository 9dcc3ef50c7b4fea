"""The tags of objects of classes: enums, named tuples, and what Airflow's serializer gives back.

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
import fnmatch
import importlib
import json
import re
from contextlib import suppress
from typing import Any

from include.xcom_store.documents import libraries, tags
from include.xcom_store.documents.tags import Tag, full_name
from include.xcom_store.errors import ValueNotStorable, XComStoreError
from include.xcom_store.record import is_record


def exact_serde(value: Any) -> Any:
    """Return what Airflow's serializer makes of a value, if that comes back as the same value.

    Raises:
        TypeError: it cannot be serialized or read back, or comes back changed.
        ValueNotStorable: Airflow may not read the class back.
    """
    from airflow.sdk.serde import serialize

    advice = "Convert it to what the next task needs, for example a dict, and return that."
    try:
        # To UTF-8 and back, as it will be stored: a lone surrogate does not survive that.
        text = json.dumps(serialize(value), allow_nan=False, ensure_ascii=False).encode()
        node = json.loads(text)
    except (TypeError, ValueError, AttributeError, RecursionError) as error:
        raise TypeError(
            f"neither this backend nor Airflow can store its type ({error}). Return a type they "
            "can (docs/types.md), or add a codec."
        ) from error
    if _carries_mark(node):
        raise TypeError("it carries this backend's own record mark.")
    try:
        back = _from_serde(node)
    except XComStoreError:
        raise
    except Exception as error:  # whatever the class's own code raises
        what = f"Airflow's serializer writes it and cannot read it back: {error}. {advice}"
        raise TypeError(what) from error
    if not _same(value, back):
        raise TypeError(f"it would come back from Airflow's serializer as something else. {advice}")
    return node


def _same(one: Any, other: Any) -> bool:
    """Tell whether two values are equal, type for type, also inside."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return _same([*one.items()], [*other.items()])
    if isinstance(one, (set, frozenset)):
        return _same(*(sorted(s, key=lambda item: f"{type(item)}{item}") for s in (one, other)))
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, (str, int, float)) or one is None:  # and the enums of these
        return repr(one) == repr(other)
    if tag := _EXACT.get(full_name(type(one))):  # == takes 1.50 for 1.5, and one fold for the other
        return _same(*(tag.write(value, lambda part: part) for value in (one, other)))
    if isinstance(one, enum.Enum):
        return one is other
    if hasattr(one, "__dict__"):  # dataclasses, attrs and pydantic objects: their fields
        return _same(vars(one), vars(other))
    try:
        return bool(one == other)
    except Exception:  # noqa: BLE001 - an == that does not answer, such as an array's
        return False


def _from_serde(node: Any) -> Any:
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


def _allowed_name(value: Any) -> str:
    name = full_name(type(value))
    with suppress(ImportError, AttributeError):
        if _import(name) is type(value):
            return name
    raise TypeError("its class cannot be imported by that name. Define it at a module's top.")


def _import(name: str) -> Any:
    from airflow.sdk.configuration import conf

    globs = conf.get("core", "allowed_deserialization_classes").split()
    patterns = conf.get("core", "allowed_deserialization_classes_regexp").split()
    patterns += map(fnmatch.translate, globs)
    if not any(re.fullmatch(pattern, name) for pattern in patterns):
        raise _not_allowed(name)
    module, _, kind = name.rpartition(".")
    return getattr(importlib.import_module(module), kind)


def _not_allowed(name: object) -> ValueNotStorable:
    return ValueNotStorable(
        f"Airflow may not read objects of the class {name} back. If you trust it, set "
        f"AIRFLOW__CORE__ALLOWED_DESERIALIZATION_CLASSES='airflow.* {name}' (a list divided by "
        "blanks) for all components."
    )


def _is_member(value: object) -> bool:
    # Not a combination of flags, which has no name of its own.
    return isinstance(value, enum.Enum) and type(value).__members__.get(value.name or "") is value


_EXACT = tags.by_type((*tags.TAGS, *libraries.TAGS))
TAGS = (
    Tag(
        "enum",
        _is_member,
        lambda value, _: [_allowed_name(value), value.name],
        lambda name, member: _import(name).__members__[member],
    ),
    Tag(
        "namedtuple",
        lambda value: isinstance(value, tuple) and hasattr(value, "_fields"),
        lambda value, write: [_allowed_name(value), write(list(value))],
        lambda name, fields: _import(name)._make(fields),
    ),
    Tag(
        "serde",  # takes everything; written as text, in which nothing is a tag of ours
        lambda _: True,
        lambda value, _: [json.dumps(exact_serde(value), ensure_ascii=False)],
        lambda text: _from_serde(json.loads(text)),
    ),
)
