"""Whether two values are the same: type for type, dtype for dtype. Written apart from the backend."""

from __future__ import annotations

import array
import collections
import datetime as dt
import enum
import functools
import math
import types


def assert_identical(one, other, where="value"):
    assert type(one) is type(other), f"{where}: {type(one)} became {type(other)}"
    kind = type(one).__name__
    module = type(one).__module__.split(".")[0]
    if module == "pandas" and kind.endswith("Index"):
        _index(one, other, where)
    elif module == "pandas" and hasattr(one, "_from_sequence") and hasattr(one, "dtype"):
        _array(one, other, where)
    elif module == "pandas" and kind in ("DataFrame", "Series"):
        _pandas(one, other, where)
    elif module == "numpy":
        _numpy(one, other, where)
    elif module == "polars":
        assert getattr(one, "schema", None) == getattr(other, "schema", None), where
        assert one.equals(other, null_equal=True), where
    elif module == "pyarrow":
        _arrow(one, other, where)
    elif isinstance(one, (collections.deque, range, slice, array.array, types.MappingProxyType)):
        _container(one, other, where)
    elif hasattr(one, "kwds"):  # a pandas offset
        kwds = [{k: v.kwds[k] for k in sorted(v.kwds) if k != "calendar"} for v in (one, other)]
        assert_identical(*kwds, where)
        assert (one, one.n, one.normalize) == (other, other.n, other.normalize), where
    elif isinstance(one, dt.tzinfo):
        assert repr(one) == repr(other), where
        assert module == "pytz" or one == other, where
    elif isinstance(one, dict):
        factories = [getattr(value, "default_factory", None) for value in (one, other)]
        assert factories[0] is factories[1], where

        assert list(one) == list(other), f"{where}: keys {list(one)} became {list(other)}"
        for (key, a), (other_key, b) in zip(one.items(), other.items(), strict=True):
            assert_identical(key, other_key, f"{where} key {key!r}")
            assert_identical(a, b, f"{where}[{key!r}]")
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other), where
        for i, (a, b) in enumerate(zip(one, other, strict=True)):
            assert_identical(a, b, f"{where}[{i}]")
    elif isinstance(one, (set, frozenset)):
        assert sorted(map(_typed, one)) == sorted(map(_typed, other)), where
    elif isinstance(one, (float, complex)):
        assert repr(one) == repr(other), where
    elif isinstance(one, enum.Enum):
        assert one is other, where
    elif (parts := _parts(one)) is not None:
        assert_identical(parts, _parts(other), where)
    elif (
        one is not other
        and kind not in MADE_ANEW
        and not (isinstance(one, float) and math.isnan(one))
    ):
        assert repr(one) == repr(other), where
        for name in ("left", "right", "freq", "unit") if module == "pandas" else ():
            parts = [getattr(value, name, None) for value in (one, other)]
            assert_identical(*parts, f"{where}.{name}")
        assert getattr(one, "is_safe", None) == getattr(other, "is_safe", None), where  # of a UUID
        if hasattr(one, "tzinfo"):
            assert_identical(one.tzinfo, other.tzinfo, f"{where}.tzinfo")
            assert getattr(one, "fold", 0) == getattr(other, "fold", 0), where


PLAIN = ("builtins", "datetime", "decimal", "ipaddress", "uuid", "pathlib", "zoneinfo", "pendulum", "typing", "types",
         "pydantic_core", "pandas")  # fmt: skip
"""Modules whose objects are compared by their text, and their time zone."""
MADE_ANEW = {"lock", "RLock"}
"""What is the same if it is of the same type."""
COMPUTED = {"_cache", "_y", "_m", "_w", "_d", "_h", "_i", "_s"}
"""What pendulum computes of a duration when asked for it."""


def _slots(one):
    """Return what lies in the slots of an object, of whatever class."""
    names = {
        name
        for base in type(one).__mro__
        for name, found in vars(base).items()
        if type(found).__name__ == "member_descriptor"
    }
    return {name: getattr(one, name) for name in sorted(names) if _is_set(one, name)}


def _is_set(one, name):
    """Tell whether a slot has a value; not one that attrs computes when asked for it."""
    if name == "_attrs_cached_hash" or (
        hasattr(one, "__attrs_attrs__") and name not in {a.name for a in one.__attrs_attrs__}
    ):
        return False
    return hasattr(one, name)


def _parts(one):
    """Return all that an object holds: attributes, slots (pydantic's extra, private, set fields).

    None for what is compared by its text.
    """
    module = type(one).__module__.split(".")[0]
    own = getattr(one, "__dict__", None)
    if module in ("pendulum", "types") and own:
        return {name: own[name] for name in own if name not in COMPUTED}
    if module in PLAIN or isinstance(one, type) or not (hasattr(one, "__dict__") or _slots(one)):
        return None
    cached = {
        name
        for base in type(one).__mro__
        for name, found in vars(base).items()
        if isinstance(getattr(found, "wrapped", found), functools.cached_property)
    }
    skip = cached | {"_attrs_cached_hash"}
    return {**{n: own[n] for n in sorted(own or ()) if n not in skip}, **_slots(one)}


def _typed(item):
    return f"{type(item).__qualname__} {item!r}"


def _container(one, other, where):
    if isinstance(one, types.MappingProxyType):
        assert_identical(one.copy(), other.copy(), where)
    elif isinstance(one, collections.deque):
        assert one.maxlen == other.maxlen, where
        assert_identical(list(one), list(other), where)
    elif isinstance(one, array.array):
        assert repr(one) == repr(other), where
    else:
        for name in ("start", "stop", "step"):
            assert_identical(getattr(one, name), getattr(other, name), f"{where}.{name}")


def _numpy(one, other, where):
    if hasattr(one, "isalignedstruct"):  # a dtype
        assert _numpy_type(one) == _numpy_type(other), where
        return
    assert _numpy_type(one.dtype) == _numpy_type(other.dtype), where
    if one.dtype.char == "O":
        pairs = zip(one.ravel("K").tolist(), other.ravel("K").tolist(), strict=True)
        for number, pair in enumerate(pairs):
            assert_identical(*pair, f"{where}[{number}]")
    else:
        assert one.tobytes() == other.tobytes(), where
    if type(one).__name__ == "ndarray":
        assert (one.shape, one.flags.f_contiguous) == (other.shape, other.flags.f_contiguous), where
        assert other.flags.writeable, where
    elif isinstance(one, (str, bytes)):
        assert one[:] == other[:], where  # with the NULs at their end


def _numpy_type(dtype):
    """Return all of a numpy dtype: == sees neither metadata nor alignment nor longlong."""
    fields = {k: (_numpy_type(v[0]), v[1:]) for k, v in (dtype.fields or {}).items()}
    inside = _numpy_type(dtype.base) if dtype.subdtype else None
    return (dtype.str, dtype.char, dtype.isalignedstruct, repr(dtype.metadata), dtype.names,
            fields, inside, dtype.shape)  # fmt: skip


def _arrow(one, other, where):
    """Compare pyarrow's values, with chunks, dictionaries and metadata; NaN is like NaN."""
    import pyarrow as pa

    if isinstance(one, (pa.Table, pa.RecordBatch)):
        assert one.schema.equals(other.schema, check_metadata=True), where
        assert one.num_rows == other.num_rows, where
        for number, (a, b) in enumerate(zip(one.columns, other.columns, strict=True)):
            _arrow(a, b, f"{where}.column({number})")
    elif isinstance(one, pa.ChunkedArray):
        lengths = [[len(chunk) for chunk in value.chunks] for value in (one, other)]
        assert lengths[0] == lengths[1], f"{where}: chunks {lengths[0]} became {lengths[1]}"
        for a, b in zip(one.chunks, other.chunks, strict=True):
            _arrow(a, b, where)
    elif isinstance(one, pa.Array):
        assert one.type == other.type, where
        assert repr(_cells(one)) == repr(_cells(other)), where
        assert str(one.type) == str(other.type), where
        if len(one) and hasattr(one, "dictionary"):
            _arrow(one.dictionary, other.dictionary, f"{where}.dictionary")
            _arrow(one.indices, other.indices, f"{where}.indices")
    elif isinstance(one, pa.Scalar):
        _arrow(pa.repeat(one, 1), pa.repeat(other, 1), where)
    elif isinstance(one, (pa.Schema, pa.Field)):
        assert one.equals(other, check_metadata=True), where
    else:
        assert (one, str(one)) == (other, str(other)), where


def _cells(array):
    """Return the cells of an Arrow array as Python's values, moments and times as their numbers.

    Python's own have no nanoseconds, which pyarrow drops, and end in the year 9999.
    """
    import pyarrow as pa
    from pyarrow.compute import run_end_decode

    kind = array.type
    if isinstance(array, pa.ExtensionArray):
        return _cells(array.storage)
    if pa.types.is_dictionary(kind):
        values = [*_cells(array.dictionary), None]
        return [values[-1 if index is None else index] for index in array.indices.to_pylist()]
    if pa.types.is_struct(kind):
        columns, is_valid = (
            [_cells(field) for field in array.flatten()],
            array.is_valid().to_pylist(),
        )
        return [is_valid[i] and [column[i] for column in columns] for i in range(len(array))]
    if pa.types.is_run_end_encoded(kind):
        return _cells(run_end_decode(array))
    if pa.types.is_nested(kind) and not pa.types.is_union(kind):  # lists and maps
        return [_cells(row.values) if row.is_valid else None for row in array]
    if pa.types.is_temporal(kind) and not pa.types.is_interval(kind):
        array = array.view(f"int{kind.bit_width}")
    return array.to_pylist()


def _pandas(one, other, where):
    import pandas as pd

    if isinstance(one, pd.DataFrame):
        assert one.shape == other.shape, where
        _index(one.columns, other.columns, f"{where}.columns")
        for i in range(one.shape[1]):
            _column(one.iloc[:, i], other.iloc[:, i], f"{where}.iloc[:, {i}]")
    else:
        assert len(one) == len(other), where
        assert_identical(one.name, other.name, f"{where}.name")
        _column(one, other, where)
    _index(one.index, other.index, f"{where}.index")
    assert_identical(one.attrs, other.attrs, f"{where}.attrs")
    assert one.flags == other.flags, where


def _array(one, other, where):
    import pandas as pd

    assert repr(getattr(one, "freq", None)) == repr(getattr(other, "freq", None)), where
    assert_identical(pd.Series(one), pd.Series(other), where)


def _column(one, other, where):
    """Compare the cells of columns and indexes; those of Arrow's types pandas cannot always."""
    import numpy as np
    import pandas as pd

    _dtype(one.dtype, other.dtype, where)
    if isinstance(one.dtype, pd.ArrowDtype):
        cells = [
            [cell for chunk in value.array.__arrow_array__().chunks for cell in _cells(chunk)]
            for value in (one, other)
        ]
        assert repr(cells[0]) == repr(cells[1]), where
    elif one.dtype == object:
        assert_identical(list(one), list(other), where)
    elif isinstance(one.dtype, pd.CategoricalDtype):
        assert list(one.array.codes) == list(other.array.codes), where
    elif isinstance(one.dtype, np.dtype):
        assert one.to_numpy().tobytes() == other.to_numpy().tobytes(), where
    else:
        pd.testing.assert_extension_array_equal(one.array, other.array, check_exact=True)
        assert repr(list(one)) == repr(list(other)), where


def _dtype(one, other, where):
    import pandas as pd

    if isinstance(one, pd.CategoricalDtype):
        assert one.ordered is other.ordered, where
        _index(one.categories, other.categories, f"{where}.categories")
    else:
        assert repr(one) == repr(other), f"{where}: {one!r} became {other!r}"
        assert type(one) is type(other), where
        if hasattr(one, "isalignedstruct"):
            assert _numpy_type(one) == _numpy_type(other), where
        assert_identical(getattr(one, "tz", None), getattr(other, "tz", None), f"{where}.tz")


def _index(one, other, where):
    """Compare indexes: of rows, of columns, levels, categories. `repr` shows less than all of it."""
    import pandas as pd

    assert type(one) is type(other), f"{where}: {type(one)} became {type(other)}"
    assert_identical(list(one.names), list(other.names), f"{where}.names")
    if isinstance(one, pd.MultiIndex):
        for number, (a, b) in enumerate(zip(one.levels, other.levels, strict=True)):
            _index(a, b, f"{where}.levels[{number}]")
        for a, b in zip(one.codes, other.codes, strict=True):
            assert (a.dtype, list(a)) == (b.dtype, list(b)), f"{where}.codes"
        return
    if isinstance(one, pd.RangeIndex):
        assert (one.start, one.stop, one.step) == (other.start, other.stop, other.step), where
        return
    _column(one, other, where)
    if isinstance(one, (pd.DatetimeIndex, pd.TimedeltaIndex)):
        assert repr(one.freq) == repr(other.freq), f"{where}: {one.freq!r} became {other.freq!r}"
        assert one.freq == other.freq, where
