"""The tags of single values of numpy, pandas and pyarrow, which are imported to read one.

| value | written as |
|---|---|
| pandas Timestamp, Timedelta, NaT, NA | count and unit, time zone |
| pandas Period, Interval              | ordinal and frequency; ends |
| pandas DateOffset and its kind       | class and what it was made of |
| pandas and numpy dtypes              | name; of categories, zones and Arrow's types the parts |
| numpy scalars                        | dtype and Base64 of the bytes; text as Python's |
| numpy arrays of dtype object, and others in a cell | dtype, shape, memory order; items or Base64 |
| pyarrow Scalar, Schema, DataType     | Base64 of an Arrow IPC stream |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from include.xcom_store.documents.tags import REFUSE, Tag, b64, full_name, keywords, unb64

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable


def _parts_of_count(value: Any) -> list[Any]:
    return [value.asm8.view("i8").item(), value.unit, getattr(value, "tzinfo", None)]


def _parts_of_timestamp(value: Any) -> list[Any]:
    parts = _parts_of_count(value)
    return parts if _read_timestamp(*parts).fold == value.fold else [*parts, value.fold]


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


def _parts_of_offset(value: Any) -> list[Any]:
    made_of = dict(value.kwds)
    if "calendar" in made_of:  # made of the two others, unless it was given
        calendar = made_of.pop("calendar")
        if type(value)(**made_of).calendar.holidays.tolist() != calendar.holidays.tolist():
            raise ValueError("it has a calendar of its own. Give it holidays=… and weekmask=….")
    return [type(value).__name__, value.n, value.normalize, made_of]


def _read_offset(name: str, n: int, normalize: Any, made_of: dict[str, Any]) -> Any:
    import pandas as pd

    kind = getattr(pd.offsets, name)
    if not issubclass(kind, pd.tseries.offsets.BaseOffset):
        raise TypeError(f"{name} is no offset of pandas")
    return kind(n, normalize=normalize, **made_of)


def whole(dtype: Any) -> Any:
    """Return all of a numpy dtype; its == does not see metadata, align and longlong."""
    fields = [(n, whole(dtype.fields[n][0]), dtype.fields[n][1:]) for n in dtype.names or ()]
    base = whole(dtype.base) if dtype.subdtype else None
    about = (dtype.str, dtype.char, dtype.shape, dtype.itemsize, dtype.isalignedstruct)
    return about, str(dtype.metadata), fields, base


def dtype_text(dtype: Any) -> str:
    """Return the text that numpy makes a flat dtype from again.

    Raises:
        ValueError: there is none.
    """
    import numpy as np

    text = str(dtype.str)
    if np.dtype(text).char != dtype.char:
        text = str(dtype.char)  # longlong, which is as wide as int64 and another type
    if whole(np.dtype(text)) != whole(dtype):
        raise ValueError(f"its dtype {dtype} has no name that tells it whole.")
    return text


def _parts_of_scalar(value: Any) -> list[Any]:
    if value.dtype.kind in "OV":
        raise ValueError(f"its dtype is {value.dtype}. Return .item() of it.")
    return [dtype_text(value.dtype), b64(value.tobytes())]


def _read_scalar(dtype: str, data: str) -> Any:
    return _read_array(dtype, [], "C", data)[()]


def is_objects(value: Any) -> bool:
    """Tell whether it is a plain numpy array of Python objects."""
    is_array = full_name(type(value)) == "numpy.ndarray"
    return is_array and value.dtype.char == "O" and not value.dtype.metadata


def _parts_of_array(value: Any) -> list[Any]:
    order: Any = "F" if value.flags.fnc else "C"
    if is_objects(value):
        return ["O", list(value.shape), order, value.ravel(order).tolist()]
    if value.dtype.hasobject or value.dtype.names is not None:
        raise ValueError(f"its dtype is {value.dtype}. Store .tolist() of it.")
    return [dtype_text(value.dtype), list(value.shape), order, b64(value.tobytes(order))]


def _read_array(dtype: str, shape: list[int], order: Any, data: Any) -> Any:
    import numpy as np

    if dtype == "O" and isinstance(data, list):
        items = np.fromiter(data, dtype=object, count=len(data))  # which looks into no item
        return items.reshape(shape, order=order)
    kind = np.dtype(dtype)
    if kind.hasobject:  # numpy would take the bytes for an object's address
        raise ValueError("numpy data of Python objects")
    return np.ndarray(tuple(shape), kind, bytearray(unb64(data)), order=order)


def _parts_of_pandas_dtype(value: Any) -> list[Any]:
    import pandas as pd

    if isinstance(value, pd.CategoricalDtype):
        return ["category", value.ordered, *_parts_of_categories(value.categories)]
    if isinstance(value, pd.StringDtype):
        return ["string", value.storage, value.na_value is pd.NA]
    if isinstance(value, pd.DatetimeTZDtype):
        return ["zoned", value.unit, value.tz]
    if isinstance(value, pd.ArrowDtype):
        return ["arrow", value.pyarrow_dtype]
    return ["named", str(value)]


def _parts_of_categories(index: Any) -> list[Any]:
    import pandas as pd

    if index is None:
        return []
    if isinstance(index, pd.RangeIndex):
        return [range(index.start, index.stop, index.step), None, index.name, None]
    has_freq = isinstance(index, (pd.DatetimeIndex, pd.TimedeltaIndex))
    return [[*index], index.dtype, index.name, index.freq if has_freq else None]


def _read_categories(values: Any, dtype: Any, name: Any, freq: Any) -> Any:
    import pandas as pd

    index = pd.Index(values, dtype=dtype, name=name, tupleize_cols=False)
    if freq is not None:
        index.freq = freq
    return index


def _read_pandas_dtype(kind: str, *parts: Any) -> Any:
    import pandas as pd

    if kind == "category":
        ordered, *of = parts
        return pd.CategoricalDtype(_read_categories(*of) if of else None, ordered=ordered)
    if kind == "string":
        return pd.StringDtype(parts[0], na_value=pd.NA if parts[1] else float("nan"))
    makers: dict[str, Any] = {
        "zoned": pd.DatetimeTZDtype,
        "arrow": pd.ArrowDtype,
        "named": pd.api.types.pandas_dtype,
    }
    return makers[kind](*parts)


def _parts_of_arrow(value: Any) -> list[Any]:
    import pyarrow as pa

    batches, schema = [], value
    if isinstance(value, pa.Scalar):
        batches = [pa.record_batch([pa.repeat(value, 1)], [""])]
        schema = batches[0].schema
    elif isinstance(value, pa.DataType):
        schema = pa.schema([("", value)])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as stream:
        for batch in batches:
            stream.write_batch(batch)
    return [b64(sink.getvalue().to_pybytes()), [str(kind) for kind in schema.types]]


def _read_arrow(data: str, kinds: list[str]) -> Any:
    import pyarrow as pa

    with pa.ipc.open_stream(unb64(data)) as stream:
        table = stream.read_all()
    table.validate(full=True)
    if [str(kind) for kind in table.schema.types] != kinds:
        raise ValueError(f"of the Arrow types {kinds} some are not registered here.")
    return table


def _arrow(name: str, of: str, take: Callable[[Any], Any]) -> Tag:
    """Return the tag of what is taken out of an Arrow table."""
    return Tag(name, of, _parts_of_arrow, lambda *parts: take(_read_arrow(*parts)), REFUSE)


_OFFSET = "pandas._libs.tslibs.offsets.BaseOffset*"
_DTYPE = "pandas.api.extensions.ExtensionDtype*"
TAGS = (
    Tag("pandas_timestamp", "pandas.Timestamp", _parts_of_timestamp, _read_timestamp),
    Tag("pandas_timedelta", "pandas.Timedelta", _parts_of_count, _read_timedelta),
    Tag("pandas_NaT", "pandas.api.typing.NaTType", "", "pandas:NaT"),
    Tag("pandas_NA", "pandas.api.typing.NAType", "", "pandas:NA"),
    Tag(
        "pandas_period",
        "pandas.Period",
        lambda v: [{"ordinal": v.ordinal, "freq": v.freqstr}],
        keywords("pandas:Period"),
        REFUSE,
    ),
    Tag("pandas_interval", "pandas.Interval", "left right closed", "pandas:Interval"),
    Tag("pandas_offset", _OFFSET, _parts_of_offset, _read_offset, REFUSE),
    Tag("pandas_dtype", _DTYPE, _parts_of_pandas_dtype, _read_pandas_dtype, REFUSE),
    Tag("numpy_str", "numpy.str_", lambda v: [str.__str__(v)], "numpy:str_"),
    Tag("numpy_bytes", "numpy.bytes_", lambda v: [bytes.__bytes__(v)], "numpy:bytes_"),
    Tag("numpy", "numpy.generic*", _parts_of_scalar, _read_scalar),
    Tag("numpy_array", "numpy.ndarray", _parts_of_array, _read_array),
    Tag("numpy_dtype", "numpy.dtype*", lambda v: [dtype_text(v)], "numpy:dtype"),
    _arrow("arrow_scalar", "pyarrow.lib.Scalar*", lambda table: table.column(0)[0]),
    _arrow("arrow_schema", "pyarrow.lib.Schema", lambda table: table.schema),
    _arrow("arrow_type", "pyarrow.lib.DataType*", lambda table: table.schema.field(0).type),
)
