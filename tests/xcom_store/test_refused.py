"""What cannot be kept is refused at push, by a typed error that says where it is and what to do."""

from __future__ import annotations

import datetime as dt
import functools
import io
import sys
import types
import zoneinfo
from concurrent.futures import ThreadPoolExecutor

import pytest

pytest.importorskip("pandas")
pytest.importorskip("polars")
pytest.importorskip("pyarrow")
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from dateutil import tz

from include.xcom_store import documents, values
from include.xcom_store.documents import stack
from include.xcom_store.errors import ObjectCorrupt, StoreUnreachable, ValueNotStorable
from include.xcom_store.stores import files
from include.xcom_store.stores.files import HashingSink
from tests.xcom_store.classes import Frozen, Loose, Open
from tests.xcom_store.identical import assert_identical
from tests.xcom_store.memory import OWNER, MemoryStore, there_and_back


class OfIndex(pd.Index):
    """Is not told from an Index by pandas' own comparison."""


class Raising:
    """Its own code raises what no serializer expects."""

    def serialize(self):
        raise LookupError("from serialize")


class Posing:
    @property
    def __class__(self):
        raise LookupError("from __class__")


class Fields(tuple):
    __slots__ = ()

    @property
    def _fields(self):
        raise LookupError("from _fields")


class Mine(pa.ExtensionType):
    """An extension type that nobody registers."""

    def __init__(self):
        super().__init__(pa.int8(), "tests.mine")

    def __arrow_ext_serialize__(self):
        return b""


MINE = Mine()  # pyarrow itself does not keep it alive


def column(array):
    return pd.DataFrame({"b": range(len(array)), "a": pd.arrays.ArrowExtensionArray(array)})


def nested(depth):
    return functools.reduce(lambda inner, _: [inner], range(depth), 1)


def itself():
    value = []
    value.append({"a": value})
    return value


def of_index():
    index = pd.Index([1, 2]).view()
    index.__class__ = OfIndex
    return index


def unnamed_zone():
    with zoneinfo.TZPATH and open(f"{zoneinfo.TZPATH[0]}/Europe/Berlin", "rb") as file:  # noqa: PTH123
        return zoneinfo.ZoneInfo.from_file(io.BytesIO(file.read()))


REFUSED = {
    "its own serialize raises": (lambda: {"x": [Raising()]}, r"\['x'\]\[0\].*from serialize"),
    "its class is not told": (lambda: [Posing()], r"\[0\].*from __class__"),
    "its fields are not told": (lambda: [Fields()], r"Fields at \[0\]"),
    "itself": (itself, "more than 254 deep, or contains itself"),
    "a zone from a file": (lambda: [unnamed_zone()] if zoneinfo.TZPATH else 1, "Use zoneinfo"),
    "a zone of rules": (lambda: {"x": [dt.time(1, tzinfo=tz.tzstr("EST5EDT"))]}, r"\['x'\]\[0\].*Use zoneinfo"),
    "a cell of a frame in a dict": (
        lambda: {"train": pd.DataFrame({"a": [1, 2], "b": [1, [object()]]})},
        r"at \['train'\] .*column 'b', row 1: .*object at \[0\]",
    ),
    "attrs": (lambda: frame_with_attrs(object()), r"attrs: .*object at \['k'\]"),
    "an array of objects in a cell": (lambda: pd.Series([np.array([object()])]), r"row 0.*object at \[0\]"),
    "an array of fields in a cell": (
        lambda: pd.Series([np.zeros(1, [("a", "i1")])]),
        r"row 0.*\.tolist\(\)",
    ),
    "fields of objects": (lambda: [np.zeros(1, [("a", "O")])], r"\[0\].*\.tolist\(\)"),
    "an array of objects": (lambda: [np.array([[1, object()]])], r"object at \[0\]\[1\]"),
    "complex": (lambda: pd.DataFrame({"a": [1j]}), r"column 'a' .*numpy\.real\(\) and numpy\.imag\(\)"),
    "longdouble": (lambda: pd.DataFrame({"a": np.array([1], "g")}), r"column 'a' .*\.astype\(\)"),
    "sparse": (lambda: pd.DataFrame({"a": pd.arrays.SparseArray([0])}), r"column 'a' .*to_dense"),
    "a subclass of Index": (lambda: pd.DataFrame(index=of_index()), "the index is a .*OfIndex"),
    "a subclass of Index for labels": (lambda: pd.DataFrame([[1, 2]], columns=of_index()), "labels"),
    "a subclass of Index, bare": (of_index, "OfIndex"),
    "a negative scale": (lambda: column(pa.nulls(2, pa.decimal128(5, -2))), "column 'a'.*decimal128"),
    "an interval of months": (
        lambda: column(pa.nulls(2, pa.month_day_nano_interval())), "column 'a'.*month_day_nano"
    ),
    "a time of the day": (lambda: column(pa.array([0, 1]).cast(pa.date64())), "column 'a'.*whole number of days"),
    "a deep Arrow type": (lambda: column(deep_array(60)), "column 'a'.*Parquet does not give back"),
    "a deep Arrow array": (lambda: {"x": deep_array(70)}, r"at \['x'\].*recursion"),
    "an extension type in a frame": (lambda: column(mine()), "tests.mine"),
    "an extension type in a table": (lambda: pa.table({"a": mine()}), "column 'a' .*register"),
    "an extension type, a scalar": (lambda: [mine()[0]], r"\[0\].*tests.mine"),
    "polars, arrays of nothing": (
        lambda: [pl.DataFrame({"a": pl.Series([None], dtype=pl.Array(pl.Int8, 0))})],
        r"\[0\].*column 'a'.*Array\(Int8",
    ),
    "numpy, align": (lambda: np.zeros(1, np.dtype([("a", "i1"), ("b", "i8")], align=True)), "align"),
    "numpy, metadata inside": (
        lambda: np.zeros(1, [("a", np.dtype("i4", metadata={"x": 1}))]), "lose its metadata"
    ),
    "numpy, longlong inside": (lambda: np.zeros(1, [("a", "q")]), "longlong"),
    "masked": (lambda: np.ma.array([1]), r"its \.data and its \.mask"),
}  # fmt: skip


def frame_with_attrs(value):
    frame = pd.DataFrame({"a": [1]})
    frame.attrs["k"] = value
    return frame


def deep_array(depth):
    kind = functools.reduce(lambda inner, _: pa.list_(inner), range(depth), pa.int8())
    return pa.array([nested(depth)], kind)


def mine():
    return pa.ExtensionArray.from_storage(MINE, pa.array([1], pa.int8()))


@pytest.mark.parametrize("threshold", [0, 1_000_000], ids=["offloaded", "inline"])
@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_and_says_where_and_why(name, threshold):
    make, message = REFUSED[name]
    store = MemoryStore(threshold=threshold)
    with pytest.raises(ValueNotStorable, match=message) as error:
        values.push(make(), OWNER, store)
    assert type(error.value) is ValueNotStorable
    assert len(str(error.value)) < 1_200


def test_a_memmap_has_no_mask(tmp_path):
    value = np.memmap(tmp_path / "a", "i4", "w+", shape=(2,))
    with pytest.raises(ValueNotStorable, match=r"numpy\.memmap .* Return numpy\.array") as error:
        there_and_back(value)
    assert "mask" not in str(error.value)


WRAPS = {
    "list": lambda inner: [inner],
    "dict": lambda inner: {"a": inner},
    "tuple": lambda inner: (inner,),
    "frozenset": lambda inner: frozenset([inner]),
    "dict of other keys": lambda inner: {1: inner},
    "namespace": lambda inner: types.SimpleNamespace(a=inner),
    "mapping proxy": lambda inner: types.MappingProxyType({"a": inner}),
    "slice": lambda inner: slice(inner),
    "dataclass": lambda inner: Frozen(inner),
    "attrs object": lambda inner: Loose(inner),
    "pydantic model": lambda inner: Open(inner=inner),
    "array of objects": lambda inner: np.fromiter([inner], dtype=object),
}


def below(frames, function):
    return below(frames - 1, function) if frames else function()


@pytest.mark.parametrize("threshold", [0, 1_000_000], ids=["offloaded", "inline"])
@pytest.mark.parametrize("name", WRAPS)
def test_the_limit_of_depth_is_that_of_reading(name, threshold):
    step = 2 if name in ("mapping proxy", "pydantic model") else 1  # a dict in it
    value = functools.reduce(
        lambda inner, _: WRAPS[name](inner), range(documents.MAX_DEPTH // step), 1
    )
    # As far down the stack as a task is run.
    back = below(80, lambda: there_and_back(value, threshold))
    with stack.ROOM:
        assert_identical(value, back)
    with pytest.raises(ValueNotStorable, match="more than 254 deep"):
        there_and_back(WRAPS[name](value), threshold)


def test_the_room_on_the_stack_is_given_back():
    """The limit is that of all threads, of which some may still need it."""
    before = sys.getrecursionlimit()
    value = functools.reduce(lambda inner, _: (inner,), range(documents.MAX_DEPTH), 1)
    with ThreadPoolExecutor(8) as pool:
        for back in pool.map(lambda _: there_and_back(value), range(100)):
            with stack.ROOM:
                assert back == value
    with pytest.raises(ValueNotStorable):
        there_and_back((value,))
    assert sys.getrecursionlimit() == before


def test_a_document_deeper_than_any_written_is_corrupt():
    document = functools.reduce(lambda inner, _: [inner], range(4 * documents.MAX_DEPTH + 1), 1)
    with pytest.raises(ObjectCorrupt, match="too deeply"):
        documents.read(document)


class Full(io.BytesIO):
    def write(self, data):
        raise OSError("no space")


class NoStore(MemoryStore):
    """Takes no bytes."""

    def put(self, key, write):
        write(HashingSink(Full, lambda: None))


class SlowStore(MemoryStore):
    def put(self, key, write):
        write(HashingSink(io.BytesIO, self.too_late))

    def too_late(self):
        raise StoreUnreachable("too slow")


LARGE = {
    "pandas": lambda: pd.DataFrame({"a": range(9)}),
    "polars": lambda: pl.DataFrame({"a": range(9)}),
    "pyarrow": lambda: pa.table({"a": [1]}),
    "numpy": lambda: np.arange(9),
    "bytes": lambda: b"x" * 2_000,
    "JSON": lambda: ["x" * 2_000],
    "JSON, compressed": lambda: ["x" * 200_000],
    "inside": lambda: {"a": pl.DataFrame({"a": [1]})},
}


@pytest.mark.parametrize("kind", LARGE)
def test_more_bytes_than_an_upload_has_parts_for(kind, monkeypatch):
    monkeypatch.setattr(files, "MOST_PARTS", 0)
    with pytest.raises(ValueNotStorable, match="more than 0 bytes in one object"):
        values.push(LARGE[kind](), OWNER, MemoryStore())


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow", "numpy", "bytes"])
def test_a_part_is_a_thousandth_of_what_takes_too_many(kind, monkeypatch):
    """Of what a value takes in memory, which is known before the first part is sent."""
    made = {
        "pandas": lambda: pd.DataFrame({"a": range(25_000)}),
        "polars": lambda: pl.DataFrame({"a": range(25_000)}),
        "pyarrow": lambda: pa.table({"a": range(25_000)}),
        "numpy": lambda: np.arange(25_000),
        "bytes": lambda: bytes(200_000),
    }
    sinks = []

    class Store(MemoryStore):
        def put(self, key, write):
            sinks.append(HashingSink(io.BytesIO, lambda: None))
            write(sinks[0])
            return super().put(key, write)

    monkeypatch.setattr(files, "PUT_PART_BYTES", 100)
    monkeypatch.setattr("include.xcom_store.codecs.frames.GROUP_ROWS", 10_000)
    values.push(made[kind](), OWNER, Store())
    assert 200 <= sinks[0].part_bytes <= 202
    assert sinks[0].bytes > 0


@pytest.mark.parametrize("name", LARGE)
def test_what_the_store_raises_is_not_taken_for_the_values(name, monkeypatch):
    monkeypatch.setattr(files, "PUT_PART_BYTES", 1)  # all bytes go on as soon as they are written
    with pytest.raises(OSError, match="no space") as error:
        values.push(LARGE[name](), OWNER, NoStore())
    assert type(error.value) is OSError
    with pytest.raises(StoreUnreachable, match="too slow"):
        values.push(LARGE[name](), OWNER, SlowStore())


@pytest.mark.parametrize("raised", [OSError, KeyError, ValueError])
def test_what_an_encoder_raises_is_not_taken_for_the_stores(xcom, monkeypatch, raised):
    from include.xcom_store.codecs import npy

    def encode(_value, _compression):
        def write(sink):
            sink.write(b"a part")
            raise raised("in the middle")

        return npy.Encoded("npy", write, "")

    monkeypatch.setattr(npy, "encode", encode)
    with pytest.raises(
        ValueNotStorable, match=r"ndarray at \['x'\] cannot be stored.*in the middle"
    ):
        xcom.push({"x": np.arange(3)})
    assert xcom.s3.keys() == []


def test_interruptions_pass(monkeypatch):
    from include.xcom_store.codecs import npy

    def encode(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(npy, "encode", encode)
    with pytest.raises(KeyboardInterrupt):
        there_and_back(np.arange(3))


FORGED = [
    ["dateutil_zone", "/etc/passwd"], ["dateutil_zone", "../../etc/passwd"], ["dateutil_zone", ":x"],
    ["pytz_zone", "../x"], ["pandas_offset", "__doc__", 1, False, {}], ["pandas_offset", "os", 1, 0, {}],
    ["pydantic_url", "import_email_validator", "x"], ["pydantic_url", "IPvAnyAddress", "1.2.3.4"],
    ["array", "O", 8, "AAAAAAAAAAA="], ["array", "i", 3, ""], ["defaultdict", "eval", []],
    ["numpy_array", "O", [1], "C", "AAAAAAAAAAA="], ["numpy_array", "i8", [1000000000], "C", ""],
    ["numpy", "O", "AAAAAAAAAAA="], ["arrow_scalar", "AAAA", "int8"], ["arrow_schema", "AAAA", []],
    ["pandas_dtype", "other", "int8"], ["range", 0, 1, 0], ["ipv4address", "x"], ["deque", [], -1],
    ["other_zone"], ["dateutil_local", 1.0, 1.0, "a", "b"], ["namespace", [[1, 2]]], ["set", [[]]],
    ["mapping_proxy", 5], ["counter", 1], ["pendulum_duration", {"x": 1}], ["relativedelta", 1],
    ["sqlalchemy_row", ["a"], 5],
]  # fmt: skip


@pytest.mark.parametrize("tag", FORGED, ids=str)
def test_a_forged_tag_is_a_typed_error(tag):
    with pytest.raises(ObjectCorrupt):
        documents.read({"$xcom": tag})


def test_attrs_are_not_changed_by_pandas_copies():
    import pendulum

    frame = frame_with_attrs(pendulum.duration(seconds=0.0))
    assert_identical(frame, there_and_back(frame))


class Nameless(type):
    """A metaclass whose classes do not say where they are."""

    @property
    def __module__(cls):
        raise RuntimeError("nowhere")


def test_a_class_that_hides_its_name_is_refused_by_name(xcom):
    hidden = Nameless("Hidden", (), {})
    with pytest.raises(ValueNotStorable, match="Hidden"):
        xcom.push([hidden()])
