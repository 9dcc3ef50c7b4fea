"""The tags of values of other libraries, which are imported to read one.

| value | written as |
|---|---|
| pendulum DateTime, Date, Time | as Python's own |
| pendulum Duration, Interval; dateutil relativedelta | what it was made of |
| zones of pendulum, pytz, dateutil | name, or offset and name |
| dateutil's local zone         | its offsets and names: read where they are the same |
| SQLAlchemy Row, RowMapping    | names and values |
| boto3's DynamoDB Binary       | its bytes |
| requests' headers             | pairs |
| pydantic's `AnyUrl` and the like | class and text |
| `SecretStr`, `SecretBytes`    | the mask: a secret is never written in clear |

Those of numpy, pandas and pyarrow are in `data`, those of objects of classes in `objects`.
"""
# ruff: noqa: SLF001 - of some of these classes, what they are made of is nowhere public

from __future__ import annotations

from importlib import import_module
from typing import Any
from zoneinfo import ZoneInfo

from include.xcom_store.documents import data
from include.xcom_store.documents.tags import (
    REFUSE,
    USE_ZONEINFO,
    Pairs,
    Tag,
    full_name,
    keywords,
    moment,
    text,
)


def _as_pickled(value: Any) -> Any:
    return value.__reduce__()[1]


def _parts_of_dateutil(value: Any) -> list[str]:
    return [str(value._filename).rpartition("zoneinfo/")[2]]


def _read_dateutil(name: str) -> Any:
    tz = import_module("dateutil.tz")
    try:
        ZoneInfo(name)  # raises for what is no zone; dateutil would open any file
        zone = tz.gettz(name)
    except (ValueError, OSError, KeyError) as error:
        raise ValueError(f"its file {name!r} names no zone. {USE_ZONEINFO}") from error
    if type(zone) is not tz.tzfile:
        raise ValueError(f"{name} is no zone of dateutil. {USE_ZONEINFO}")
    return zone


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


def _parts_of_relative(value: Any) -> list[Any]:
    names = [f"{unit}s" for unit in _UNITS] + _UNITS + ["leapdays", "weekday"]
    found = {name: getattr(value, name) for name in names}
    return [{name: part for name, part in found.items() if part is not None and part != 0}]


def _read_row(names: list[str], found: list[Any]) -> Any:
    return import_module("sqlalchemy.engine.result").result_tuple(names)(found)


_UNITS = ["year", "month", "day", "hour", "minute", "second", "microsecond"]


def _is_url_class(kind: Any) -> bool:
    networks = import_module("pydantic.networks")
    bases = (networks._BaseUrl, networks._BaseMultiHostUrl)  # they have no other base
    return isinstance(kind, type) and issubclass(kind, bases)


def _read_url(name: str, url: str) -> Any:
    kind = getattr(import_module("pydantic.networks"), name)
    if not _is_url_class(kind):
        raise ValueError(f"pydantic has no URL of the type {name!r}")
    return kind(url)


_SECRETS = ("pydantic.types.SecretStr", "pydantic.types.SecretBytes")


def _parts_of_secret(value: Any) -> list[str]:
    return [type(value).__name__, "**********" if value.get_secret_value() else ""]


def _read_mask(name: str, mask: str) -> Any:
    pydantic: Any = import_module("pydantic")
    return pydantic.SecretStr(mask) if name == "SecretStr" else pydantic.SecretBytes(mask.encode())


_DURATION, _ZONES = "pendulum.duration", "pendulum.tz.timezone"
_TZ, _DELTA, _ROW = "dateutil.tz.tz", "dateutil.relativedelta", "sqlalchemy.engine.row"
_read_duration = keywords("pendulum:Duration")
_read_relative = keywords(f"{_DELTA}:relativedelta")
TAGS = (
    moment("pendulum", "pendulum.datetime.DateTime", "pendulum:DateTime"),
    Tag("pendulum_date", "pendulum.date.Date", text, "pendulum:Date.fromisoformat"),
    moment("pendulum_time", "pendulum.time.Time", "pendulum:Time"),
    Tag("pendulum_duration", f"{_DURATION}.Duration", "_signature", _read_duration, REFUSE),
    Tag("pendulum_interval", "pendulum.interval.Interval", _as_pickled, "pendulum:Interval"),
    Tag("pendulum_zone", f"{_ZONES}.Timezone", "name", "pendulum:timezone"),
    Tag("pendulum_offset", f"{_ZONES}.FixedTimezone", "offset name", f"{_ZONES}:FixedTimezone"),
    Tag("pytz_utc", "pytz.UTC", "", "pytz:utc"),
    Tag("pytz_offset", "pytz._FixedOffset", "_minutes", "pytz:FixedOffset"),
    # The zone of a datetime knows whether it is summer time.
    Tag("pytz_zone", "pytz.tzinfo.BaseTzInfo*", _as_pickled, "pytz.tzinfo:unpickler"),
    Tag("dateutil_utc", f"{_TZ}.tzutc", "", "dateutil.tz:UTC"),
    Tag("dateutil_zone", f"{_TZ}.tzfile", _parts_of_dateutil, _read_dateutil, REFUSE),
    Tag("dateutil_local", f"{_TZ}.tzlocal", _local_rules, _read_local),
    Tag("dateutil_offset", f"{_TZ}.tzoffset", "_name _offset", "dateutil.tz:tzoffset"),
    Tag("dateutil_weekday", "dateutil._common.weekday", "weekday n", f"{_DELTA}:weekday"),
    Tag("relativedelta", f"{_DELTA}.relativedelta", _parts_of_relative, _read_relative, REFUSE),
    Tag("sqlalchemy_row", f"{_ROW}.Row", lambda v: [[*v._fields], [*v]], _read_row),
    Tag(
        "sqlalchemy_mapping",
        f"{_ROW}.RowMapping",
        lambda v: [[*v], [*v.values()]],
        lambda *found: _read_row(*found)._mapping,
    ),
    Tag("boto3_binary", "boto3.dynamodb.types.Binary", "value", "boto3.dynamodb.types:Binary"),
    Tag(
        "requests_headers",
        "requests.structures.CaseInsensitiveDict",
        lambda v: [Pairs(v.items())],
        "requests.structures:CaseInsensitiveDict",
    ),
    Tag(
        "pydantic_url",
        lambda v: type(v).__module__ == "pydantic.networks" and _is_url_class(type(v)),
        lambda v: [type(v).__name__, str(v)],
        _read_url,
        REFUSE,
    ),
    Tag(
        "pydantic_zone",
        "pydantic_core._pydantic_core.TzInfo",
        lambda v: [v.utcoffset(None).total_seconds()],
        "pydantic_core:TzInfo",
    ),
    Tag(
        "pydantic_secret",
        lambda v: full_name(type(v)) in _SECRETS,
        _parts_of_secret,
        _read_mask,
        "comes back as its mask. Have the next task read the secret by itself",
    ),
    *data.TAGS,
)
