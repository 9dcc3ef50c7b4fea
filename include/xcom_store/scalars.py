"""Single Python values that JSON lacks, and how a document writes each.

| value | written as |
|---|---|
| NaN, ±Infinity, complex             | `repr` (a NaN's payload bits are not kept) |
| int beyond 64 bits                  | hexadecimal text |
| str with NUL or lone surrogates     | Base64 of UTF-16 |
| bytes, bytearray                    | Base64 |
| date, time, datetime                | ISO 8601, fold, and the time zone as a value of its own |
| timedelta                           | days, seconds, microseconds |
| timezone, ZoneInfo, pendulum zones  | offset or name |
| Decimal, UUID, Path                 | text |
| pandas Timestamp, Timedelta, NaT, NA | count and unit, time zone |
| numpy scalars                       | dtype and Base64 of the bytes |

Only exact types are taken: a subclass would come back as its base. To add a type, add a row to
`SCALARS`; the round-trip table in the tests wants one line as well.
"""

from __future__ import annotations

import base64
import datetime as dt
import pathlib
import sys
import uuid
import zoneinfo
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


class Scalar(NamedTuple):
    """How one type is written and read; `write` gives JSON or further values to be written."""

    type_name: str
    write: Callable[[Any], list[Any]]
    read: Callable[..., Any]


def find(value: object) -> Scalar | None:
    """Return the row for a value's exact type, or None."""
    kind = type(value)
    if (name := f"{kind.__module__}.{kind.__qualname__}") in _BY_TYPE:
        return _BY_TYPE[name]
    numpy = sys.modules.get("numpy")
    # Not for subclasses of others, and not for structured or object scalars.
    if numpy and isinstance(value, numpy.generic) and kind.__module__ == "numpy":
        return None if value.dtype.kind in "OV" else SCALARS["numpy"]
    return None


def _b64(data: bytes | bytearray) -> str:
    return base64.b64encode(data).decode("ascii")


def _unb64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _write_moment(value: dt.datetime | dt.time) -> list[Any]:
    return [value.replace(tzinfo=None, fold=0).isoformat(), value.fold, value.tzinfo]


def _read_datetime(text: str, fold: int, zone: dt.tzinfo | None) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold)


def _read_time(text: str, fold: int, zone: dt.tzinfo | None) -> dt.time:
    return dt.time.fromisoformat(text).replace(tzinfo=zone, fold=fold)


def _read_pendulum(text: str, fold: int, zone: dt.tzinfo | None) -> Any:
    import pendulum

    return pendulum.DateTime.fromisoformat(text).replace(tzinfo=zone, fold=fold)


def _write_timezone(value: dt.timezone) -> list[Any]:
    named = value.tzname(None) != dt.timezone(value.utcoffset(None)).tzname(None)
    return [value.utcoffset(None), value.tzname(None) if named else None]


def _read_timezone(offset: dt.timedelta, name: str | None) -> dt.timezone:
    return dt.timezone(offset) if name is None else dt.timezone(offset, name)


def _read_pendulum_zone(name: str) -> Any:
    import pendulum

    return pendulum.timezone(name)


def _read_pendulum_offset(seconds: int, name: str) -> Any:
    from pendulum.tz.timezone import FixedTimezone

    return FixedTimezone(seconds, name=name)


def _read_pandas(kind: str, count: int, unit: Any, zone: dt.tzinfo | None = None) -> Any:
    import numpy as np
    import pandas as pd

    if kind == "Timedelta":
        return pd.Timedelta(np.timedelta64(count, unit)).as_unit(unit)
    stamp = pd.Timestamp(np.datetime64(count, unit)).as_unit(unit)
    return stamp if zone is None else stamp.tz_localize("UTC").tz_convert(zone)


def _read_pandas_missing(name: str) -> Any:
    import pandas as pd

    return {"NaT": pd.NaT, "NA": pd.NA}[name]


def _read_numpy(dtype: str, data: str) -> Any:
    import numpy as np

    kind = np.dtype(dtype)
    if kind.hasobject:  # numpy would take the bytes for an object's address
        raise ValueError("a numpy scalar of Python objects")
    return np.ndarray((), kind, _unb64(data))[()]


def _write_numpy(value: Any) -> list[Any]:
    return [value.dtype.str, _b64(value.tobytes())]


def _path(kind: type[pathlib.PurePath]) -> Scalar:
    return Scalar(f"{kind.__module__}.{kind.__qualname__}", lambda value: [str(value)], kind)


SCALARS: dict[str, Scalar] = {
    "float": Scalar("builtins.float", lambda value: [repr(value)], float),
    "complex": Scalar("builtins.complex", lambda v: [v.real, v.imag], complex),
    "int": Scalar("builtins.int", lambda value: [hex(value)], lambda text: int(text, 16)),
    "str": Scalar(
        "builtins.str",
        lambda value: [_b64(value.encode("utf-16-le", "surrogatepass"))],
        lambda text: _unb64(text).decode("utf-16-le", "surrogatepass"),
    ),
    "bytes": Scalar("builtins.bytes", lambda value: [_b64(value)], _unb64),
    "bytearray": Scalar(
        "builtins.bytearray", lambda value: [_b64(value)], lambda text: bytearray(_unb64(text))
    ),
    "date": Scalar("datetime.date", lambda value: [value.isoformat()], dt.date.fromisoformat),
    "time": Scalar("datetime.time", _write_moment, _read_time),
    "datetime": Scalar("datetime.datetime", _write_moment, _read_datetime),
    "timedelta": Scalar(
        "datetime.timedelta", lambda v: [v.days, v.seconds, v.microseconds], dt.timedelta
    ),
    "timezone": Scalar("datetime.timezone", _write_timezone, _read_timezone),
    "zoneinfo": Scalar("zoneinfo.ZoneInfo", lambda value: [value.key], zoneinfo.ZoneInfo),
    "pendulum": Scalar("pendulum.datetime.DateTime", _write_moment, _read_pendulum),
    "pendulum_zone": Scalar(
        "pendulum.tz.timezone.Timezone", lambda value: [value.name], _read_pendulum_zone
    ),
    "pendulum_offset": Scalar(
        "pendulum.tz.timezone.FixedTimezone",
        lambda value: [value.offset, value.name],
        _read_pendulum_offset,
    ),
    "decimal": Scalar("decimal.Decimal", lambda value: [str(value)], Decimal),
    "uuid": Scalar("uuid.UUID", lambda value: [value.hex], uuid.UUID),
    "path": _path(type(pathlib.Path())),
    "pure_path": _path(pathlib.PurePosixPath),
    "timestamp": Scalar(
        "pandas.Timestamp",
        lambda v: ["Timestamp", v.asm8.view("i8").item(), v.unit, v.tzinfo],
        _read_pandas,
    ),
    "pandas_timedelta": Scalar(
        "pandas.Timedelta",
        lambda v: ["Timedelta", v.asm8.view("i8").item(), v.unit],
        _read_pandas,
    ),
    "nat": Scalar("pandas.api.typing.NaTType", lambda _: ["NaT"], _read_pandas_missing),
    "na": Scalar("pandas.api.typing.NAType", lambda _: ["NA"], _read_pandas_missing),
    "numpy": Scalar("numpy.generic", _write_numpy, _read_numpy),
}
_BY_TYPE = {row.type_name: row for row in SCALARS.values()}
