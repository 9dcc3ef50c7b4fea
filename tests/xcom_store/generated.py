"""Hypothesis strategies: nested Python values, and pandas frames of every dtype and index."""

from __future__ import annotations

import array
import collections
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import functools
import ipaddress
import pathlib
import sys
import types
import uuid
import zoneinfo
from dataclasses import dataclass
from typing import Any, NamedTuple

import attrs
import numpy as np
import pandas as pd
import pendulum
import pyarrow as pa
import pydantic
import pytz
from dateutil import relativedelta, tz
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp


class Colour(enum.Enum):
    RED = "red"


class Point(NamedTuple):
    x: Any
    y: Any


@dataclass
class Trip:
    distance: Any


class Text(str):
    __slots__ = ()


texts = st.text(st.characters(exclude_categories=()), max_size=8)  # lone surrogates and NUL, too
fixed_zones = st.builds(dt.timezone, st.timedeltas(dt.timedelta(hours=-23), dt.timedelta(hours=23)))
names = sorted(zoneinfo.available_timezones() - {"localtime", "posixrules"})
zones = st.none() | st.just(dt.UTC) | fixed_zones | st.sampled_from(names).map(zoneinfo.ZoneInfo)
foreign_zones = (
    st.sampled_from(pytz.common_timezones).map(pytz.timezone)
    | st.integers(-1439, 1439).map(pytz.FixedOffset)
    | st.sampled_from(
        [tz.tzutc(), tz.tzlocal(), tz.gettz("Asia/Kolkata"), tz.gettz("Europe/Berlin")]
    )
    | st.builds(tz.tzoffset, st.none() | st.text(max_size=3), st.integers(-80_000, 80_000))
)
numbers = st.integers() | st.integers(-(2**300), 2**300) | st.floats()
moments = (
    st.dates() | st.datetimes(timezones=zones) | st.times(timezones=zones) | st.timedeltas() | zones
)
stamps = st.builds(
    lambda count, unit, zone: pd.Timestamp(count, unit=unit).as_unit(unit).tz_localize(zone),
    st.integers(-(10**8), 10**9), st.sampled_from(["s", "ms", "us", "ns"]),
    st.sampled_from([None, "UTC", "Asia/Kolkata"]),
)  # fmt: skip
wholes = st.integers(-(10**6), 10**6)
offsets = st.sampled_from([
    pd.offsets.Day, pd.offsets.MonthEnd, pd.offsets.BusinessHour, pd.offsets.YearBegin,
    pd.offsets.CustomBusinessDay, pd.offsets.LastWeekOfMonth, pd.offsets.Milli,
]).flatmap(lambda kind: st.builds(kind, st.integers(1, 9)))  # fmt: skip
# Of other modules and libraries, each a row in `documents`.
known = (
    st.builds(range, wholes, wholes, wholes.filter(bool)) | st.builds(fractions.Fraction, st.integers())
    | st.builds(fractions.Fraction, st.integers(), st.integers(1, 2**70)) | st.builds(slice, wholes, texts)
    | st.ip_addresses() | st.ip_addresses().map(ipaddress.ip_network)
    | st.ip_addresses().map(ipaddress.ip_interface) | foreign_zones
    | st.datetimes(timezones=foreign_zones) | st.lists(st.floats()).map(lambda v: array.array("d", v))
    | st.lists(st.integers(-99, 99)).map(lambda v: array.array("b", v))
    | st.builds(pendulum.duration, days=wholes, years=st.integers(-9, 9), seconds=st.floats(0, 9))
    | st.builds(pendulum.Date, st.integers(1, 9999), st.integers(1, 12), st.integers(1, 28))
    | st.builds(lambda d, z: pendulum.DateTime(*d.timetuple()[:6], d.microsecond, tzinfo=z), st.datetimes(), zones | foreign_zones)
    | st.times().map(lambda t: pendulum.Time(t.hour, t.minute, t.second, t.microsecond))
    | st.builds(
        relativedelta.relativedelta, months=wholes, hours=wholes, year=st.none() | st.integers(1, 9),
        weekday=st.none() | st.sampled_from([relativedelta.MO, relativedelta.SU(-2)]),
    )
    | st.builds(lambda n, f: pd.Period(ordinal=n, freq=f), wholes, st.sampled_from(["M", "2D", "W-TUE", "s", "Q-NOV", "ns"]))
    | st.builds(lambda a, b, c: pd.Interval(a, a + b, c), wholes, st.integers(0, 9), st.sampled_from(["left", "both"]))
    | offsets | texts.map(np.str_) | st.binary(max_size=3).map(np.bytes_) | st.just(np.longlong(3))
    | hnp.scalar_dtypes() | st.just(...)
)  # fmt: skip
# As pyarrow makes them of Python's values, in chunks.
arrow_values = st.lists(
    st.lists(st.none() | st.integers(0, 9), max_size=3), min_size=1, max_size=3
).flatmap(
    lambda parts: st.sampled_from([
        pa.chunked_array(parts, pa.int8()),
        pa.array(parts[0], pa.int8()),
        pa.array(parts[0], pa.int16()).dictionary_encode(),
        pa.concat_tables([pa.table({"a": pa.array(p, pa.int8()).dictionary_encode()}) for p in parts]),
        pa.table({"a": pa.chunked_array(parts, pa.int8()), "b": pa.chunked_array(parts[::-1], pa.int8()).slice(0)})
        if sum(map(len, parts)) else pa.table({}),
        pa.scalar(parts, pa.list_(pa.list_(pa.int8()))),
        pa.ExtensionArray.from_storage(pa.bool8(), pa.array(parts[0], pa.int8())),
    ])
)  # fmt: skip
arrays = hnp.arrays(hnp.scalar_dtypes() | hnp.array_dtypes(), hnp.array_shapes(min_dims=0))
# pandas itself fails on a signalling NaN.
decimals = st.decimals(allow_nan=False) | st.just(decimal.Decimal("NaN"))
scalars = (
    st.none() | st.booleans() | numbers | texts | moments | st.complex_numbers() | stamps
    | st.binary(max_size=9) | st.binary(max_size=9).map(bytearray)
    | decimals | st.uuids() | texts.map(lambda t: pathlib.Path(t.replace("\0", "")))
    | hnp.scalar_dtypes().flatmap(hnp.from_dtype) | st.sampled_from([pd.NaT, pd.NA])
)  # fmt: skip
scalars |= known
leaves = (
    arrays
    | arrow_values
    | st.binary(min_size=70_000, max_size=70_001)
    | st.lists(st.integers(0, 9), max_size=3).map(lambda v: pa.table({"a": v}))
)
# What may be stored exactly or refused, but never changed.
odd = st.sampled_from([
    Colour.RED, Trip(1), Trip(Trip(2)), Text("a"), memoryview(b"x"), int, len,
    decimal.Context(), object(), ValueError("x"), uuid.NAMESPACE_DNS, tz.tzstr("EST5EDT"),
    collections.defaultdict(lambda: 1), pathlib.PureWindowsPath("a"), np.ma.array([1], mask=[True]),
    np.array([None]), np.array([object()]), np.random.default_rng(0), np.zeros(1, "i1,i8").astype(
        np.dtype([("a", "i1"), ("b", "i8")], align=True)),
    pd.Index([1]), pd.array([1]), pa.schema([("a", pa.int8())]), iter([1]), NotImplemented,
    collections.UserDict(a=1), enum.IntFlag("F", "A B").A, pd.Categorical(["a"]), {}.keys(),
])  # fmt: skip
keys = st.recursive(
    st.none() | st.booleans() | st.integers() | texts | st.floats(allow_nan=False) | st.dates()
    | st.sampled_from(["$xcom", "__id__", "__classname__", "__version__", "__data__", "__type"]),
    lambda inner: st.lists(inner, max_size=2).map(tuple), max_leaves=3,
)  # fmt: skip


def values(odd_ones=odd):
    """Nested values; without `odd_ones` nothing in them may be refused."""
    one = scalars | leaves | frames(tame=True) if odd_ones is None else scalars | leaves | odd_ones
    return st.recursive(
        one,
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.lists(inner, max_size=4).map(tuple)
            | st.dictionaries(texts, inner, max_size=4)
            | st.dictionaries(keys, inner, max_size=4)
            | st.builds(Point, inner, inner)
            | st.builds(Trip, inner)
            | st.dictionaries(keys, inner, max_size=3).map(collections.OrderedDict)
            | st.dictionaries(keys, inner, max_size=3).map(collections.Counter)
            | st.dictionaries(keys, inner, max_size=3).map(types.MappingProxyType)
            | st.dictionaries(keys, inner, max_size=3).map(
                lambda v: collections.defaultdict(list, v)
            )
            | st.dictionaries(st.text("ab", max_size=3), inner, max_size=3).map(
                lambda v: types.SimpleNamespace(**v)
            )
            | st.builds(
                collections.deque, st.lists(inner, max_size=3), st.none() | st.integers(0, 4)
            )
            | st.lists(inner, max_size=4).map(lambda v: np.fromiter(v, dtype=object, count=len(v)))
            | objects(inner)
            | st.sets(keys, max_size=4)
            | st.frozensets(keys, max_size=4)
        ),
        max_leaves=8,
    )


FIELDS = st.lists(
    st.sampled_from(["a", "_b", "c_d", "Kind", "self", "ü"]), min_size=1, max_size=3, unique=True
)
OPTIONS = st.fixed_dictionaries({"slots": st.booleans(), "frozen": st.booleans()})


@functools.cache
def made_class(kind, names, slots, frozen):
    """Return a class of a kind with these fields, to be imported from this module."""
    name = f"Made{made_class.cache_info().currsize}"
    if kind == "dataclass":
        made = dataclasses.make_dataclass(name, names, slots=slots, frozen=frozen)
    elif kind == "attrs":
        made = attrs.make_class(name, [*names], slots=slots, frozen=frozen, cache_hash=frozen, unsafe_hash=frozen)  # fmt: skip
    else:
        public = {n: (Any, None) for n in names if not n.startswith("_")}
        config = pydantic.ConfigDict(extra="allow" if slots else "ignore", frozen=frozen)
        made = pydantic.create_model(name, __config__=config, _private=(Any, 0), **public)
    made.__module__, made.__qualname__ = __name__, name
    setattr(sys.modules[__name__], name, made)
    return made


@st.composite
def objects(draw, inner):
    """Objects of generated classes, with any values in their fields."""
    kind = draw(st.sampled_from(["dataclass", "attrs", "pydantic"]))
    names = [n for n in draw(FIELDS) if kind == "dataclass" or n != "self"] or ["a"]
    made = made_class(kind, tuple(names), **draw(OPTIONS))
    if kind == "pydantic":
        known = [n for n in names if n in made.model_fields]
        value = made(
            **{n: draw(inner) for n in known[: draw(st.integers(0, 3))]}, extra=draw(inner)
        )
        setattr(value, "_private", draw(inner))  # noqa: B010 - ruff would have it private
        return value
    return made(*[draw(inner) for _ in names])


mixed = st.booleans() | st.integers() | texts | st.dates() | st.binary(max_size=2)
UNITS = st.sampled_from(["s", "ms", "us", "ns"])
SMALL = st.integers(0, 100)
cells = (
    scalars
    | st.lists(scalars, max_size=2)
    | st.dictionaries(texts, scalars | st.tuples(scalars), max_size=2)
)
WORDS = st.none() | texts | st.sampled_from(["a", "b"])
PLAIN = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/Sao_Paulo", dt.UTC, "+02:30"])
ARROW = {
    pa.int16(): st.integers(-9, 9), pa.string(): PLAIN, pa.large_string(): PLAIN,
    pa.float32(): st.floats(width=32), pa.float64(): st.floats(), pa.bool_(): st.booleans(),
    pa.binary(): st.binary(max_size=3), pa.date32(): st.dates(), pa.date64(): st.dates(),
    pa.timestamp("s"): st.integers(0, 10**9), pa.timestamp("ns", "UTC"): st.integers(0, 10**9),
    pa.duration("s"): st.integers(0, 10**9), pa.time64("ns"): st.integers(0, 10**9),
    pa.time32("s"): st.integers(0, 80_000), pa.null(): st.none(),
    pa.decimal128(9, 3): st.decimals(-999, 999, places=3), pa.list_(pa.int8()): st.lists(SMALL),
    pa.dictionary(pa.int8(), pa.string()): PLAIN, pa.float16(): st.just(1.0),
    pa.struct([("x", pa.int8())]): st.fixed_dictionaries({"x": SMALL}),
    pa.map_(pa.string(), pa.int8()): st.lists(st.tuples(st.text("ab", max_size=2), SMALL), max_size=2),
}  # fmt: skip


EXTENSIONS = {pa.string(): pa.json_(), pa.int8(): pa.bool8(), pa.binary(16): pa.uuid()}
ARROW |= {
    pa.int8(): st.integers(0, 1),
    pa.binary(16): st.binary(min_size=16, max_size=16),
}


# Indexes that know more than their values.
REGULAR = st.sampled_from([
    lambda n: pd.RangeIndex(2, 2 + 3 * n, 3, name="r"),
    lambda n: pd.date_range("2026-03-27", periods=n, freq="B"),
    lambda n: pd.date_range("2026-03-27", periods=n, freq=pd.DateOffset(months=1)),
    lambda n: pd.date_range("2026-03-28", periods=n, freq="D", tz="Europe/Berlin", name=("d", 1)),
    lambda n: pd.timedelta_range("1h", periods=n, freq="2h"),
    lambda n: pd.interval_range(0, n),
    lambda n: pd.period_range("2026", periods=n, freq="M"),
    lambda n: pd.CategoricalIndex(range(n), pd.RangeIndex(n + 1)),
    lambda n: pd.CategoricalIndex(pd.interval_range(0, n)),
])  # fmt: skip


def categorical(draw, n):
    if draw(st.booleans()):
        codes = draw(st.lists(st.integers(-1, 3), min_size=n, max_size=n))
        return pd.Categorical.from_codes(codes, draw(REGULAR)(4), ordered=draw(st.booleans()))
    unique = st.lists(
        draw(st.sampled_from([SMALL, texts, st.floats(), st.dates(), mixed, stamps, st.booleans()])),
        min_size=1, max_size=4, unique_by=repr,
    )  # fmt: skip
    known = draw(unique)
    codes = draw(st.lists(st.integers(-1, len(known) - 1), min_size=n, max_size=n))
    try:
        dtype = pd.CategoricalDtype(known, ordered=draw(st.booleans()))
        return pd.Categorical.from_codes(codes, dtype=dtype)
    except (ValueError, TypeError):  # equal or missing ones among the categories
        return pd.Categorical(["a"] * n, categories=["b", "a"])


def times(draw, n, kind):
    counts = draw(st.lists(st.integers(-(10**9), 10**9), min_size=n, max_size=n))
    array = np.array(counts, "i8").view(f"{kind}8[{draw(UNITS)}]")
    if n and draw(st.booleans()):
        array[0] = "NaT"
    return array


@st.composite
def columns(draw, n):
    def many(cell):
        return draw(st.lists(cell, min_size=n, max_size=n))

    kind = draw(st.sampled_from(KINDS))
    if kind == "numpy":
        return draw(hnp.arrays(hnp.scalar_dtypes(), n))
    if kind == "objects":
        return pd.Series(many(cells), dtype=object).to_numpy()
    if kind == "embeddings":
        dtype = draw(st.sampled_from(["f4", "f8", "i2", "?", ">i4", "q"]))
        cell = hnp.arrays(
            dtype, st.integers(0, 3) if draw(st.booleans()) else hnp.array_shapes(max_dims=2)
        )
        return np.fromiter(many(st.none() | cell), dtype=object, count=n)
    if kind == "alike":
        one = st.sampled_from([texts, st.binary(), st.integers(), st.booleans(), st.dates(),
                               decimals, st.floats(), st.datetimes(timezones=zones)])  # fmt: skip
        return pd.Series(many(st.none() | draw(one)), dtype=object).to_numpy()
    if kind == "str":
        return pd.array(
            many(PLAIN), draw(st.sampled_from(["str", "string[python]", "string[pyarrow]"]))
        )
    if kind == "masked":
        name, cell = draw(st.sampled_from([("Int8", SMALL), ("UInt64", SMALL), ("boolean", st.booleans()),
                                           ("Float32", st.floats(width=32)), ("Float64", st.floats())]))  # fmt: skip
        return pd.array(many(st.none() | cell), name)
    if kind == "zoned":
        return (
            pd.DatetimeIndex(times(draw, n, "M")).tz_localize("UTC").tz_convert(draw(ZONES)).array
        )
    if kind == "period":
        return pd.PeriodIndex(times(draw, n, "M"), freq=draw(st.sampled_from("YQMWDhs"))).array
    if kind == "interval":
        closed = draw(st.sampled_from(["left", "right", "both", "neither"]))
        lefts = many(st.sampled_from([0.5, 1.0, 2.0, float("nan")]))
        return pd.arrays.IntervalArray.from_arrays(lefts, [v + 1 for v in lefts], closed=closed)
    if kind == "category":
        return categorical(draw, n)
    if kind == "arrow":
        dtype = draw(st.sampled_from(list(ARROW)))
        made = pa.array(many(st.none() | ARROW[dtype]), dtype)
        how = draw(st.sampled_from(["plain", "plain", "dictionary", "extension"]))
        if how == "dictionary" and not pa.types.is_dictionary(dtype):
            made = made.dictionary_encode()
        if how == "extension" and dtype in EXTENSIONS:
            made = pa.ExtensionArray.from_storage(EXTENSIONS[dtype], made)
        return pd.arrays.ArrowExtensionArray(made)
    if kind == "sparse":
        return pd.arrays.SparseArray(many(SMALL))
    return times(draw, n, kind)


KINDS = ["numpy", "M", "m", "objects", "alike", "str", "masked", "zoned", "period", "interval",
         "category", "arrow", "sparse", "embeddings"]  # fmt: skip


@st.composite
def indexes(draw, n):
    kind = draw(
        st.sampled_from(["default", "range", "flat", "flat", "multi", "product", "dates", "deltas"])
    )
    name = draw(st.none() | texts | st.integers() | st.tuples(texts, st.dates()))
    if kind == "range":
        start, step = draw(st.tuples(st.integers(-5, 5), st.sampled_from([-3, 1, 2])))
        return pd.RangeIndex(start, start + n * step, step, name=name)
    if kind == "flat":
        array = draw(columns(n))
        return pd.Index(array, dtype=array.dtype, name=name, tupleize_cols=False)
    if kind == "multi":
        levels = draw(st.lists(columns(n), min_size=1, max_size=3))
        return pd.MultiIndex.from_arrays(
            levels,
            names=draw(st.lists(st.none() | texts, min_size=len(levels), max_size=len(levels))),
        )
    if kind == "product":
        parts = [draw(REGULAR)(count) for count in (2, 3)]
        return pd.MultiIndex.from_product(parts, names=[None, name])[:n]
    if kind == "dates":
        freq = draw(st.sampled_from(["D", "2h", "MS", "B", "W-TUE", "QE-NOV", "90min"]))
        return pd.date_range(
            "2026-03-28", periods=n, freq=freq, tz=draw(st.none() | ZONES), name=name
        )
    if kind == "deltas":
        return pd.timedelta_range("1D", periods=n, freq="3h", name=name)
    return pd.RangeIndex(n)


@st.composite
def frames(draw, *, tame=False):
    """DataFrames and Series; some of these pandas itself cannot build, they are drawn again."""
    from hypothesis import assume

    rows, width = draw(st.integers(0, 6)), draw(st.integers(0, 4))
    try:
        if tame:
            return pd.DataFrame({n: pd.Series(times(draw, rows, "M")) for n in range(width)})
        index = draw(indexes(rows))
        parts = [
            pd.Series(a, index=index, dtype=a.dtype)
            for a in draw(st.tuples(*[columns(rows)] * width))
        ]
        frame = pd.concat(parts, axis=1) if parts else pd.DataFrame(index=index)
        frame = pd.DataFrame(dict(enumerate(parts)), index=index)
        if draw(st.booleans()):
            frame.columns = draw(indexes(width))
        if draw(st.booleans()):
            frame = frame.iloc[:: draw(st.sampled_from([2, -1]))]
        if draw(st.integers(0, 3)) == 0 and width:
            frame = frame.iloc[:, 0].rename(draw(st.none() | texts | st.tuples(texts, texts)))
    except (
        ValueError,
        TypeError,
        OverflowError,
        pa.ArrowException,
        NotImplementedError,
        AttributeError,
    ):
        assume(False)
    frame.attrs = draw(st.dictionaries(texts, scalars, max_size=1))
    return frame
