"""Dataclasses (pydantic's, too) and attrs classes, field by field.

    [class, {"miles": 1.5, "tags": […]}]              the fields
    [class, {"miles": 1.5, "tags": […]}, {"note": …}] and what else lies in the object
    [class, {"miles": 1.5, "tags": […]}, "init"]      what is to be made anew from its fields

Reading calls no code of the class, neither `__init__` and converters nor `__setattr__` and
`__post_init__`: these have done their work before the push. The last form is for objects that hold,
beside their fields, what cannot be stored (a lock, a client): `__init__` makes that again, as it
does when Airflow's own backend reads such an object.
"""

from __future__ import annotations

import dataclasses
import enum
import logging
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, get_origin

from include.xcom_store.documents import permission
from include.xcom_store.documents.inexact import Unreadable
from include.xcom_store.documents.state import is_plain, is_same, put, restore, state
from include.xcom_store.documents.tags import full_name
from include.xcom_store.errors import ObjectCorrupt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

log = logging.getLogger(__name__)

_ALIAS = "__orig_class__"
"""Where `Trip[int](5)` keeps its `Trip[int]`."""
_MADE_ANEW = "init"


class Field(NamedTuple):
    """A field of a class."""

    parameter: str
    """Of `__init__`; empty for a field that it does not take."""
    default: Callable[[Any], Any] | None
    """Returns the default for an object."""


def is_dataclass(kind: Any) -> bool:
    return _has(kind, "__dataclass_fields__")


def is_attrs(kind: Any) -> bool:
    return _has(kind, "__attrs_attrs__")


def _has(kind: Any, fields: str) -> bool:
    origin = get_origin(kind) or kind
    return hasattr(origin, fields) and not isinstance(origin, enum.EnumMeta)


def write_fields(value: Any, inside: Any) -> list[Any]:
    """Return an object's class and fields as documents."""
    kind: Any = type(value)
    rest = state(value)
    declared = fields_of(kind)
    alias = rest.pop(_ALIAS, None)
    named = alias if permission.is_importable(alias) else kind
    taken = [name for name, field in declared.items() if field.parameter]
    check_set(value, taken)
    fields = inside.named({name: rest.pop(name) for name in taken if name in rest})
    before = inside.before()
    late = {name: inside.attempt(rest[name], ".{}", name) for name in declared if name in rest}
    if is_plain(kind) and all(late.values()):
        all_fields = {**fields, **{name: part[0] for name, part in late.items()}}
        beside = {name: part for name, part in rest.items() if name not in late}
        if not beside:
            return [inside.class_name(named), all_fields]
        if more := inside.attempt(beside):
            return [inside.class_name(named), all_fields, *more]
    inside.forget(before)
    return _write_made_anew(value, fields, rest, inside)


def _write_made_anew(
    value: Any, fields: dict[str, Any], rest: dict[str, Any], inside: Any
) -> list[Any]:
    kind: Any = type(value)
    try:
        back = _make_anew(kind, inside.read(fields))
    except Exception as error:  # whatever the class's own code raises
        what = f"it holds more than its fields, and cannot be made of them alone: {error}"
        raise Unreadable(what) from error
    new = state(back)
    if not (
        all(is_same(getattr(value, name), getattr(back, name, None)) for name in fields)
        and rest.keys() == new.keys() - fields.keys()
        and all(_is_made_anew(part, new[name], inside) for name, part in rest.items())
    ):
        inside.note("comes back as __init__ makes it of its fields, which is not the same")
    return [inside.class_name(kind), fields, _MADE_ANEW]


def _is_made_anew(old: Any, new: Any, inside: Any) -> bool:
    """Tell whether one is as good as the other: of what cannot be stored, another of its type."""
    return is_same(old, new) or (type(old) is type(new) and not inside.is_storable(old))


def _make_anew(kind: Any, fields: dict[str, Any]) -> Any:
    declared = fields_of(kind)
    check_names(kind, fields, [name for name, field in declared.items() if field.parameter])
    return kind(**{declared[name].parameter: value for name, value in fields.items()})


def read_fields(
    is_kind: Callable[[Any], bool], name: Any, fields: dict[str, Any], more: Any = None
) -> Any:
    """Return the object; `is_kind` tells whether a class is of the kind that was recorded."""
    found = permission.read_class(name, is_kind)
    kind = get_origin(found) or found
    if more == _MADE_ANEW:
        return _make_anew(kind, fields)
    declared = fields_of(kind)
    check_names(kind, fields, declared)
    alias = {} if found is kind else {_ALIAS: found}
    made = restore(kind, {**fields, **(more or {}), **alias})
    for missing in [field for field in declared if field not in fields]:
        _fill(made, missing, declared[missing])
    return made


def _fill(made: Any, name: str, field: Field) -> None:
    kind = type(made)
    if field.default and (field.parameter or not hasattr(made, name)):
        put(made, name, field.default(made))
        warn_filled(kind, name)
    elif field.parameter:
        raise needs(kind, name)


@lru_cache(maxsize=1024)
def fields_of(kind: Any) -> dict[str, Field]:
    """Return the fields of a dataclass or attrs class, by name."""
    if is_attrs(kind):
        return {
            field.name: Field(str(field.alias) if field.init else "", _attrs_default(field.default))
            for field in kind.__attrs_attrs__
        }
    return {
        field.name: Field(field.name if field.init else "", _dataclass_default(field))
        for field in dataclasses.fields(kind)
    }


def _dataclass_default(field: Any) -> Callable[[Any], Any] | None:
    if field.default_factory is not dataclasses.MISSING:
        return lambda _: field.default_factory()
    if field.default is dataclasses.MISSING:
        return None
    if hasattr(field.default, "get_default"):  # pydantic's Field(…)
        return lambda _: field.default.get_default(call_default_factory=True)
    return lambda _: field.default


def _attrs_default(default: Any) -> Callable[[Any], Any] | None:
    import attrs

    if default is attrs.NOTHING:
        return None
    if not isinstance(default, attrs.Factory):  # type: ignore[arg-type]
        return lambda _: default
    return default.factory if default.takes_self else lambda _: default.factory()


def check_set(value: Any, required: Iterable[str]) -> None:
    """Raise `TypeError` if an object lacks a field that reading it would ask for."""
    if missing := [name for name in required if not hasattr(value, name)]:
        raise TypeError(f"its field {missing[0]!r} was never set.")


def check_names(kind: type, stored: Iterable[str], known: Iterable[str]) -> None:
    """Raise `ObjectCorrupt` if a class does not have a field that is stored."""
    known = set(known)
    if gone := [name for name in stored if name not in known]:
        raise ObjectCorrupt(
            f"the class {full_name(kind)} has no field {gone[0]!r}, which this value was stored "
            "with. Put the field back, or run the task again that pushed it."
        )


def needs(kind: type, name: str) -> ObjectCorrupt:
    """Return the error for a new field without a default."""
    return ObjectCorrupt(
        f"the class {full_name(kind)} needs a field {name!r}, which this value was stored without. "
        "Give the field a default, or run the task again that pushed it."
    )


def warn_filled(kind: type, name: str) -> None:
    """Log that a new field got its default."""
    text = "An XCom's %s was stored without the field %r, which has its default now."
    log.warning(text, full_name(kind), name)
