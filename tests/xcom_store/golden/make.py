"""What the golden files hold, and how those that are missing are made (`-m tests.xcom_store.golden.make`)."""

from __future__ import annotations

import array
import datetime as dt
import hashlib
import ipaddress
import json
import os
import uuid
from collections import Counter, OrderedDict, defaultdict, deque
from decimal import Decimal
from fractions import Fraction
from pathlib import Path, PureWindowsPath
from types import MappingProxyType, SimpleNamespace
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pendulum
import polars as pl
import pyarrow as pa
import pydantic
import pytz
from dateutil import tz
from dateutil.relativedelta import MO, relativedelta
from requests.structures import CaseInsensitiveDict
from sqlalchemy.engine.result import result_tuple

from tests.xcom_store.golden import Driver, Fare, Place, Rights, Stop, Token, Trip, Vendor

HERE = Path(__file__).parent
SUMS = HERE / "released.json"
"""SHA-256 of every golden file; a sum once noted stays."""


def frame():
    return pd.DataFrame(
        {
            "vendor_id": pd.array([1, 2, None], "Int8"),
            "fare": [9.5, np.nan, -0.0],
            "flag": pd.Categorical(["Y", None, "N"], ["N", "Y"], ordered=True),
            "pickup": pd.to_datetime(["2019-01-01", None, "2019-01-31"]).as_unit("s"),
            "zone": pd.Series(["JFK", None, "ü"], dtype="str"),
            "tip": [Decimal("1.50"), None, Decimal("0.25")],
            "mixed": pd.Series([1, "a", (2, None)], dtype=object),
        },
        index=pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)], names=["x", None]),
    )


def scalars():
    zone = ZoneInfo("Europe/Berlin")
    return [
        float("nan"), float("-inf"), -0.0, 1e300, 1 + 2j, 2**70, "a\0b", "\ud800", b"\0\xff",
        bytearray(b"x"), (1, (2,)), {1, 2}, frozenset("a"), {1: "a", (1, 2): None}, {"$xcom": 1},
        dt.date(2026, 11, 22), dt.time(2, 30, fold=1), dt.datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=zone),
        dt.timedelta(-1, 2, 3), dt.timezone(dt.timedelta(hours=2)), zone, Decimal("1.50"),
        uuid.UUID(int=7), Path("a/b"), pd.Timestamp("2026-01-01", tz="UTC"), pd.Timedelta(5, unit="s"),
        pd.NaT, pd.NA, np.float32(0.1), np.datetime64("2026-01-01", "D"),
    ]  # fmt: skip


def types():
    berlin = pytz.timezone("Europe/Berlin").localize(dt.datetime(2026, 7, 1))
    start, end = pendulum.datetime(2026, 1, 1), pendulum.datetime(2026, 3, 1)
    return [
        "\ud83d\ude00", OrderedDict([("b", 1), ("a", 2)]), Counter("aab"), defaultdict(list, a=[1]),
        deque([1, (2,)], 5), MappingProxyType({"a": 1}), SimpleNamespace(a=1), range(0, 9, 2),
        slice(1, None), ..., Fraction(1, 3), array.array("d", [1.5]), PureWindowsPath("c:\\a"),
        *map(ipaddress.ip_address, ("10.0.0.1", "::1")), ipaddress.ip_network("10.0.0.0/8"),
        ipaddress.ip_interface("fe80::1/64"), pendulum.Date(2026, 1, 1), pendulum.Time(1, 2),
        pendulum.duration(years=1, days=2), end - start, berlin, pytz.utc, pytz.FixedOffset(90),
        tz.tzutc(), tz.gettz("Europe/Berlin"), tz.tzoffset("X", 60),
        relativedelta(months=1, weekday=MO(2)), result_tuple(["a", "b"])([1, (2,)]),
        CaseInsensitiveDict({"Content-Type": "a"}), pydantic.HttpUrl("https://a.b/c"),
        pd.Period("2026-01", "M"), pd.Interval(0, 1), pd.DateOffset(months=1), pd.offsets.MonthEnd(2),
        pd.CategoricalDtype(["b", "a"]), pd.Int8Dtype(), np.dtype("M8[s]"), np.str_("a\0"),
        np.bytes_(b"a\0"), np.longlong(1), pa.scalar("x"), pa.schema([("a", pa.int8())]), pa.uuid(),
    ]  # fmt: skip


def objects():
    place, fare, trip = (
        Place("JFK", (40.6, -73.8)),
        Fare(Decimal("9.50")),
        Trip[Fare](what=Fare({1})),
    )
    fare.note = "beside its fields"
    trip.__pydantic_private__["_checked"] = (1, 2)
    url = "https://example.org/a"
    return [
        Vendor.CMT, Rights.READ | Rights.WRITE, place, fare, Stop(place, Fare(None)), Driver("A", "x"),
        trip, Trip(what=1, url=url, more=(Decimal("1.0"),)), Token("t"),
    ]  # fmt: skip


def validation():
    """Make a Great Expectations result, which comes back as a dict."""
    from great_expectations.core import (
        ExpectationSuiteValidationResult,
        ExpectationValidationResult,
    )
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    kind = "expect_column_values_to_not_be_null"
    configuration = ExpectationConfiguration(type=kind, kwargs={"column": "vendor_id"})
    one = ExpectationValidationResult(
        success=True, expectation_config=configuration, result={"element_count": 10_000}
    )
    counts = {"evaluated_expectations": 1, "successful_expectations": 1, "unsuccessful_expectations": 0,
              "success_percent": 100.0}  # fmt: skip
    return ExpectationSuiteValidationResult(
        success=True, results=[one], suite_name="taxi.demo", statistics=counts
    )


VALUES = {
    "inline": scalars,
    "classes": objects,
    "json": lambda: {"rows": ["x" * 300], "n": 1},
    "json_zst": lambda: [{"n": n, "text": "x" * 40} for n in range(1_500)],
    "json_leaves": lambda: {"train": frame(), "rest": [np.arange(4), (b"x" * 70_000,)]},
    "parquet": frame,
    "parquet_series": lambda: pd.Series([1.5, None], index=["a", "b"], name=("s", 1)),
    "npy": lambda: np.asfortranarray(np.arange(6, dtype="<i4").reshape(2, 3)),
    "arrow": lambda: pa.table({"a": [1, None], "b": [["x"], []]}, metadata={"k": "v"}),
    "arrow_chunks": lambda: pa.table(
        {"a": pa.chunked_array([[1, 2], [3]]), "b": pa.chunked_array([["x"], ["y", "z"]])}
    ),
    "arrow_stream": lambda: pa.concat_tables(
        pa.table({"a": pa.array(cells).dictionary_encode()}) for cells in (["x"], ["y", "x"])
    ),
    "types": types,
    "index": lambda: pd.date_range("2026", periods=3, freq=pd.DateOffset(months=1), name="d"),
    "pandas_array": lambda: pd.Categorical(["a", None], ["b", "a"], ordered=True),
    "arrow_batch": lambda: pa.record_batch({"a": [1, 2]}),
    "polars": lambda: pl.DataFrame(
        {"a": [1, None], "b": ["x", "ü"]}, schema={"a": pl.Int8, "b": pl.Enum(["x", "ü"])}
    ),
    "polars_series": lambda: pl.Series("s", [dt.date(2026, 1, 1), None]),
    "binary": lambda: bytes(range(256)) * 2,
    "bytearray": lambda: bytearray(range(256)) * 2,
    "great_expectations": validation,
}


def make(name):
    from include.xcom_store import values
    from tests.xcom_store.memory import OWNER, MemoryStore

    store = MemoryStore(threshold=100_000 if name in ("inline", "classes", "types") else 256)
    record = values.push(VALUES[name](), OWNER, store)
    folder = HERE / name
    folder.mkdir()
    (folder / "record.json").write_text(json.dumps(record, indent=2) + "\n")
    for key, data in store.objects.items():
        file = folder / file_name(record, key)
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(data)


def file_name(record, key):
    """Return the golden file of an object: `object.parquet`, or of a leaf: `leaves/0.parquet`."""
    own = record["uri"].removeprefix("s3://bucket/xcom/")
    return f"object.{own.partition('.')[2]}" if key == own else f"leaves/{key.rpartition('/')[2]}"


def note_sums():
    sums = {
        str(file.relative_to(HERE)): hashlib.sha256(file.read_bytes()).hexdigest()
        for name in VALUES
        for file in sorted((HERE / name).rglob("*.*"))
    }
    released = json.loads(SUMS.read_text()) if SUMS.exists() else {}
    SUMS.write_text(json.dumps({**sums, **released}, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    os.environ["AIRFLOW__CORE__ALLOWED_DESERIALIZATION_CLASSES"] = "airflow.* tests.*"
    import airflow.sdk  # noqa: F401  # before the backend, which it imports

    for missing in [name for name in VALUES if not (HERE / name).exists()]:
        make(missing)
        print("made", missing)
    note_sums()
