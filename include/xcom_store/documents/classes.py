"""The tags of objects of classes, each kind with its writer and its reader.

| object | written as |
|---|---|
| object with `serialize` and `deserialize` | class, version, and what `serialize` returns |
| enum member, combined flags | class and name, or class and number |
| named tuple | class and fields |
| dataclass, attrs object | class and fields; see `fields` |
| pydantic model, URL, secret, time zone | see `models` |
| defaultdict | its factory: a class that may be read, or a type of Python's; pairs |
| Delta and Iceberg table | what Airflow's serializer makes of it |

Every part is a document of its own. See `permission` for which classes may be read, and `inexact`
for objects that are none of these.
"""

from __future__ import annotations

import enum
import json
from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING, Any

from include.xcom_store.documents import fields, inexact, models, permission
from include.xcom_store.documents.state import is_same
from include.xcom_store.documents.tags import Tag, full_name, write_pairs
from include.xcom_store.errors import ObjectCorrupt

if TYPE_CHECKING:
    from collections.abc import Callable

_BASES = (dict, list, str, int, float)  # subclasses of these are such values to Airflow
_TABLES = ("deltalake.table.DeltaTable", "pyiceberg.table.Table")


def _is_own(kind: Any) -> bool:
    return all(callable(getattr(kind, name, None)) for name in ("serialize", "deserialize"))


def _is_object(test: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Return the test of a value for a test of its class."""

    def is_of_kind(value: Any) -> bool:
        kind = type(value)
        return test(kind) and not isinstance(value, _BASES) and permission.is_importable(kind)

    return is_of_kind


def _write_own(value: Any, inside: Any) -> list[Any]:
    version = getattr(value, "__version__", 0)
    data = inside(value.serialize())
    try:
        if not is_same(value, type(value).deserialize(inside.read(data), version)):
            inside.note("comes back as its own deserialize makes it, which is not the same")
    except Exception as error:  # noqa: BLE001 - whatever the class's own code raises
        inside.note(f"cannot be read back: its own deserialize fails here ({error})")
    return [inside.class_name(type(value)), version, data]


def _read_own(name: Any, version: Any, data: Any) -> Any:
    return permission.read_class(name, _is_own).deserialize(data, version)


def _is_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, enum.Enum)


def _is_member(value: Any) -> bool:
    if not isinstance(value, enum.Enum) or not permission.is_importable(type(value)):
        return False
    # Airflow gives back the value of a member that is a text or number, and asks nobody.
    return not isinstance(value, (str, int, float)) or _may_be_read(value)


def _may_be_read(value: Any) -> bool:
    return not permission.missing_permission(full_name(type(value)))


def _write_member(value: Any, inside: Any) -> list[Any]:
    name = inside.class_name(type(value))
    if value.name and type(value).__members__.get(value.name) is value:
        return [name, value.name]
    if isinstance(value, enum.Flag):  # a combination has no name that its class knows
        return [name, int(value.value)]
    raise TypeError("it is no member of its class.")


def _read_member(name: Any, member: Any) -> Any:
    kind = permission.read_class(name, _is_enum)
    if type(member) is int and issubclass(kind, enum.Flag):
        return kind(member)
    if member not in kind.__members__:
        raise ObjectCorrupt(f"{name} has no member {member!r}, which this value was stored with.")
    return kind.__members__[member]


def _is_tuple_class(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields")


def _is_named_tuple(value: Any) -> bool:
    is_one = inexact.is_named_tuple(value) and permission.is_importable(type(value))
    return is_one and _may_be_read(value)  # else a tuple, as Airflow always gives it back


def _write_tuple(value: Any, inside: Any) -> list[Any]:
    if getattr(value, "__dict__", None):
        raise TypeError("it has attributes beside its fields. Make them fields.")
    parts = zip(type(value)._fields, value, strict=True)
    return [inside.class_name(type(value)), inside.named(dict(parts))]


def _read_tuple(name: Any, parts: dict[str, Any]) -> Any:
    kind = permission.read_class(name, _is_tuple_class)
    fields.check_names(kind, parts, kind._fields)
    for missing in [field for field in kind._fields if field not in parts]:
        if missing not in kind._field_defaults:
            raise fields.needs(kind, missing)
        parts[missing] = kind._field_defaults[missing]
        fields.warn_filled(kind, missing)
    return tuple.__new__(kind, [parts[field] for field in kind._fields])


_FACTORIES = {kind.__name__: kind for kind in (list, dict, set, tuple, str, int, float, bool)}


def _write_defaultdict(value: defaultdict[Any, Any], inside: Any) -> list[Any]:
    factory: Any = value.default_factory
    name = None if factory is None else getattr(factory, "__name__", "")
    if _FACTORIES.get(name or "") is not factory:
        name = full_name(factory) if permission.is_importable(factory) else ""
        if not name or permission.missing_permission(name):
            known = ", ".join(_FACTORIES)
            raise ValueError(f"its default_factory is {factory!r}, not {known} or a class allowed")
    return [name, *write_pairs(value, inside)]


def _read_defaultdict(name: str | None, pairs: list[Any]) -> Any:
    if name is None or "." not in name:
        return defaultdict(None if name is None else _FACTORIES[name], pairs)
    return defaultdict(permission.read_class(name, lambda kind: isinstance(kind, type)), pairs)


def _write_table(value: Any, inside: Any) -> list[Any]:
    text = inexact.airflow_text(value)
    node = json.loads(text)
    try:
        inexact.from_airflow(text)
    except inexact.Unreadable as error:  # now, it may be later
        inside.note(f"cannot be read back: {error}")
    return [node["__classname__"], node["__version__"], inside(node["__data__"])]


def _read_table(name: str, version: int, data: Any) -> Any:
    from airflow.sdk.serde import deserialize

    if name not in _TABLES:
        raise ObjectCorrupt(f"{name!r} is not a class that is stored so.")
    return deserialize({"__classname__": name, "__version__": version, "__data__": data})


TAGS = (
    Tag("airflow", lambda v: full_name(type(v)) in _TABLES, _write_table, _read_table),
    Tag("pydantic_secret", models.is_secret, models.write_mask, models.read_mask),
    Tag("pydantic_url", models.is_url, models.write_url, models.read_url),
    Tag(
        "pydantic_zone",
        "pydantic_core._pydantic_core.TzInfo",
        models.write_zone,
        models.read_zone,
    ),
    Tag("defaultdict", defaultdict, _write_defaultdict, _read_defaultdict),
    Tag("enum", _is_member, _write_member, _read_member),
    Tag("namedtuple", _is_named_tuple, _write_tuple, _read_tuple),
    Tag(
        "pydantic",
        lambda value: models.is_model(value) and permission.is_importable(type(value)),
        models.write_model,
        models.read_model,
    ),
    Tag("serialize", _is_object(_is_own), _write_own, _read_own),
    Tag(
        "dataclass",
        _is_object(fields.is_dataclass),
        fields.write_fields,
        partial(fields.read_fields, fields.is_dataclass),
    ),
    Tag(
        "attrs",
        _is_object(fields.is_attrs),
        fields.write_fields,
        partial(fields.read_fields, fields.is_attrs),
    ),
    Tag("unreadable", lambda _: False, lambda *_: [], inexact.unreadable),
)
