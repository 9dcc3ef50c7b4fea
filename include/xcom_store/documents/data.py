"""The tags of single values of numpy, pandas and pyarrow, which are imported to read one.

| value | written as |
|---|---|
| pandas Timestamp, Timedelta, NaT, NA | count and unit, time zone |
| pandas Period, Interval              | ordinal and frequency; ends |
| pandas DateOffset and its kind       | class and what it was made of |
| pandas and numpy dtypes              | name |
| numpy scalars                        | dtype and Base64 of the bytes; text as Python's |
| numpy arrays in a cell of a frame    | dtype, shape, memory order, Base64 of the bytes |
| numpy arrays of dtype object         | shape, memory order, their items |
| pyarrow Scalar, Schema, DataType     | Base64 of Arrow IPC |
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from include.xcom_store.documents.tags import Tag, Write, b64, unb64

if TYPE_CHECKING:
    import datetime as dt


def _write_count(value: Any, write: Write) -> list[Any]:
    return [value.asm8.view("i8").item(), value.unit, write(getattr(value, "tzinfo", None))]


def _write_timestamp(value: Any, write: Write) -> list[Any]:
    parts = _write_count(value, write)
    told = _read_timestamp(parts[0], value.unit, value.tz).fold == value.fold
    return parts if told else [*parts, value.fold]


def _read_timestamp(count: int, unit: Any, zone: dt.tzinfo | None, fold: Any = -1) -> Any:
    import numpy as np
    import pandas as pd

    stamp = pd.Timestamp(np.datetime64(count, unit)).as_unit(unit)
    stamp = stamp.tz_localize("UTC").tz_convert(zone)
    return stamp if fold < 0 else stamp.replace(fold=fold)  # which its zone does not tell


def _read_timedelta(count: int, unit: Any, _zone: None) -> Any:
    import numpy as np
    import pandas as pd

    return pd.Timedelta(np.timedelta64(count, unit)).as_unit(unit)


def _read_missing(name: str) -> Any:
    import pandas as pd

    return {"NaT": pd.NaT, "NA": pd.NA}[name]


def _write_period(value: Any, _write: Write) -> list[Any]:
    if _read_period(value.ordinal, value.freqstr) != value:
        raise ValueError(f"its frequency {value.freq!r} is not told whole by its name.")
    return [value.ordinal, value.freqstr]


def _read_period(ordinal: int, freq: str) -> Any:
    import pandas as pd

    return pd.Period(ordinal=ordinal, freq=freq)


def _write_interval(value: Any, write: Write) -> list[Any]:
    return [write(value.left, ".left"), write(value.right, ".right"), value.closed]


def _read_interval(left: Any, right: Any, closed: Any) -> Any:
    import pandas as pd

    return pd.Interval(left, right, closed)


def _is_offset(value: Any) -> bool:
    pandas: Any = sys.modules.get("pandas")
    return bool(pandas) and isinstance(value, pandas.tseries.offsets.BaseOffset)


def _write_offset(value: Any, write: Write) -> list[Any]:
    name, made_of = type(value).__name__, dict(value.kwds)
    if "calendar" in made_of:  # made of the two others, unless it was given
        calendar = made_of.pop("calendar")
        if type(value)(**made_of).calendar.holidays.tolist() != calendar.holidays.tolist():
            raise ValueError("it has a calendar of its own. Give it holidays=… and weekmask=….")
    back = _read_offset(name, value.n, value.normalize, made_of)
    if type(back) is not type(value) or back != value:
        raise ValueError("it does not come back from what it says it was made of.")
    return [name, value.n, value.normalize, write(made_of)]


def _read_offset(name: str, n: int, normalize: Any, made_of: dict[str, Any]) -> Any:
    import pandas as pd

    kind = getattr(pd.offsets, name)
    if not issubclass(kind, pd.tseries.offsets.BaseOffset):
        raise TypeError(f"{name} is no offset of pandas")
    return kind(n, normalize=normalize, **made_of)


def dtype_text(dtype: Any) -> str:
    """Return the text that numpy makes a flat dtype from again.

    Raises:
        ValueError: there is none; it says what would be lost.
    """
    import numpy as np

    text = str(dtype.str)
    if np.dtype(text).char != dtype.char:
        text = str(dtype.char)  # longlong, which is as wide as int64 and another type
    if dtype_loss(dtype, np.dtype(text)):
        raise ValueError(f"its dtype {dtype} has no name that tells it whole.")
    return text


def dtype_loss(one: Any, other: Any) -> str:
    """Tell what of a numpy dtype another, as it was read back, lacks; == does not see all of it."""
    if one.metadata:
        return "metadata"
    if (one.fields is None) != (other.fields is None) or one.names != other.names or one != other:
        return "fields"
    if one.isalignedstruct != other.isalignedstruct:
        return "align=True"
    if one.fields is not None:
        pairs = [(one.fields[name][0], other.fields[name][0]) for name in one.names]
        return next(filter(None, (dtype_loss(*pair) for pair in pairs)), "")
    if one.subdtype is not None:
        return dtype_loss(one.base, other.base)
    return "" if one.char == other.char else f"{one.type.__name__}, for {other.type.__name__}"


def _is_scalar(value: Any) -> bool:
    numpy: Any = sys.modules.get("numpy")
    # Not subclasses of others, and not structured or object scalars.
    own = numpy and isinstance(value, numpy.generic) and type(value).__module__ == "numpy"
    return bool(own) and value.dtype.kind not in "OV"


def _write_scalar(value: Any, write: Write) -> list[Any]:
    if isinstance(value, str):  # whose NULs at the end numpy would cut
        return ["str", write(str.__str__(value))]
    if isinstance(value, bytes):
        return ["bytes", b64(value)]
    return [dtype_text(value.dtype), b64(value.tobytes())]


def _read_scalar(dtype: str, data: str) -> Any:
    import numpy as np

    if dtype == "str":
        return np.str_(data)
    if dtype == "bytes":
        return np.bytes_(unb64(data))
    return np.ndarray((), _no_objects(dtype), unb64(data))[()]


def _no_objects(dtype: str) -> Any:
    import numpy as np

    kind = np.dtype(dtype)
    if kind.hasobject:  # numpy would take the bytes for an object's address
        raise ValueError("numpy data of Python objects")
    return kind


def _is_array(value: Any) -> bool:
    numpy: Any = sys.modules.get("numpy")
    return bool(numpy) and type(value) is numpy.ndarray


def _write_array(value: Any, write: Write) -> list[Any]:
    if value.dtype.hasobject or value.dtype.names is not None:
        raise ValueError(f"its dtype is {value.dtype}. Store .tolist() of it.")
    order: Any = "F" if value.flags.fnc else "C"
    data = b64(value.tobytes(order))
    return [dtype_text(value.dtype), write(list(value.shape)), order, data]


def _read_array(dtype: str, shape: list[int], order: Any, data: str) -> Any:
    import numpy as np

    return np.ndarray(tuple(shape), _no_objects(dtype), bytearray(unb64(data)), order=order)


def is_objects(value: Any) -> bool:
    """Tell whether it is a plain numpy array of Python objects."""
    return _is_array(value) and value.dtype.char == "O" and not value.dtype.metadata


def _write_objects(value: Any, write: Write) -> list[Any]:
    order: Any = "F" if value.flags.fnc else "C"
    items = value.ravel(order).tolist()
    return [list(value.shape), order, [write(item, "[{}]", n) for n, item in enumerate(items)]]


def _read_objects(shape: list[int], order: Any, items: list[Any]) -> Any:
    import numpy as np

    array = np.fromiter(items, dtype=object, count=len(items))  # which looks into no item
    return array.reshape(shape, order=order)


def _is_dtype(value: Any) -> bool:
    numpy: Any = sys.modules.get("numpy")
    return bool(numpy) and isinstance(value, numpy.dtype)


def _read_dtype(name: str) -> Any:
    import numpy as np

    return np.dtype(name)


def _is_pandas_dtype(value: Any) -> bool:
    pandas: Any = sys.modules.get("pandas")
    return bool(pandas) and isinstance(value, pandas.api.extensions.ExtensionDtype)


def _write_pandas_dtype(value: Any, write: Write) -> list[Any]:
    import pandas as pd

    if isinstance(value, pd.CategoricalDtype):
        from include.xcom_store.codecs.frames.columns import pack

        known = value.categories
        text = None if known is None else json.dumps(pack(known, "the categories"))
        return ["category", text, value.ordered]
    if isinstance(value, pd.StringDtype):
        return ["string", value.storage, value.na_value is pd.NA]
    if isinstance(value, pd.DatetimeTZDtype):
        return ["zoned", value.unit, write(value.tz, ".tz")]
    if isinstance(value, pd.ArrowDtype):
        return ["arrow", *_write_arrow_type(value.pyarrow_dtype, write)]
    back = _read_pandas_dtype("named", str(value))
    if type(back) is not type(value) or back != value or repr(back) != repr(value):
        raise ValueError("its name does not tell it whole. Return str(dtype).")
    return ["named", str(value)]


def _read_pandas_dtype(kind: str, *parts: Any) -> Any:
    import pandas as pd

    if kind == "category":
        from include.xcom_store.codecs.frames.columns import unpack

        return pd.CategoricalDtype(parts[0] and unpack(json.loads(parts[0])), ordered=parts[1])
    if kind == "string":
        return pd.StringDtype(parts[0], na_value=pd.NA if parts[1] else float("nan"))
    if kind == "zoned":
        return pd.DatetimeTZDtype(*parts)
    if kind == "arrow":
        return pd.ArrowDtype(_read_arrow_schema(*parts).field(0).type)
    return {"named": pd.api.types.pandas_dtype}[kind](parts[0])


def _is_arrow(*kinds: str) -> Any:
    """Return a test of whether a value is of one of these classes of pyarrow."""

    def test(value: Any) -> bool:
        pa: Any = sys.modules.get("pyarrow")
        return bool(pa) and isinstance(value, tuple(getattr(pa, kind) for kind in kinds))

    return test


def _write_arrow_scalar(value: Any, _write: Write) -> list[Any]:
    import pyarrow as pa

    batch = pa.record_batch([pa.repeat(value, 1)], [""])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    text = b64(sink.getvalue().to_pybytes())
    _read_arrow_scalar(text, str(value.type))
    return [text, str(value.type)]


def _read_arrow_scalar(text: str, kind: str) -> Any:
    import pyarrow as pa

    with pa.ipc.open_stream(unb64(text)) as stream:
        batch = stream.read_next_batch()
    batch.validate(full=True)
    _check_types(batch.schema, [kind])
    return batch.column(0)[0]


def _write_arrow_schema(value: Any, _write: Write) -> list[Any]:
    text, kinds = b64(value.serialize().to_pybytes()), [str(kind) for kind in value.types]
    _read_arrow_schema(text, kinds)
    return [text, kinds]


def _read_arrow_schema(text: str, kinds: list[str]) -> Any:
    import pyarrow as pa

    schema = pa.ipc.read_schema(pa.py_buffer(unb64(text)))
    _check_types(schema, kinds)
    return schema


def _check_types(schema: Any, kinds: list[str]) -> None:
    if [str(kind) for kind in schema.types] != kinds:  # an extension type that nobody registered
        raise ValueError(f"of the Arrow types {kinds} some come back as {schema.types}.")


def _write_arrow_type(value: Any, write: Write) -> list[Any]:
    import pyarrow as pa

    return _write_arrow_schema(pa.schema([("", value)]), write)


TAGS = (
    Tag("pandas_timestamp", "pandas.Timestamp", _write_timestamp, _read_timestamp),
    Tag("pandas_timedelta", "pandas.Timedelta", _write_count, _read_timedelta),
    Tag("pandas_nat", "pandas.api.typing.NaTType", lambda *_: ["NaT"], _read_missing),
    Tag("pandas_na", "pandas.api.typing.NAType", lambda *_: ["NA"], _read_missing),
    Tag("pandas_period", "pandas.Period", _write_period, _read_period),
    Tag("pandas_interval", "pandas.Interval", _write_interval, _read_interval),
    Tag("pandas_offset", _is_offset, _write_offset, _read_offset),
    Tag("pandas_dtype", _is_pandas_dtype, _write_pandas_dtype, _read_pandas_dtype),
    Tag("numpy", _is_scalar, _write_scalar, _read_scalar),
    Tag("numpy_objects", is_objects, _write_objects, _read_objects),
    Tag("numpy_array", _is_array, _write_array, _read_array),
    Tag("numpy_dtype", _is_dtype, lambda value, _: [dtype_text(value)], _read_dtype),
    Tag("arrow_scalar", _is_arrow("Scalar"), _write_arrow_scalar, _read_arrow_scalar),
    Tag("arrow_schema", _is_arrow("Schema"), _write_arrow_schema, _read_arrow_schema),
    Tag(
        "arrow_type",
        _is_arrow("DataType"),
        _write_arrow_type,
        lambda *stored: _read_arrow_schema(*stored).field(0).type,
    ),
)
