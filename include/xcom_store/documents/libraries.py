"""The tags of values of other libraries, which are imported to read one.

| value | written as |
|---|---|
| pendulum DateTime, Date, Time | as Python's own |
| pendulum Duration, Interval   | what it was made of |
| pendulum zones                | name, or offset and name |
| pytz zones                    | name, and which of its offsets |
| dateutil zones                | name, or offset and name; the local one with its offsets |
| dateutil relativedelta        | its fields |
| any other time zone           | refused: it has no name |
| SQLAlchemy Row, RowMapping    | names and values |
| boto3's DynamoDB Binary       | its bytes |
| requests' headers             | pairs |

Those of numpy, pandas and pyarrow are in `data`, those of pydantic in `models`.
"""
# ruff: noqa: SLF001 - of some of these classes, what they are made of is nowhere public

from __future__ import annotations

import datetime as dt
from importlib import import_module
from operator import attrgetter
from typing import Any
from zoneinfo import ZoneInfo

from include.xcom_store.documents import data
from include.xcom_store.documents.tags import (
    USE_ZONEINFO,
    Tag,
    Write,
    read_moment,
    write_moment,
)


def _write_duration(value: Any, write: Write) -> list[Any]:
    made_of = value._signature
    back = vars(type(value)(**made_of))  # without what is computed later and kept
    if {name: vars(value).get(name) for name in back} != back:
        raise ValueError("it is not what it says it was made of. Return value.as_timedelta().")
    return [write(made_of)]


def _write_interval(value: Any, write: Write) -> list[Any]:
    return [write(part) for part in value.__reduce__()[1]]


def _is_pytz(value: object) -> bool:
    return type(value).__module__ == "pytz.tzfile"  # a class for each zone


def _write_pytz(value: Any, _write: Write) -> list[Any]:
    # As pytz pickles it: the zone of a datetime knows whether it is summer time.
    return list(value.__reduce__()[1])


def _write_dateutil(value: Any, _write: Write) -> list[str]:
    name = str(value._filename).rpartition("zoneinfo/")[2]
    try:
        if _read_dateutil(name) == value:
            return [name]
    except (ValueError, OSError, KeyError, TypeError):
        pass
    raise ValueError(f"it was read from {value._filename!r}, which names no zone. {USE_ZONEINFO}")


def _read_dateutil(name: str) -> Any:
    tz = import_module("dateutil.tz")
    ZoneInfo(name)  # raises for what is no zone; dateutil would open any file
    zone = tz.gettz(name)
    if type(zone) is not tz.tzfile:
        raise ValueError(f"{name} is no zone of dateutil")
    return zone


def _is_other_zone(value: Any) -> bool:
    own = (dt.timezone, ZoneInfo)  # and pendulum's, a subclass
    return isinstance(value, dt.tzinfo) and not (
        isinstance(value, own) or hasattr(value, "serialize")
    )


def _refuse_zone(*_: object) -> Any:
    raise ValueError(f"it is a time zone that cannot be had by a name. {USE_ZONEINFO}")


def _local_rules(zone: Any) -> list[Any]:
    return [zone._std_offset.total_seconds(), zone._dst_offset.total_seconds(), *zone._tznames]


def _read_local(*rules: Any) -> Any:
    zone = import_module("dateutil.tz").tzlocal()
    if _local_rules(zone) != [*rules]:
        raise ValueError(
            f"a time in the local zone of the machine that wrote it, {rules}; here it is "
            f"{_local_rules(zone)}. Give all machines one TZ, or push value.astimezone(zone)"
        )
    return zone


_RELATIVE = (
    "years", "months", "days", "leapdays", "hours", "minutes", "seconds", "microseconds",
    "year", "month", "day", "weekday", "hour", "minute", "second", "microsecond",
)  # fmt: skip


def _write_relative(value: Any, write: Write) -> list[Any]:
    fields = [getattr(value, name) for name in _RELATIVE]
    back = _read_relative(*fields)
    if vars(back) != vars(value) or repr(back) != repr(value):
        raise ValueError("its fields do not make it again. Return .normalized() of it.")
    return [*map(write, fields)]


def _read_relative(*fields: Any) -> Any:
    module = import_module("dateutil.relativedelta")
    return module.relativedelta(**dict(zip(_RELATIVE, fields, strict=True)))


def _write_row(value: Any, write: Write) -> list[Any]:
    names = value._fields
    return [[*map(write, names)], [write(v, ".{}", k) for k, v in zip(names, value, strict=True)]]


def _read_row(names: list[str], values: list[Any]) -> Any:
    return import_module("sqlalchemy.engine.result").result_tuple(names)(values)


def _write_mapping(value: Any, write: Write) -> list[Any]:
    return [[*map(write, value)], [write(v, "[{!r}]", k) for k, v in value.items()]]


def _write_headers(value: Any, write: Write) -> list[Any]:
    return [[[write(k), write(v, "[{!r}]", k)] for k, v in value.items()]]


def _module(name: str, kind: str) -> Any:
    """Return what reads a value by a library's own class, imported then."""

    def read(*parts: Any) -> Any:
        return attrgetter(kind)(import_module(name))(*parts)

    return read


_ZONES, _TZ = "pendulum.tz.timezone", "dateutil.tz.tz"
TAGS = (
    Tag(
        "pendulum",
        "pendulum.datetime.DateTime",
        write_moment,
        lambda *stored: read_moment(import_module("pendulum").DateTime, *stored),
    ),
    Tag(
        "pendulum_date",
        "pendulum.date.Date",
        lambda value, _: [value.isoformat()],
        _module("pendulum", "Date.fromisoformat"),
    ),
    Tag(
        "pendulum_time",
        "pendulum.time.Time",
        write_moment,
        lambda *stored: read_moment(import_module("pendulum").Time, *stored),
    ),
    Tag(
        "pendulum_duration",
        "pendulum.duration.Duration",
        _write_duration,
        lambda made_of: import_module("pendulum").Duration(**made_of),
    ),
    Tag(
        "pendulum_interval",
        "pendulum.interval.Interval",
        _write_interval,
        _module("pendulum", "Interval"),
    ),
    Tag(
        "pendulum_zone",
        f"{_ZONES}.Timezone",
        lambda value, _: [value.name],
        lambda name: import_module("pendulum").timezone(name),
    ),
    Tag(
        "pendulum_offset",
        f"{_ZONES}.FixedTimezone",
        lambda value, _: [value.offset, value.name],
        lambda seconds, name: import_module(_ZONES).FixedTimezone(seconds, name=name),
    ),
    Tag("pytz_zone", _is_pytz, _write_pytz, _module("pytz.tzinfo", "unpickler")),
    Tag("pytz_utc", "pytz.UTC", lambda *_: [], lambda: import_module("pytz").utc),
    Tag(
        "pytz_offset",
        "pytz._FixedOffset",
        lambda value, _: [value._minutes],
        _module("pytz", "FixedOffset"),
    ),
    Tag("dateutil_utc", f"{_TZ}.tzutc", lambda *_: [], _module("dateutil.tz", "tzutc")),
    Tag("dateutil_zone", f"{_TZ}.tzfile", _write_dateutil, _read_dateutil),
    Tag("dateutil_local", f"{_TZ}.tzlocal", lambda value, _: _local_rules(value), _read_local),
    Tag(
        "dateutil_offset",
        f"{_TZ}.tzoffset",
        lambda value, write: [write(value._name), write(value._offset)],
        _module("dateutil.tz", "tzoffset"),
    ),
    Tag("relativedelta", "dateutil.relativedelta.relativedelta", _write_relative, _read_relative),
    Tag(
        "dateutil_weekday",
        "dateutil._common.weekday",
        lambda value, _: [value.weekday, value.n],
        _module("dateutil.relativedelta", "weekday"),
    ),
    Tag("sqlalchemy_row", "sqlalchemy.engine.row.Row", _write_row, _read_row),
    Tag(
        "sqlalchemy_mapping",
        "sqlalchemy.engine.row.RowMapping",
        _write_mapping,
        lambda names, values: _read_row(names, values)._mapping,
    ),
    Tag(
        "boto3_binary",
        "boto3.dynamodb.types.Binary",
        lambda value, write: [write(value.value)],
        _module("boto3.dynamodb.types", "Binary"),
    ),
    Tag(
        "requests_headers",
        "requests.structures.CaseInsensitiveDict",
        _write_headers,
        _module("requests.structures", "CaseInsensitiveDict"),
    ),
    Tag("other_zone", _is_other_zone, _refuse_zone, _refuse_zone),
    *data.TAGS,
)
