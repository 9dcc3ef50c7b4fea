"""The tags of single values of pendulum, pandas and numpy, which are imported to read one.

| value | written as |
|---|---|
| pendulum DateTime                    | as a datetime |
| pendulum zones                       | name, or offset and name |
| pandas Timestamp, Timedelta, NaT, NA | count and unit, time zone |
| numpy scalars                        | dtype and Base64 of the bytes |
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from include.xcom_store.documents.tags import Tag, Write, b64, read_moment, unb64, write_moment

if TYPE_CHECKING:
    import datetime as dt


def _write_count(value: Any, write: Write) -> list[Any]:
    return [value.asm8.view("i8").item(), value.unit, write(getattr(value, "tzinfo", None))]


def _read_timestamp(count: int, unit: Any, zone: dt.tzinfo | None) -> Any:
    import numpy as np
    import pandas as pd

    stamp = pd.Timestamp(np.datetime64(count, unit)).as_unit(unit)
    return stamp.tz_localize("UTC").tz_convert(zone)


def _read_timedelta(count: int, unit: Any, _zone: None) -> Any:
    import numpy as np
    import pandas as pd

    return pd.Timedelta(np.timedelta64(count, unit)).as_unit(unit)


def _read_missing(name: str) -> Any:
    import pandas as pd

    return {"NaT": pd.NaT, "NA": pd.NA}[name]


def _is_numpy(value: Any) -> bool:
    numpy: Any = sys.modules.get("numpy")
    # Not subclasses of others, and not structured or object scalars.
    own = numpy and isinstance(value, numpy.generic) and type(value).__module__ == "numpy"
    return bool(own) and value.dtype.kind not in "OV"


def _read_numpy(dtype: str, data: str) -> Any:
    import numpy as np

    kind = np.dtype(dtype)
    if kind.hasobject:  # numpy would take the bytes for an object's address
        raise ValueError("a numpy scalar of Python objects")
    return np.ndarray((), kind, unb64(data))[()]


_ZONES = "pendulum.tz.timezone"
TAGS = (
    Tag(
        "pendulum",
        "pendulum.datetime.DateTime",
        write_moment,
        lambda *stored: read_moment(import_module("pendulum").DateTime, *stored),
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
    Tag("pandas_timestamp", "pandas.Timestamp", _write_count, _read_timestamp),
    Tag("pandas_timedelta", "pandas.Timedelta", _write_count, _read_timedelta),
    Tag("pandas_nat", "pandas.api.typing.NaTType", lambda *_: ["NaT"], _read_missing),
    Tag("pandas_na", "pandas.api.typing.NAType", lambda *_: ["NA"], _read_missing),
    Tag("numpy", _is_numpy, lambda v, _: [v.dtype.str, b64(v.tobytes())], _read_numpy),
)
