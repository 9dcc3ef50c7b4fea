"""What a tag is, and the tags of Python's own values that JSON lacks.

| value | written as |
|---|---|
| NaN, ±Infinity              | `repr` (a NaN's payload bits are not kept) |
| int beyond 64 bits          | hexadecimal text |
| str with NUL or lone surrogates, bytes, bytearray | Base64 (of UTF-8) |
| tuple, set, frozenset       | their items |
| dict with other keys than plain str, OrderedDict, Counter, SimpleNamespace | pairs |
| defaultdict                 | name of its factory, pairs |
| deque                       | its items and its maximal length |
| date, Decimal, UUID, paths, IP addresses | text; of a UUID also `is_safe`, where it is known |
| time, datetime              | ISO 8601, fold, and the time zone as a value of its own |
| ZoneInfo                    | name |
| any other                   | the attributes or arguments it is made of |

Only exact types are taken: a subclass would come back as its base. To add a type, add a row here,
or in `data` or `libraries`; the round-trip table in the tests wants one line as well.
"""

from __future__ import annotations

import array
import base64
import datetime as dt
import ipaddress
import pathlib
import uuid
import zoneinfo
from collections import Counter, OrderedDict, defaultdict, deque
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from pkgutil import resolve_name
from types import EllipsisType, MappingProxyType, SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

REFUSE, MAY_FAIL = "refuse", "may fail"


class Tag(NamedTuple):
    """How one kind of value is written and read."""

    name: str
    """Stored, for ever."""
    of: type | str | Callable[[Any], bool]
    """The exact type; a library's full name of it, with a `*` also of subclasses, those of others
    only where a check sees that they come back; or a test of a value."""
    parts: str | Callable[..., Iterable[Any]]
    """Names of attributes, or what returns the parts that a value is made of: any values, lists of
    such, and `Pairs`. What it raises refuses the value, and says why."""
    made_by: str | Callable[..., Any]
    """Called with the parts; `module:name`, imported then. Without parts, the value itself."""
    check: str = ""
    """The value is read back at the push. If it does not come back the same, `REFUSE` refuses it,
    and a text warns in its words; `MAY_FAIL` warns only where it cannot be read at all."""
    is_kind: Callable[[Any], bool] | None = None
    """Of the tags of `objects` the test of a class. `parts` is called with the writer, too, and
    returns documents, of which the first is the name of a class; `made_by` gets that class."""

    def take(self, value: Any, *writer: Any) -> Iterable[Any]:
        """Return the parts of a value."""
        if isinstance(self.parts, str):
            return [getattr(value, name) for name in self.parts.split()]
        return self.parts(value, *writer)

    def read(self, *parts: Any) -> Any:
        """Return the value of its parts."""
        made_by = _resolved(self.made_by) if isinstance(self.made_by, str) else self.made_by
        if self.parts or parts:
            return made_by(*parts)
        return made_by


class Pairs(list[Any]):
    """Keys and values as parts of a value; messages name the place by the key."""


_resolved = lru_cache(maxsize=1024)(resolve_name)


def finder(table: Iterable[Tag]) -> Callable[[Any], Tag | None]:
    """Return what finds the tag of a value, importing nothing."""
    exact: dict[str, Tag] = {}
    bases: dict[str, Tag] = {}
    tests: list[tuple[Callable[[Any], bool], Tag]] = []
    for tag in table:
        if isinstance(tag.of, str):
            (bases if tag.of.endswith("*") else exact)[tag.of.rstrip("*")] = tag
        elif isinstance(tag.of, type):
            exact[full_name(tag.of)] = tag
        else:
            tests.append((tag.of, tag))

    def by_name(kind: Any) -> Tag | None:
        name = full_name(kind)
        for base in map(full_name, kind.__mro__):
            is_own = base.partition(".")[0] == name.partition(".")[0]
            if name not in exact and base in bases and (is_own or bases[base].check == REFUSE):
                return bases[base]
        return exact.get(name)

    by_kind: Callable[[Any], Tag | None] = lru_cache(maxsize=1024)(by_name)

    def find(value: Any) -> Tag | None:
        if tag := by_kind(type(value)):
            return tag
        return next((tag for is_one, tag in tests if is_one(value)), None)

    return find


_MODULE, _QUALNAME = (type.__dict__[name].__get__ for name in ("__module__", "__qualname__"))


def full_name(kind: type) -> str:
    """Return the name by which a class can be imported, whatever its metaclass says."""
    if isinstance(kind, type):
        return f"{_MODULE(kind)}.{_QUALNAME(kind)}"
    return f"{kind.__module__}.{kind.__qualname__}"


def type_name(value: Any) -> str:
    """Return the full name of a value's class; of Python's own the bare name."""
    return full_name(type(value)).removeprefix("builtins.")


def keywords(made_by: str) -> Callable[[dict[str, Any]], Any]:
    """Return what makes a value of a dict of keyword arguments."""
    return lambda arguments: _resolved(made_by)(**arguments)


def b64(data: bytes | bytearray) -> str:
    return base64.b64encode(data).decode("ascii")


def unb64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def text(value: Any) -> list[str]:
    return [str(value)]


def items(value: Any) -> list[Any]:
    return [[*value]]


def pairs(value: Any) -> list[Any]:
    if getattr(value, "__dict__", None):  # an OrderedDict or a Counter may have some
        raise ValueError(f"its attributes {[*vars(value)]} would be lost. Return them beside it.")
    return [Pairs(value.items())]


_FACTORIES: dict[str, Any] = {
    kind.__name__: kind for kind in (list, dict, set, tuple, str, int, float, bool)
}
_FACTORIES |= {"": None}


def moment(name: str, of: type | str, made_by: str) -> Tag:
    """Return the tag of a kind of datetime or time."""

    # Not pendulum's own replace(), which would put its own zone.
    def parts(value: Any) -> list[Any]:
        bare = _base(type(value)).replace(value, tzinfo=None, fold=0)
        return [bare.isoformat(), value.fold, value.tzinfo]

    def read(written: str, fold: int, zone: dt.tzinfo | None) -> Any:
        kind = _resolved(made_by)
        return _base(kind).replace(kind.fromisoformat(written), tzinfo=zone, fold=fold)

    return Tag(name, of, parts, read)


def _base(kind: Any) -> Any:
    return dt.datetime if issubclass(kind, dt.datetime) else dt.time


USE_ZONEINFO = "Use zoneinfo.ZoneInfo('Area/City'), which has a name."


def _parts_of_zone(value: zoneinfo.ZoneInfo) -> list[Any]:
    try:
        value.__reduce__()  # raises for one that was read from a file, which its key does not name
    except Exception as error:
        raise ValueError(f"it was read from a file and has no name. {USE_ZONEINFO}") from error
    return [value.key]


_UTF8 = "utf-8", "surrogatepass"  # UTF-16 would make one character of a pair of surrogates
TAGS = (
    Tag("float", float, lambda v: [repr(v)], float),
    Tag("complex", complex, "real imag", complex),
    Tag("int", int, lambda v: [hex(v)], lambda written: int(written, 16)),
    Tag("str", str, lambda v: [b64(v.encode(*_UTF8))], lambda data: unb64(data).decode(*_UTF8)),
    Tag("bytes", bytes, lambda v: [b64(v)], unb64),
    Tag("bytearray", bytearray, lambda v: [b64(v)], lambda data: bytearray(unb64(data))),
    *(Tag(kind.__name__, kind, items, kind) for kind in (tuple, set, frozenset)),
    Tag("dict", dict, pairs, dict),
    Tag("ordered_dict", OrderedDict, pairs, OrderedDict),
    Tag("counter", Counter, pairs, lambda found: Counter(dict(found))),
    Tag(
        "defaultdict",
        lambda v: (
            type(v) is defaultdict and any(v.default_factory is one for one in _FACTORIES.values())
        ),
        lambda v: [getattr(v.default_factory, "__name__", ""), *pairs(v)],
        lambda name, found: defaultdict(_FACTORIES[name], found),
    ),
    Tag("deque", deque, lambda v: [*items(v), v.maxlen], deque),
    Tag("mapping_proxy", MappingProxyType, lambda v: [v.copy()], MappingProxyType),
    Tag(
        "namespace",
        SimpleNamespace,
        lambda v: [Pairs(vars(v).items())],
        lambda found: SimpleNamespace(**dict(found)),
    ),
    Tag("range", range, "start stop step", range),
    Tag("slice", slice, "start stop step", slice),
    Tag("ellipsis", EllipsisType, "", ...),  # type: ignore[arg-type]
    Tag("fraction", Fraction, "numerator denominator", Fraction),
    Tag("decimal", Decimal, text, Decimal),
    Tag(
        "uuid",
        uuid.UUID,
        lambda v: text(v) if v.is_safe is uuid.SafeUUID.unknown else [str(v), v.is_safe.value],
        lambda written, is_safe=None: uuid.UUID(written, is_safe=uuid.SafeUUID(is_safe)),
    ),
    Tag("date", dt.date, text, dt.date.fromisoformat),
    moment("time", dt.time, "datetime:time"),
    moment("datetime", dt.datetime, "datetime:datetime"),
    Tag("timedelta", dt.timedelta, "days seconds microseconds", dt.timedelta),
    Tag("timezone", dt.timezone, lambda v: v.__getinitargs__(), dt.timezone),
    Tag("zoneinfo", zoneinfo.ZoneInfo, _parts_of_zone, zoneinfo.ZoneInfo),
    Tag("path", type(pathlib.Path()), text, pathlib.Path),
    Tag("pure_path", pathlib.PurePosixPath, text, pathlib.PurePosixPath),
    Tag("windows_path", pathlib.PureWindowsPath, text, pathlib.PureWindowsPath),
    *(
        Tag(f"ip{kind.__name__[2:].lower()}", kind, text, kind)
        for version in (4, 6)
        for form in ("Address", "Network", "Interface")
        for kind in [getattr(ipaddress, f"IPv{version}{form}")]
    ),
    Tag("array", array.array, lambda v: [v.typecode, [*v]], array.array),
)
