"""The round-trip table: one line a value. Each runs over both paths, inline and offloaded."""

from __future__ import annotations

import array
import dataclasses
import datetime as dt
import enum
import ipaddress
import types
import uuid
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from decimal import Decimal
from fractions import Fraction
from pathlib import Path, PurePosixPath, PureWindowsPath
from zoneinfo import ZoneInfo

import attrs
import numpy as np
import pandas as pd
import pendulum
import pyarrow as pa
import pydantic
import pytest
import pytz
from dateutil import relativedelta, tz
from requests.structures import CaseInsensitiveDict
from sqlalchemy.engine.result import result_tuple

from tests.xcom_store.classes import OBJECTS

pl = pytest.importorskip("polars")  # not among what the image installs


def frame(**columns):
    return pd.DataFrame(columns)


def indexed(index):
    return pd.DataFrame({"v": range(len(index))}, index=index)


def objects(*cells):
    return frame(a=pd.Series(cells, dtype=object))


def arrow(values, kind):
    made = values if isinstance(values, pa.Array) else pa.array(values, kind)
    return pd.Series(pd.arrays.ArrowExtensionArray(made))


def labelled(index):
    return pd.DataFrame([range(len(index))], columns=index)


def categorical(categories, codes=(1, -1, 0)):
    return frame(a=pd.Categorical.from_codes(codes, categories))


def with_attrs(frame, **attrs):
    frame.attrs = attrs
    return frame


def of_type(kind, *storage):
    """Return an Arrow array of an extension type."""
    return pa.ExtensionArray.from_storage(kind, pa.array(storage, kind.storage_type))


def codes(values, codes=(1, 0, None), kind=pa.int8(), **options):  # noqa: B008
    return pa.DictionaryArray.from_arrays(pa.array(codes, kind), pa.array(values), **options)


def with_dictionaries():
    """Return what pyarrow makes of two partitions, each with a dictionary of its own."""
    return pa.concat_tables(
        [pa.table({"a": pa.array(cells).dictionary_encode()}) for cells in (["x", "y"], ["z", "x"])]
    )


class Color(enum.Enum):
    RED = 1


class Size(enum.IntEnum):
    L = 3


Point = namedtuple("Point", "x y")  # noqa: PYI024


@dataclasses.dataclass
class Trip:
    miles: float
    tags: list


@attrs.define
class Zone:
    name: str


class Fare(pydantic.BaseModel):
    cents: int


class Custom:
    """A class that serializes itself, Airflow's way."""

    def __init__(self, value):
        self.value = value

    def serialize(self):
        return {"value": self.value}

    @staticmethod
    def deserialize(data, _version):
        return Custom(data["value"])


BERLIN = ZoneInfo("Europe/Berlin")
AMBIGUOUS = dt.datetime(2026, 10, 25, 2, 30, fold=1)
STAMPS = pd.to_datetime(["2026-01-01", None, "2026-02-01"])

VALUES = {
    "none in a list": lambda: [None],
    "bool": lambda: True,
    "int": lambda: 7,
    "int of 64 bits": lambda: [2**63 - 1, -(2**63)],
    "int beyond 64 bits": lambda: [2**63, -(10**3000)],
    "float": lambda: 0.1,
    "floats that jsonb changes": lambda: [-0.0, 1e16, 1e308, 5e-324],
    "floats that JSON lacks": lambda: [float("nan"), float("inf"), float("-inf")],
    "complex": lambda: complex(-0.0, float("nan")),
    "str": lambda: "Grüße, 世界 🚕",
    "str like a URI": lambda: "s3://airflow-xcoms/xcom/dag_id=a/b.json",
    "str with NUL": lambda: "a\0b",
    "str with lone surrogate": lambda: "a\ud800b",
    "bytes": lambda: b"\x00\xff",
    "bytearray": lambda: bytearray(b"abc"),
    "bytes, large": lambda: bytes(range(256)) * 400,
    "bytearray, large": lambda: bytearray(range(256)) * 400,
    "list": lambda: [1, [2.5, [None, "x"]]],
    "dict": lambda: {"b": 1, "a": {"c": [True]}},
    "dict with other keys": lambda: {1: "a", None: 2, (1, 2): 3, 1.5: 4, "x": 5},
    "dict with reserved keys": lambda: [{"$xcom": 1}, {"__classname__": "x", "__version__": 1}],
    "dict with the old serializer's keys": lambda: {"__type": "dict", "__var": {"a": 1}},
    "dict with an unknown id": lambda: {"__id__": "mine"},
    "tuple": lambda: (1, ("a", [2])),
    "set": lambda: {1, "a", (2, 3)},
    "frozenset": lambda: frozenset({1, 2}),
    "empty ones": lambda: [[], {}, (), set(), frozenset(), "", b"", bytearray()],
    "date": lambda: dt.date(1, 1, 1),
    "time": lambda: [dt.time(1, 2, 3, 4), dt.time(2, 30, fold=1, tzinfo=dt.UTC)],
    "datetime": lambda: dt.datetime(2026, 11, 22, 1, 2, 3, 4),
    "datetime, zoned": lambda: [AMBIGUOUS.replace(tzinfo=BERLIN), AMBIGUOUS.replace(tzinfo=dt.UTC)],
    "timezone": lambda: [dt.timezone(dt.timedelta(hours=2)), dt.timezone(dt.timedelta(0), "Z")],
    "timezone with the name that it would have anyway": lambda: [
        dt.timezone(dt.timedelta(hours=1), "UTC+01:00"),
        dt.timezone(dt.timedelta(0), "UTC"),
    ],
    "zoneinfo": lambda: BERLIN,
    "timedelta": lambda: dt.timedelta(days=-1, microseconds=1),
    "pendulum": lambda: pendulum.datetime(2026, 11, 22, 1, 2, 3, 4, tz="Europe/Berlin"),
    "pendulum, fixed offset": lambda: pendulum.parse("2026-11-22T01:02:03+02:00"),
    "pendulum, zones of others": lambda: [
        pendulum.DateTime(2026, 3, 29, 2, 30, tzinfo=zone)
        for zone in (BERLIN, dt.UTC, tz.tzutc(), pytz.utc, pytz.timezone("Europe/Berlin"))
    ],
    "Decimal": lambda: [Decimal("1.50"), Decimal("-0.0"), Decimal("NaN"), Decimal("1E+30")],
    "str of two surrogates": lambda: ["\ud83d\ude00", {"\ud83d\ude00": 1}],
    "OrderedDict": lambda: OrderedDict([("b", 1), ("a", (2,)), (3, None)]),
    "Counter": lambda: Counter({"a": 2, 1: -1, None: 0.5}),
    "defaultdict": lambda: [defaultdict(list, {1: [2]}), defaultdict(None, a=1), defaultdict(int)],
    "deque": lambda: [deque([1, (2,)], maxlen=5), deque("ab"), deque(maxlen=0)],
    "MappingProxyType": lambda: [
        types.MappingProxyType({"a": (1,)}),
        types.MappingProxyType(OrderedDict(a=1)),
    ],
    "SimpleNamespace": lambda: types.SimpleNamespace(b=1, a=types.SimpleNamespace(c=(2,))),
    "range": lambda: [range(5), range(3, -(2**70), -3)],
    "slice": lambda: [slice(1, None), slice("a", (1,), 2)],
    "Ellipsis": lambda: [...],
    "Fraction": lambda: [Fraction(1, 3), Fraction(-(2**80))],
    "IP addresses": lambda: [
        *map(ipaddress.ip_address, ["1.2.3.4", "::1", "fe80::1%eth0"]),
        *map(ipaddress.ip_network, ["10.0.0.0/8", "fe80::/64"]),
        *map(ipaddress.ip_interface, ["10.0.0.1/8", "fe80::1/64"]),
    ],
    "array.array": lambda: [
        array.array("d", [1.5, float("nan")]),
        array.array("b"),
        array.array("Q", [7]),
    ],
    "UUID": lambda: uuid.UUID(int=5),
    "UUID of uuid1": lambda: [
        uuid.UUID(int=n, is_safe=safe) for n, safe in enumerate(uuid.SafeUUID)
    ],
    "Path": lambda: [Path("a/b"), PurePosixPath("/a"), PureWindowsPath("c:\\a")],
    "Path of bytes that are no text": lambda: Path("a\ud800"),
    "pendulum date, time": lambda: [pendulum.Date(2026, 1, 2), pendulum.Time(1, 2, 3, 4)],
    "pendulum durations": lambda: [
        pendulum.duration(years=1, months=2, days=1.5, milliseconds=3),
        pendulum.duration(days=1) - pendulum.duration(hours=3),
    ],
    "pendulum intervals": lambda: [
        pendulum.datetime(2026, 3, 1, tz="Europe/Berlin") - pendulum.datetime(2026, 1, 1),
        pendulum.Interval(pendulum.Date(2026, 1, 2), pendulum.Date(2026, 1, 1), absolute=True),
    ],
    "pytz zones": lambda: [
        pytz.utc,
        pytz.FixedOffset(90),
        pytz.timezone("Etc/GMT+3"),
        pytz.timezone("Europe/Berlin"),
        pytz.timezone("Europe/Berlin").localize(dt.datetime(2026, 7, 1)),
    ],
    "dateutil zones": lambda: [
        tz.tzutc(),
        tz.tzlocal(),
        tz.tzoffset("X", 3600),
        tz.tzoffset(None, -60),
        dt.datetime(2026, 7, 1, tzinfo=tz.gettz("Europe/Berlin")),
    ],
    "relativedelta": lambda: [
        relativedelta.relativedelta(months=1, weekday=relativedelta.MO(2)),
        relativedelta.relativedelta(hours=49, leapdays=1, year=2020),
    ],
    "what boto3 returns": lambda: {
        "Contents": [{"Key": "a", "LastModified": dt.datetime(2026, 1, 1, tzinfo=tz.tzutc())}],
        "created": dt.datetime(2026, 1, 1, tzinfo=tz.tzlocal()),
    },
    "SQLAlchemy rows": lambda: [result_tuple(["id", "at"])([1, dt.date(2026, 1, 1)])],
    "headers of requests": lambda: CaseInsensitiveDict({"Content-Type": "a/b", "x": "y"}),
    "URLs of pydantic": lambda: [
        pydantic.HttpUrl("https://a.b/ü?c=d"),
        pydantic.AnyUrl("s3://bucket/key"),
        pydantic.PostgresDsn("postgresql://a:1,b:2/c"),
    ],
    "pandas Timestamp": lambda: [pd.Timestamp("2026-01-01T00:00:00.000000001", tz="Europe/Berlin")],
    "pandas Timestamp, fold": lambda: [
        pd.Timestamp(2026, 10, 25, 2, 30, fold=1, tz=zone)
        for zone in (None, "UTC", "Europe/Berlin", "+01:00")
    ],
    "pandas Timedelta": lambda: pd.Timedelta(5, unit="s"),
    "pandas missing": lambda: [pd.NaT, pd.NA],
    "numpy scalars": lambda: [np.int8(1), np.float32(0.1), np.bool_(True), np.datetime64(1, "s")],
    "pandas Period": lambda: [pd.Period("2026-01", "2M"), pd.Period("2026-01-01 01:02:03", "s")],
    "pandas Interval": lambda: [pd.Interval(0, 1.5, "both"), pd.Interval(*STAMPS[::2])],
    "pandas offsets": lambda: [
        pd.offsets.Day(2),
        pd.offsets.MonthEnd(normalize=True),
        pd.offsets.Week(3, weekday=2),
        pd.offsets.BusinessHour(start="10:00"),
        pd.offsets.FY5253(weekday=1, startingMonth=2),
        pd.offsets.CustomBusinessDay(holidays=["2026-01-01"], weekmask="Mon Tue"),
        pd.DateOffset(months=1, hours=2),
        pd.DateOffset(weekday=relativedelta.MO(1)),
    ],
    "dtypes": lambda: [
        *map(np.dtype, ("i4", "q", ">f8", "M8[5s]", "U3", "O")),
        *map(pd.ArrowDtype, (pa.uuid(), pa.list_(pa.int8()))),
        pd.CategoricalDtype(),
        pd.CategoricalDtype(["b", "a"], ordered=True),
        pd.StringDtype("python"),
        pd.StringDtype("pyarrow", na_value=np.nan),
        pd.DatetimeTZDtype("s", pytz.timezone("Europe/Berlin")),
        pd.PeriodDtype("M"),
        pd.IntervalDtype("int64", "left"),
        pd.Int8Dtype(),
    ],
    "dtypes of a frame": lambda: frame(a=[1], b=["x"], c=pd.Categorical(["a"])).dtypes,
    "pandas Index": lambda: pd.Index(["a", None], name="n", dtype=object),
    "pandas Index of each kind": lambda: {
        "range": pd.RangeIndex(5, 0, -2, name="r"),
        "dates": pd.date_range("2026", periods=2, freq=pd.DateOffset(months=1), tz=BERLIN),
        "deltas": pd.timedelta_range("1h", periods=2),
        "periods": pd.period_range("2026", periods=2, freq="M"),
        "intervals": pd.interval_range(0, 2),
        "categories": pd.CategoricalIndex(["a", "b"]),
        "multi": pd.MultiIndex.from_product([["b", "a"], [1, 2]], names=["x", None])[:1],
        "empty": pd.Index([]),
    },
    "pandas Categorical": lambda: pd.Categorical(["a", None], ["b", "a"], ordered=True),
    "pandas arrays": lambda: [
        pd.array([1, None]),
        pd.array(["x", None], "string[python]"),
        pd.date_range("2026", periods=2, freq="D").array,
        pd.array(STAMPS),
        pd.timedelta_range("1h", periods=2, freq="2h").array,
        pd.period_range("2026", periods=2, freq="M").array,
        pd.arrays.IntervalArray.from_breaks([0, 1]),
        pd.arrays.NumpyExtensionArray(np.array([1, 2])),
        arrow(["x", None], pa.string()).array,
    ],
    "numpy str": lambda: [np.str_("ü"), np.str_(""), np.bytes_(b"x")],
    "numpy str with NULs at its end": lambda: [np.str_("a\0\0"), np.bytes_(b"a\0")],
    "numpy longlong": lambda: [np.longlong(1), np.ulonglong(1)],
    "enum": lambda: [Color.RED, Size.L],
    "named tuple": lambda: Point(1, (2, b"x")),
    "dataclass": lambda: Trip(1.5, ["a"]),
    "attrs object": lambda: Zone("JFK"),
    "pydantic model": lambda: Fare(cents=250),
    "object with serialize": lambda: Custom(5),
    "array": lambda: np.arange(12, dtype="i4").reshape(3, 4),
    "array, Fortran order": lambda: np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "array, 0-d": lambda: np.array(1.5),
    "array, empty": lambda: np.empty((0, 3), "u1"),
    "array, structured": lambda: np.array([(1, 2.5)], [("a", "i4"), ("b", "f8")]),
    "array, 1,000 fields": lambda: np.zeros(2, [(f"field {n}", "f8") for n in range(1_000)]),
    "array, 3,000 fields": lambda: np.ones(2, [(f"field {n}", "f8") for n in range(3_000)]),
    "array, datetime64": lambda: np.array(["2026-01-01", "NaT"], "M8[s]"),
    "array, big-endian": lambda: np.arange(3, dtype=">i8"),
    "array, str": lambda: np.array(["a", "üb"]),
    "array, objects": lambda: np.array([["a", None], [(1, [2]), np.nan]], dtype=object),
    "arrays of objects": lambda: [
        np.asfortranarray(np.array([[1, "a", 2.5]] * 2, dtype=object)),
        np.array(None, dtype=object),
        np.empty((0, 2), object),
        np.fromiter([[1], [2]], dtype=object),
        np.fromiter([np.arange(2), frame(a=[1])], dtype=object),
    ],
    "frame, arrays of objects": lambda: objects(np.array(["a", None], dtype=object), None),
    "array, longlong": lambda: np.arange(4, dtype=np.longlong).reshape(2, 2),
    "array, big-endian longlong": lambda: np.arange(3, dtype=np.dtype("Q").newbyteorder(">")),
    "Arrow table": lambda: pa.table({"a": [1, None], "b": [["x"], None]}, metadata={"k": "v"}),
    "Arrow record batch": lambda: pa.record_batch({"a": [1, 2]}),
    "Arrow table, chunks": lambda: pa.table(
        {"a": pa.chunked_array([[1, 2], [3, 4]]), "b": pa.chunked_array([["a"], ["b", "c", "d"]])}
    ),
    "Arrow table, empty chunks": lambda: pa.table(
        {"a": pa.chunked_array([[1], []], pa.int8()), "b": pa.chunked_array([[], [1]], pa.int8())}
    ),
    "Arrow table, no chunks": lambda: pa.table({"a": pa.chunked_array([], pa.int8())}),
    "Arrow table, a dictionary for each chunk": with_dictionaries,
    "Arrow table, dictionaries and chunks": lambda: with_dictionaries().append_column(
        "b", pa.chunked_array([[1], [2, 3, 4]])
    ),
    "Arrow table, dictionaries inside": lambda: pa.concat_tables(
        [
            pa.table({"a": pa.array([[cell]], pa.list_(pa.dictionary(pa.int8(), pa.string())))})
            for cell in "xy"
        ]
    ),
    "Arrow table, extension types": lambda: pa.table(
        {"u": of_type(pa.uuid(), b"0" * 16, None), "b": of_type(pa.bool8(), 1, 0)}
    ),
    "Arrow arrays": lambda: [
        pa.array([1, None]),
        pa.array([], pa.string()),
        codes(["x", "y"], ordered=True),
        of_type(pa.json_(), "{}"),
        pa.array([1, 2, 3, 4]).slice(1, 2),
        pa.record_batch({"a": [1]}).to_struct_array(),
        pa.chunked_array([["a"], [], ["b"]]),
        with_dictionaries().column(0),
    ],
    "Arrow array": lambda: pa.array(["a", None]),
    "Arrow scalars": lambda: [
        *map(
            pa.scalar,
            (
                1,
                None,
                "x",
                b"x",
                1.5,
                True,
                [1, None],
                {"a": 1},
                Decimal("1.50"),
                dt.UTC.utcoffset(None),
            ),
        ),
        pa.scalar(None, pa.int8()),
        codes(["x", "y"])[0],
        of_type(pa.uuid(), b"0" * 16)[0],
    ],
    "Arrow schema, types": lambda: [
        pa.schema([pa.field("a", pa.int8(), nullable=False)], metadata={"k": "v"}),
        pa.list_(pa.dictionary(pa.int8(), pa.string())),
        pa.uuid(),
    ],
    "frames in a dict": lambda: {"train": frame(a=[1, 2]), "test": frame(b=["x", None])},
    "frames deep inside": lambda: [1, (frame(a=[1]), {"x": [np.arange(3), b"z" * 70_000]})],
    "Decimals, many": lambda: [Decimal(i) / 7 for i in range(500)],
    "polars frame": lambda: pl.DataFrame(
        {
            "i": pl.Series([1, None], dtype=pl.Int128),
            "f": [float("nan"), None],
            "e": pl.Series(["u", None], dtype=pl.Enum(["v", "u"])),
            "t": [dt.time(1), None],
            "z": pl.Series(
                [dt.datetime(2026, 1, 1), None], dtype=pl.Datetime("ms", "Europe/Berlin")
            ),
            "l": [[{"a": b"x"}], None],
        }
    ),
    "polars frame, empty": pl.DataFrame,
    "polars Series": lambda: pl.Series("x", ["a", None]),
    "Series": lambda: pd.Series([1, 2], name="x"),
    "Series without name": lambda: pd.Series([1.5, np.nan]),
    "Series with a tuple for a name": lambda: pd.Series(["a"], name=("a", 1), index=["q"]),
    "frame, numbers": lambda: frame(i=[1, 2], f=[0.5, np.nan], b=[True, False]),
    "frame, small numbers": lambda: frame(
        i=np.array([1, 2], "i1"), u=np.array([1, 2], "u2"), f=np.array([1, np.nan], "f2")
    ),
    "frame, str": lambda: frame(a=["x", None, "ü"]),
    "frame, string": lambda: frame(
        a=pd.array(["x", None], "string[python]"), b=pd.array(["x", None], "string[pyarrow]")
    ),
    "frame, nullable": lambda: frame(
        i=pd.array([1, None], "Int64"),
        u=pd.array([1, None], "UInt8"),
        f=pd.array([1.5, None], "Float32"),
        b=pd.array([True, None], "boolean"),
    ),
    "frame, datetimes of each unit": lambda: frame(
        **{unit: STAMPS.as_unit(unit) for unit in ("s", "ms", "us", "ns")}
    ),
    "frame, zoned datetimes of each unit": lambda: frame(
        **{unit: STAMPS.as_unit(unit).tz_localize(BERLIN) for unit in ("s", "ms", "us", "ns")}
    ),
    "frame, UTC": lambda: frame(a=STAMPS.tz_localize("UTC")),
    "frame, fixed offset": lambda: frame(a=STAMPS.tz_localize(dt.timezone(dt.timedelta(hours=2)))),
    "frame, timedeltas of each unit": lambda: frame(
        **{unit: np.array([1, "NaT"], f"m8[{unit}]") for unit in ("s", "ms", "us", "ns")}
    ),
    "frame, period": lambda: frame(a=pd.period_range("2026", periods=2, freq="M")),
    "frame, interval": lambda: frame(
        a=pd.interval_range(0, 2), b=pd.interval_range(pd.Timestamp("2026"), periods=2)
    ),
    "frame, categories": lambda: frame(
        a=pd.Categorical(["u", None], categories=["v", "u", "w"], ordered=True),
        i=pd.Categorical([3, 1], categories=[3, 2, 1]),
        d=pd.Categorical(STAMPS[:2]),
        o=pd.Categorical([1, "a"]),
        v=pd.cut([1, 2], [0, 1, 3]),
    ),
    "frame, objects of one type": lambda: frame(
        s=pd.Series(["x", None], dtype=object),
        b=[b"x", None],
        t=pd.Series([True, None]),
        i=pd.Series([1, None], dtype=object),
        d=[dt.date(2026, 1, 1), None],
        n=[Decimal("1.50"), Decimal("-2.25")],
    ),
    "frame, objects of all types": lambda: objects(
        "a",
        None,
        np.nan,
        pd.NA,
        pd.NaT,
        1,
        True,
        1.0,
        [1, {"x": (2,)}],
        Decimal("1.5"),
        dt.datetime(2026, 1, 1),
        pd.Timestamp("2026"),
        np.float64(1),
        2**80,
        "\ud800",
    ),
    "frame, Decimals of many exponents": lambda: objects(Decimal("1.5"), Decimal("1.50")),
    "frame, odd Decimals": lambda: frame(
        i=[Decimal("Infinity"), None],
        n=[Decimal("NaN"), Decimal(1)],
        z=[Decimal("-0.0"), Decimal("1.0")],
        e=[Decimal("1E+3"), Decimal("2E+3")],
        s=[Decimal("1E-90"), Decimal("2E-90")],
        d=[Decimal("1." + "2" * 70), Decimal("1." + "3" * 70)],
        o=[Decimal("1." + "2" * 80), Decimal(1)],
        w=[None, Decimal("12.30")],
    ),
    "frame, Arrow-backed": lambda: frame(
        i=arrow([1, None], pa.int64()),
        s=arrow(["x", None], pa.string()),
        t=arrow([None, dt.datetime(2026, 1, 1)], pa.timestamp("s")),
        l=arrow([[1], None], pa.list_(pa.int32())),
        d=arrow([Decimal("1.5"), None], pa.decimal128(10, 2)),
    ),
    "frame, Arrow extension types": lambda: frame(
        u=arrow(of_type(pa.uuid(), b"0" * 16, None), pa.uuid()),
        j=arrow(of_type(pa.json_(), "{}", None), pa.json_()),
        b=arrow(of_type(pa.bool8(), 1, 0), pa.bool8()),
        t=arrow(
            of_type(pa.fixed_shape_tensor(pa.int8(), [2]), [1, 2], [3, 4]),
            pa.fixed_shape_tensor(pa.int8(), [2]),
        ),
        l=arrow(
            pa.array([[b"0" * 16], None], pa.list_(pa.binary(16))).cast(pa.list_(pa.uuid())),
            pa.list_(pa.uuid()),
        ),
    ),
    "frame, Arrow dictionaries": lambda: frame(
        **{
            str(n): arrow(
                codes(values, ordered=bool(n)),
                pa.dictionary(pa.int8(), pa.array(values).type, bool(n)),
            )
            for n, values in enumerate(
                [
                    ["x", "y"],
                    [5, 6],
                    [1.5, 0.5],
                    [True, False],
                    [b"x", b"y"],
                    [dt.date(2026, 1, 1), dt.date(2026, 1, 2)],
                ]
            )
        }
    ),
    "frame, odd Arrow types": lambda: frame(
        v=arrow(["x"], pa.string_view()),
        n=arrow([None], pa.null()),
        d=arrow([1], pa.duration("s")),
        h=arrow([1.0], pa.float16()),
        t=arrow([1], pa.time32("s")),
        b=arrow([b"xx"], pa.binary(2)),
        s=arrow([{"x": float("nan")}], pa.struct([("x", pa.float64())])),
    ),
    "frame, Arrow types of engines": lambda: frame(
        us=arrow([dt.time(1, 2, 3, 4), None], pa.time64("us")),
        ns=arrow([dt.time(1, 2, 3, 4), None], pa.time64("ns")),
        m=arrow([[("a", 1)], None], pa.map_(pa.string(), pa.int8())),
        d=arrow([Decimal("1." + "2" * 70), None], pa.decimal256(71, 70)),
        l=arrow([[Decimal("1." + "2" * 70)], None], pa.list_(pa.decimal256(71, 70))),
    ),
    "frame, big-endian": lambda: frame(
        a=np.array([1, 2], ">i8"), b=np.array([1.5, 2], ">f4"), c=np.array([1, 2], ">M8[s]")
    ),
    "frame, longlong": lambda: frame(a=np.array([1, 2], "q"), b=np.array([1, 2], "Q")),
    "frame, embeddings": lambda: frame(
        a=[np.arange(3, dtype="f4"), None, np.array([], "f4"), np.array([np.nan], "f4")],
        b=[np.array([1, 2]), np.array([3]), np.array([True]), None],
        c=[np.ones((2, 2)), np.array(["a\0b"]), np.asfortranarray(np.ones((2, 3))), np.array(1.5)],
        d=[np.array([True, False])] * 4,
    ),
    "frame, zones of pytz and dateutil": lambda: frame(
        p=STAMPS.tz_localize(pytz.timezone("Europe/Berlin")),
        d=STAMPS.tz_localize(tz.gettz("Europe/Berlin")),
        u=STAMPS.tz_localize(tz.tzutc()),
    ),
    "frame, surrogates": lambda: pd.DataFrame(
        [["\ud83d\ude00", 1, 2]],
        columns=pd.Index(["\ud800", "b\0", "\ud83d\ude00"], dtype=object),
        dtype=object,
    ),
    "frame, empty": lambda: pd.DataFrame(),
    "frame, no rows": lambda: frame(a=pd.Categorical([], ["x"]), o=pd.Series([], dtype=object)),
    "frame, no columns": lambda: pd.DataFrame(index=["a", "b"]),
    "frame, all None": lambda: objects(None, None),
    "frame, attrs": lambda: with_attrs(frame(a=[1]), source=("tlc", 2026)),
    "frame, no duplicate labels": lambda: frame(a=[1]).set_flags(allows_duplicate_labels=False),
    "index, range": lambda: indexed(pd.RangeIndex(5, 0, -2, name="r")),
    "index, dates with an offset": lambda: indexed(
        pd.date_range("2026", periods=3, freq=pd.DateOffset(months=1))
    ),
    "index, dates of business days": lambda: indexed(
        pd.date_range("2026", periods=3, freq=pd.offsets.CustomBusinessDay(holidays=["2026-01-02"]))
    ),
    "index, big-endian": lambda: indexed(pd.Index(np.array([1, 2], ">i8"))),
    "index, str": lambda: indexed(pd.Index(["a", "b"], name="n")),
    "index, object": lambda: indexed(pd.Index(["a", None], dtype=object)),
    "index, duplicates": lambda: indexed(pd.Index([1, 1])),
    "index, dates with a frequency": lambda: indexed(pd.date_range("2026", periods=3, tz="UTC")),
    "index, categories": lambda: indexed(pd.CategoricalIndex(["a", "b"])),
    "index, periods": lambda: indexed(pd.period_range("2026", periods=2, freq="D")),
    "index, Multi": lambda: indexed(
        pd.MultiIndex.from_product([["b", "a"], [1, 2]], names=["x", None])
    ),
    "index, Multi with unused levels": lambda: indexed(
        pd.MultiIndex.from_product([["b", "a"], [1, 2]])[:1]
    ),
    "index, Multi with missing": lambda: indexed(
        pd.MultiIndex.from_arrays([["a", None], [1.0, np.nan]])
    ),
    "index, Multi of a concat": lambda: pd.concat({"x": frame(a=[1, 2]), "y": frame(a=[3, 4])}),
    "index, Multi of a concat with names": lambda: pd.concat(
        {0: frame(a=[1, 2]), 1: frame(a=[3, 4])}, names=["part", ("row", 1)]
    ),
    "index, Multi of stack()": lambda: frame(a=[1, 2], b=[3, 4]).stack(),
    "index, Multi of ranges": lambda: indexed(
        pd.MultiIndex.from_product([range(2), range(6, 0, -2)], names=["x", None])
    ),
    "index, Multi with frequencies": lambda: indexed(
        pd.MultiIndex.from_product(
            [pd.date_range("2026", periods=2, freq="MS"), pd.timedelta_range("1h", periods=2)]
        )
    ),
    "index, Multi of all kinds": lambda: indexed(
        pd.MultiIndex.from_arrays(
            [
                pd.Categorical(["b", "a"], ["c", "b", "a"], ordered=True),
                pd.Categorical([7, None], pd.RangeIndex(9)),
                STAMPS[::2].tz_localize(BERLIN),
                pd.interval_range(0, 2),
                pd.period_range("2026", periods=2, freq="M"),
                pd.Index([1, "a"]),
                pd.cut([1, 2], [0, 1, 3]),
                pd.array([1, None], "Int8"),
                [Decimal("1.5"), Decimal("2.5")],
                [b"x", None],
                [0.0, np.nan],
            ],
            names=list("abcdefghijk"),
        )
    ),
    "index, Multi with duplicates": lambda: indexed(
        pd.MultiIndex.from_arrays([["a", "a", "b"], [1, 1, 1]])
    ),
    "index, Multi, empty": lambda: pd.DataFrame(
        index=pd.MultiIndex.from_product([pd.CategoricalIndex(["a"]), range(0)], names=["x", "y"])
    ),
    "index, Multi of one level": lambda: indexed(pd.MultiIndex.from_arrays([[2, 1]], names=["x"])),
    "index, Multi with equal values in a level": lambda: indexed(
        pd.MultiIndex([["a", "a"], [STAMPS[0], pd.NaT]], [[0, 1], [0, 1]], verify_integrity=False)
    ),
    "index, categories that are a range": lambda: indexed(
        pd.CategoricalIndex([4, 2], pd.RangeIndex(2, 6, 2, name="r"), name="n")
    ),
    "index, categories with a frequency": lambda: indexed(
        pd.CategoricalIndex(pd.date_range("2026", periods=2, freq="B"))
    ),
    "index, timedeltas with a frequency": lambda: indexed(pd.timedelta_range("1D", periods=3)),
    "index, an empty range": lambda: pd.DataFrame(index=pd.RangeIndex(3, 3, 5)),
    "categories that are a range": lambda: categorical(pd.RangeIndex(5, 0, -1, name="r")),
    "categories of numbers": lambda: categorical(pd.Index([5, 4], name=("a", 1))),
    "categories with a frequency": lambda: frame(
        d=pd.Categorical(pd.date_range("2026", periods=2, tz=BERLIN)),
        t=pd.Categorical(pd.timedelta_range("1h", periods=2, freq="2h")),
    ),
    "categories of intervals": lambda: frame(
        a=pd.cut([1, 2], 3), b=pd.cut(STAMPS[::2], pd.date_range("2025", periods=3, freq="YS"))
    ),
    "categories of sets": lambda: categorical(pd.Index([frozenset("abc"), frozenset("d")])),
    "categories of each other type": lambda: frame(
        d=pd.Categorical([Decimal("1.50"), None]),
        y=pd.Categorical([b"x", b"y"]),
        b=pd.Categorical([True, False]),
        p=pd.Categorical(pd.period_range("2026", periods=2, freq="M")),
        s=pd.Categorical(pd.array(["x", None], "string[python]")),
        n=pd.Categorical(pd.array([1, None], "Int64")),
        a=pd.Categorical(arrow(["x", None], pa.string())),
        f=pd.Categorical([0.5, np.inf]),
    ),
    "labels, numbers": lambda: pd.DataFrame([[1, 2]]),
    "labels, duplicates": lambda: pd.DataFrame([[1, 2]], columns=["a", "a"]),
    "labels, mixed": lambda: pd.DataFrame([[1, 2, 3]], columns=pd.Index(["a", 1, None])),
    "labels, dates": lambda: pd.DataFrame([[1, 2]], columns=pd.date_range("2026", periods=2)),
    "labels, Multi": lambda: pd.DataFrame(
        [[1, 2]], columns=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["x", "y"])
    ),
    "labels, Multi of ranges and dates": lambda: labelled(
        pd.MultiIndex.from_product(
            [range(2), pd.date_range("2026", periods=2), pd.CategoricalIndex(["u", "v"])],
            names=["x", None, ("y", 1)],
        )
    ),
    "labels, Multi with missing": lambda: labelled(
        pd.MultiIndex.from_arrays([["a", None], [np.nan, 1]])
    ),
    "labels, Multi, empty": lambda: pd.DataFrame(
        index=[1], columns=pd.MultiIndex.from_product([range(2), range(0)], names=["x", "y"])
    ),
    "labels, a range": lambda: labelled(pd.RangeIndex(4, 0, -2, name="r")),
    "labels, dates with a frequency": lambda: labelled(
        pd.date_range("2026", periods=3, freq="QE-NOV", tz="UTC", name="n")
    ),
    "labels, timedeltas with a frequency": lambda: labelled(pd.timedelta_range("1h", periods=2)),
    "labels, intervals": lambda: labelled(pd.interval_range(0, 2)),
    "labels, periods": lambda: labelled(pd.period_range("2026", periods=2, freq="M")),
    "labels, categories that are a range": lambda: labelled(
        pd.CategoricalIndex([1, 0], pd.RangeIndex(2))
    ),
    "labels with dots": lambda: pd.DataFrame([[1, 2]], columns=["a", "a.b"]),
    "labels that differ in case": lambda: pd.DataFrame([[1, 2, 3]], columns=["a", "A", "b"]),
    "labels like parts of the path": lambda: frame(run_id=["mine"], map_index=[7]),
    "labels like an index's": lambda: frame(__index_0__=[1]).set_index(pd.Index([7])),
}
VALUES |= OBJECTS
