"""Objects of classes, each kind with what it is made of and how it is made again.

| object | written as |
|---|---|
| enum member, combined flags | class, and name or number |
| named tuple, dataclass, attrs object, pydantic model | class, fields, and what else is in it |
| model with a field of another type | class, and what `model_dump` makes of it, as Airflow does |
| object with `serialize` and `deserialize` | class, version, and what `serialize` returns |
| defaultdict of a class | the class, and pairs |
| Delta and Iceberg table | what Airflow's serializer makes of it |

    [class, {"miles": 1.5}]                           the fields
    [class, {"miles": 1.5}, {"note": …}]              and what else lies in the object
    [class, {"miles": 1.5}, {…}, "init"]              and what cannot be stored: a lock, a client

Reading calls no code of the class, neither `__init__` and converters nor `__setattr__`,
`__post_init__` and validators: these have done their work before the push. Only in the last form
the class makes the object of its fields first, as it does when Airflow's own backend reads it; what
is stored is put into that. See `permission` for which classes may be read.
"""

from __future__ import annotations

import dataclasses
import enum
import logging
from collections import defaultdict
from functools import lru_cache, partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple, get_origin

from include.xcom_store.documents import inexact, permission
from include.xcom_store.documents.state import has_only_state, is_same, put, state
from include.xcom_store.documents.tags import MAY_FAIL, Tag, full_name
from include.xcom_store.errors import ObjectCorrupt

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

_BASES = (dict, list, str, int, float)  # subclasses of these are such values to Airflow
_TABLES = ("deltalake.table.DeltaTable", "pyiceberg.table.Table")
_ALIAS = "__orig_class__"
"""Where `Trip[int](5)` keeps its `Trip[int]`."""
_SET, _EXTRA, _PRIVATE = (
    "__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__"
)  # fmt: skip
_BY_CLASS, _DUMPED = "init", "model_dump"


class Field(NamedTuple):
    """A field of a class, or a private attribute of a pydantic model."""

    parameter: str
    """Of `__init__`; empty for a field that it does not take."""
    default: Callable[[dict[str, Any]], Any] | None
    """Returns the default, for an object of these fields."""


def is_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, enum.Enum)


def is_tuple(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields")


def is_model(kind: Any) -> bool:
    return _has(kind, "__pydantic_fields__") and hasattr(kind, "model_dump")


def is_own(kind: Any) -> bool:
    return all(callable(getattr(kind, name, None)) for name in ("serialize", "deserialize"))


def _has(kind: Any, fields: str) -> bool:
    return hasattr(get_origin(kind) or kind, fields) and not is_enum(kind)


is_dataclass = partial(_has, fields="__dataclass_fields__")
is_attrs = partial(_has, fields="__attrs_attrs__")


@lru_cache(maxsize=1024)
def fields_of(kind: Any) -> dict[str, Field]:
    """Return the fields of a class, by name."""
    if is_model(kind):
        fields = kind.__pydantic_fields__.items()
        return {
            **{name: Field(name, _default_of_model(field)) for name, field in fields},
            **dict.fromkeys(kind.__private_attributes__, Field("", None)),
        }
    if is_attrs(kind):
        return {
            field.name: Field(str(field.alias) if field.init else "", _default_of_attrs(field))
            for field in kind.__attrs_attrs__
        }
    if is_dataclass(kind):
        return {
            field.name: Field(field.name if field.init else "", _default_of_dataclass(field))
            for field in dataclasses.fields(kind)
        }
    defaults = kind._field_defaults
    return {name: Field(name, _always(defaults, name)) for name in kind._fields}


def _always(defaults: dict[str, Any], name: str) -> Any:
    return (lambda _: defaults[name]) if name in defaults else None


def _default_of_model(field: Any) -> Any:
    if field.is_required():
        return None
    return lambda known: field.get_default(call_default_factory=True, validated_data=known)


def _default_of_attrs(field: Any) -> Any:
    import attrs

    default = field.default
    if default is attrs.NOTHING:
        return None
    if not isinstance(default, attrs.Factory):  # type: ignore[arg-type]
        return lambda _: default
    if default.takes_self:
        return lambda known: default.factory(SimpleNamespace(**known))
    return lambda _: default.factory()


def _default_of_dataclass(field: Any) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return lambda _: field.default_factory()
    if field.default is dataclasses.MISSING or not field.init:  # which lies in the class
        return None
    if hasattr(field.default, "get_default"):  # pydantic's Field(…)
        return lambda _: field.default.get_default(call_default_factory=True)
    return lambda _: field.default


def _parts(value: Any) -> dict[str, Any]:
    """Return what an object is made of, by name."""
    kind: Any = type(value)
    if isinstance(value, tuple):
        return {**dict(zip(kind._fields, value, strict=True)), **state(value)}
    parts = state(value)
    if is_model(kind):
        parts |= parts.pop(_PRIVATE, None) or {}
        parts[_SET] = sorted(parts[_SET])
        if parts[_EXTRA] is None:
            del parts[_EXTRA]
    return parts


def _write_fields(value: Any, writer: Any) -> list[Any]:
    kind: Any = type(value)
    parts, declared = _parts(value), fields_of(kind)
    needed = [name for name, field in declared.items() if field.parameter]
    needed += [name for name in (_EXTRA, _SET) if name in parts]
    if unset := [name for name in needed if name not in parts]:
        raise TypeError(f"its field {unset[0]!r} was never set.")
    alias = parts.pop(_ALIAS, None)
    fields: dict[str, Any] = {}
    beside: dict[str, Any] = {}
    unstorable = []
    for name, part in parts.items():
        write = writer.attempt
        if name in needed:
            write = writer.copied if dataclasses.is_dataclass(kind) else writer.named
        if document := write(name, part):
            (fields if name in declared else beside)[name] = document[0]
        else:
            unstorable.append(name)
    named = alias if permission.is_importable(alias) else kind
    if alias and named is kind:
        writer.note(value, f"comes back without its type arguments, {alias}")
    found = [writer.class_name(value, named), fields, beside]
    if unstorable or not (has_only_state(kind) or is_tuple(kind)):
        found.append(_BY_CLASS)
        _check_made(value, found, writer, unstorable)
    return found[:2] if len(found) == 3 and not beside else found


def _check_made(value: Any, documents: list[Any], writer: Any, unstorable: list[str]) -> None:
    try:
        back = read_fields(type(value), *writer.read_back(documents[1:]))
    except Exception as error:  # whatever the class's own code raises
        what = f"it holds more than its fields, and cannot be made of them alone: {error}"
        raise inexact.Unreadable(what) from error
    old, new = _parts(value), _parts(back)
    for name in unstorable:
        kind: Any = type(old[name])
        if kind.__eq__ is object.__eq__:  # another lock, another client is as good
            old[name], new[name] = kind, type(new.get(name))
    old["args"], new["args"] = (getattr(one, "args", None) for one in (value, back))  # exceptions'
    if not is_same(sorted(old.items()), sorted(new.items())):
        writer.note(value, "comes back as __init__ makes it of its fields, which is not the same")


def read_fields(kind: Any, fields: dict[str, Any], beside: Any = None, how: str = "") -> Any:
    """Return an object of a class."""
    origin = get_origin(kind) or kind
    if how == _DUMPED:
        return put(origin.model_validate(fields), {_SET: set(beside)})
    parts = _complete(origin, fields) | (beside or {})
    if origin is not kind:
        parts[_ALIAS] = kind
    if is_tuple(origin):
        return put(tuple.__new__(origin, [parts.pop(name) for name in origin._fields]), parts)
    if is_model(origin):
        return _made_model(origin, parts, how)
    if how == _BY_CLASS:
        declared = fields_of(origin)
        taken = {field.parameter: name for name, field in declared.items() if field.parameter}
        return put(origin(**{parameter: parts[name] for parameter, name in taken.items()}), parts)
    return put(object.__new__(origin), parts)


def _made_model(kind: Any, parts: dict[str, Any], how: str) -> Any:
    names = kind.__private_attributes__
    private = {name: parts.pop(name) for name in names if name in parts}
    made = object.__new__(kind)
    put(made, {_PRIVATE: None, _EXTRA: None, **parts, _SET: set(parts[_SET])})
    if how == _BY_CLASS:
        made.model_post_init(None)
        private = {**(made.__pydantic_private__ or {}), **private}
    return put(made, {_PRIVATE: private if names else None})


def _complete(kind: Any, stored: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that a class has now, of those that an object was stored with."""
    declared, name = fields_of(kind), full_name(kind)
    if declared.keys() == stored.keys():
        return stored
    if gone := [field for field in stored if field not in declared]:
        raise ObjectCorrupt(
            f"the class {name} has no field {gone[0]!r}, which this value was stored with. Put the "
            "field back, or rerun the task that pushed it."
        )
    for new in [field for field in declared if field not in stored]:
        parameter, default = declared[new]
        if default:
            stored[new] = default(stored)
            said = "An XCom's %s was stored without the field %r, which has its default now."
            log.warning(said, name, new)
        elif parameter:
            raise ObjectCorrupt(
                f"the class {name} needs a field {new!r}, which this value was stored without. "
                "Give the field a default, or rerun the task that pushed it."
            )
    return stored


def _write_model(value: Any, writer: Any) -> list[Any]:
    """Return a model's class and fields as documents, or its dump where only that is exact.

    That is so for models inside whose classes are not allowed: the outer model knows them.
    """
    before, documents, error = writer.mark(), [], None
    try:
        documents = _write_fields(value, writer)
        if not writer.is_noted(before) or permission.missing(documents[0]):
            return documents
    except (RecursionError, inexact.Refused):
        raise
    except Exception as raised:  # noqa: BLE001 - raised again where Airflow does not take it, either
        error = raised
    try:
        dumped, same = _dump(value, writer)
    except Exception as other:  # noqa: BLE001 - the same
        if error:  # it says what is wrong
            raise (other if isinstance(other, inexact.Unreadable) else error) from None
        return documents
    if documents and not same:
        return documents
    writer.forget(before)
    if not same:
        writer.note(value, "comes back as its model_validate makes it of its model_dump")
    return [writer.class_name(value), *dumped, _DUMPED]


def _dump(value: Any, writer: Any) -> tuple[list[Any], bool]:
    """Return what Airflow's serializer makes of a model, and whether it comes back the same."""
    names = sorted(value.model_fields_set)
    for skip in (True, False):  # in models inside of it, all that is dumped counts as set
        document = writer.part(value.model_dump(mode="json", exclude_unset=skip, warnings=False))
        try:
            back = read_fields(type(value), writer.read_back(document), names, _DUMPED)
        except Exception as error:
            if skip:
                continue
            what = f"it is refused by its own model_validate: {error}"
            raise inexact.Unreadable(what) from error
        if is_same(value, back):
            return [document, names], True
    return [document, names], False


def _write_own(value: Any, writer: Any) -> list[Any]:
    version = getattr(value, "__version__", 0)
    return [writer.class_name(value), version, writer.part(value.serialize())]


def _read_own(kind: Any, version: Any, data: Any) -> Any:
    return kind.deserialize(data, version)


def _write_member(value: Any, writer: Any) -> list[Any]:
    name = writer.class_name(value)
    if value.name and type(value).__members__.get(value.name) is value:
        return [name, value.name]
    if isinstance(value, enum.Flag):  # a combination has no name that its class knows
        return [name, int(value.value)]
    raise TypeError("it is no member of its class.")


def _read_member(kind: Any, member: Any) -> Any:
    if type(member) is int and issubclass(kind, enum.Flag):
        return kind(member)
    if member not in kind.__members__:
        raise ObjectCorrupt(f"{kind} has no member {member!r}, which this value was stored with.")
    return kind.__members__[member]


def _parts_of_table(value: Any) -> list[Any]:
    from airflow.sdk.serde import serialize

    node: Any = serialize(value)
    return [node["__classname__"], node["__version__"], node["__data__"]]


def _read_table(name: str, version: int, data: Any) -> Any:
    from airflow.sdk.serde import deserialize

    if name not in _TABLES:
        raise ObjectCorrupt(f"{name!r} is not a class that is stored so.")
    return deserialize({"__classname__": name, "__version__": version, "__data__": data})


def _may_be_read(kind: Any) -> bool:
    return permission.is_importable(kind) and not permission.missing(full_name(kind))


def _object(name: str, is_kind: Any, write: Any = _write_fields, read: Any = read_fields) -> Tag:
    """Return the tag of a kind of class."""

    def is_one(value: Any) -> bool:
        kind = type(value)
        if not (is_kind(kind) and permission.is_importable(kind)):
            return False
        # Of a named tuple, and of an enum's text or number, Airflow gives back the plain value,
        # and asks nobody.
        if is_tuple(kind) or (is_enum(kind) and isinstance(value, _BASES)):
            return _may_be_read(kind)
        return not isinstance(value, _BASES)

    check = "comes back as its own deserialize makes it, which is not the same"
    return Tag(name, is_one, write, read, check if is_kind is is_own else "", is_kind)


TAGS = (
    *(Tag("airflow", name, _parts_of_table, _read_table, MAY_FAIL) for name in _TABLES),
    _object("enum", is_enum, _write_member, _read_member),
    _object("namedtuple", is_tuple),
    _object("pydantic", is_model, _write_model),
    _object("serialize", is_own, _write_own, _read_own),
    _object("dataclass", is_dataclass),
    _object("attrs", is_attrs),
    Tag(
        "defaultdict_of",
        lambda v: type(v) is defaultdict and _may_be_read(v.default_factory),
        lambda v, writer: [writer.class_name(v, v.default_factory), writer.pairs(v.items())],
        defaultdict,
        is_kind=lambda kind: isinstance(kind, type),
    ),
    Tag("unreadable", lambda _: False, lambda _: [], inexact.unreadable),
)
