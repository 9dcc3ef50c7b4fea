"""What a tag is, and the tags of Python's own values that JSON lacks.

| value | written as |
|---|---|
| NaN, ±Infinity, complex             | `repr` (a NaN's payload bits are not kept) |
| int beyond 64 bits                  | hexadecimal text |
| str with NUL or lone surrogates     | Base64 of UTF-8  |
| tuple, set, frozenset               | their items |
| dict with other keys than plain str | pairs |
| bytes, bytearray                    | Base64 |
| date, time, datetime                | ISO 8601, fold, and the time zone as a value of its own |
| timedelta                           | days, seconds, microseconds |
| timezone, ZoneInfo                  | offset or name |
| Decimal, UUID, paths, IP addresses  | text |
| OrderedDict, Counter                | pairs |
| deque                               | its items and its maximal length |
| MappingProxyType, SimpleNamespace   | the dict inside |
| range, slice, Fraction              | their parts |
| array.array                         | type code, size of an item, Base64 of the bytes |
| Ellipsis                            | nothing |

Only exact types are taken: a subclass would come back as its base. To add a type, add a row here,
or in `data` or `libraries`; the round-trip table in the tests wants one line as well.
"""

from __future__ import annotations

import array
import base64
import datetime as dt
import ipaddress
import pathlib
import sys
import uuid
import zoneinfo
from collections import Counter, OrderedDict, deque
from decimal import Decimal
from fractions import Fraction
from functools import partial
from types import EllipsisType, MappingProxyType, SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Write = Any
"""`write(part, template, step)` returns a part of a value as a document; the place of the part is
named by `template.format(step)`, for messages, where it is not that of the whole."""
KEY = " key {!r}"
"""The template of a dict's keys."""


class Tag(NamedTuple):
    """How one kind of value is written and read."""

    name: str
    """Stored, for ever."""
    of: type | str | Callable[[Any], bool]
    """The exact type; its full name if it is a library's; or a test of a value."""
    write: Callable[[Any, Write], list[Any]]
    """Returns documents, in no more than two lists within each other. What it raises refuses the
    value, and says why."""
    read: Callable[..., Any]
    """Called with what `write` returned, each part read."""


def full_name(kind: type) -> str:
    """Return the name by which a class can be imported."""
    return f"{kind.__module__}.{kind.__qualname__}"


def by_type(table: Iterable[Tag]) -> dict[str, Tag]:
    """Return the tags for one exact type, by its full name."""
    named = ((full_name(tag.of) if isinstance(tag.of, type) else tag.of, tag) for tag in table)
    return {name: tag for name, tag in named if isinstance(name, str)}


def b64(data: bytes | bytearray) -> str:
    return base64.b64encode(data).decode("ascii")


def unb64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _write_items(value: Any, write: Write) -> list[Any]:
    return [[write(item, "[{}]", number) for number, item in enumerate(value)]]


def write_pairs(value: dict[Any, Any], write: Write) -> list[Any]:
    if getattr(value, "__dict__", None):  # an OrderedDict or a Counter may have some
        raise ValueError(f"its attributes {[*vars(value)]} would be lost. Return them beside it.")
    return [[[write(k, KEY, k), write(v, "[{!r}]", k)] for k, v in value.items()]]


def _write_deque(value: deque[Any], write: Write) -> list[Any]:
    return [*_write_items(value, write), write(value.maxlen)]


def _write_namespace(value: SimpleNamespace, write: Write) -> list[Any]:
    return [[[write(k), write(v, ".{}", k)] for k, v in vars(value).items()]]


def _write_array(value: array.array[Any], _write: Write) -> list[Any]:
    return [value.typecode, value.itemsize, b64(_little_endian(value).tobytes())]


def _read_array(typecode: str, size: int, data: str) -> Any:
    items = array.array(typecode)
    if items.itemsize != size:
        raise ValueError(f"items of {size} bytes, which are {items.itemsize} on this machine")
    items.frombytes(unb64(data))
    return _little_endian(items)


def _little_endian(items: array.array[Any]) -> array.array[Any]:
    if sys.byteorder == "big":
        items = items[:]
        items.byteswap()
    return items


def write_moment(value: dt.datetime | dt.time, write: Write) -> list[Any]:
    try:
        zone = write(value.tzinfo)
    except TypeError as error:  # of the whole, which Airflow takes with any zone
        raise ValueError(str(error)) from error
    return [value.replace(tzinfo=None, fold=0).isoformat(), value.fold, zone]


def read_moment(kind: Any, text: str, fold: int, zone: dt.tzinfo | None) -> Any:
    base: Any = dt.datetime if issubclass(kind, dt.datetime) else dt.time
    found = base.fromisoformat(text)
    parts = [getattr(found, name) for name in _PARTS if hasattr(found, name)]
    return kind(*parts, tzinfo=zone, fold=fold)  # pendulum's replace() would put its own zone


_PARTS = ("year", "month", "day", "hour", "minute", "second", "microsecond")


USE_ZONEINFO = "Use zoneinfo.ZoneInfo('Area/City'), which has one."


def _write_zone(value: zoneinfo.ZoneInfo, _write: Write) -> list[str]:
    try:
        value.__reduce__()  # raises for one that was read from a file, which its key does not name
    except Exception as error:
        raise ValueError(f"it was read from a file and has no name. {USE_ZONEINFO}") from error
    return [value.key]


_UTF8 = "utf-8", "surrogatepass"  # UTF-16 would make one character of a pair of surrogates
TAGS = (
    Tag("float", float, lambda value, _: [repr(value)], float),
    Tag("complex", complex, lambda v, write: [write(v.real), write(v.imag)], complex),
    Tag("int", int, lambda value, _: [hex(value)], lambda text: int(text, 16)),
    Tag("str", str, lambda v, _: [b64(v.encode(*_UTF8))], lambda v: unb64(v).decode(*_UTF8)),
    Tag("tuple", tuple, _write_items, tuple),
    Tag("set", set, _write_items, set),
    Tag("frozenset", frozenset, _write_items, frozenset),
    Tag("dict", dict, write_pairs, dict),
    Tag("bytes", bytes, lambda value, _: [b64(value)], unb64),
    Tag("bytearray", bytearray, lambda value, _: [b64(value)], lambda text: bytearray(unb64(text))),
    Tag("date", dt.date, lambda value, _: [value.isoformat()], dt.date.fromisoformat),
    Tag("time", dt.time, write_moment, partial(read_moment, dt.time)),
    Tag("datetime", dt.datetime, write_moment, partial(read_moment, dt.datetime)),
    Tag("timedelta", dt.timedelta, lambda v, _: [v.days, v.seconds, v.microseconds], dt.timedelta),
    Tag(
        "timezone",
        dt.timezone,
        lambda value, write: [write(part) for part in value.__getinitargs__()],
        dt.timezone,
    ),
    Tag("zoneinfo", zoneinfo.ZoneInfo, _write_zone, zoneinfo.ZoneInfo),
    Tag("decimal", Decimal, lambda value, _: [str(value)], Decimal),
    Tag("uuid", uuid.UUID, lambda value, _: [value.hex], uuid.UUID),
    Tag("path", type(pathlib.Path()), lambda v, write: [write(str(v))], pathlib.Path),
    Tag(
        "pure_path", pathlib.PurePosixPath, lambda v, write: [write(str(v))], pathlib.PurePosixPath
    ),
    Tag(
        "windows_path",
        pathlib.PureWindowsPath,
        lambda v, write: [write(str(v))],
        pathlib.PureWindowsPath,
    ),
    Tag("ordered_dict", OrderedDict, write_pairs, OrderedDict),
    Tag("counter", Counter, write_pairs, lambda pairs: Counter(dict(pairs))),
    Tag("deque", deque, _write_deque, deque),
    Tag(
        "mapping_proxy",
        MappingProxyType,
        lambda value, write: [write(value.copy())],
        MappingProxyType,
    ),
    Tag("namespace", SimpleNamespace, _write_namespace, lambda kv: SimpleNamespace(**dict(kv))),
    Tag("range", range, lambda v, write: [write(v.start), write(v.stop), write(v.step)], range),
    Tag("slice", slice, lambda v, write: [write(v.start), write(v.stop), write(v.step)], slice),
    Tag("fraction", Fraction, lambda v, w: [w(v.numerator), w(v.denominator)], Fraction),
    Tag("array", array.array, _write_array, _read_array),
    Tag("ellipsis", EllipsisType, lambda *_: [], lambda: ...),
    *(
        Tag(f"ip{kind.__name__[2:].lower()}", kind, lambda value, _: [str(value)], kind)
        for kind in (
            ipaddress.IPv4Address,
            ipaddress.IPv6Address,
            ipaddress.IPv4Network,
            ipaddress.IPv6Network,
            ipaddress.IPv4Interface,
            ipaddress.IPv6Interface,
        )
    ),
)
