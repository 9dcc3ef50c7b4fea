"""What tasks return beside the round-trip table: results of libraries, and what Airflow changes or refuses.

A line a value. `test_beside_airflow` pushes each, and each of `cases.VALUES`, through both backends.
"""

from __future__ import annotations

import base64
import collections
import contextlib
import dataclasses
import datetime as dt
import decimal
import email.utils
import functools
import http
import importlib.metadata
import inspect
import io
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import sqlite3
import struct
import sys
import time
import typing
import urllib.parse
import uuid
import zoneinfo
from collections import ChainMap, Counter, OrderedDict, UserDict, UserList, UserString, defaultdict
from decimal import Decimal
from string import Template

import attrs
import boto3.dynamodb.types
import botocore.response
import numpy as np
import pandas as pd
import pendulum
import polars as pl
import pydantic
import pytz
import requests
import requests.cookies
import sqlalchemy as sa
from airflow.sdk import Asset, AssetAlias, Connection, ObjectStoragePath, Param
from airflow.sdk.definitions.param import ParamsDict
from dateutil import tz

from tests.xcom_store.classes import (
    INSIDE,
    NOON,
    Access,
    Child,
    Client,
    Frozen,
    HoldsLock,
    Level,
    Locked,
    Login,
    Model,
    Odd,
    OnlyWrites,
    Open,
    Own,
    Page,
    Pair,
    Ride,
    Stop,
    WithLock,
    computed,
    set_by_hand,
)  # fmt: skip


class Tags(list):
    """A list that a library made its own."""


class Config(dict):
    """A dict whose entries are attributes, as many libraries have one."""

    def __getattr__(self, name):
        return self[name]


class Name(str):
    __slots__ = ()


class Cents(int):
    pass


class Miles(float):
    pass


class Custom(dt.tzinfo):
    """A zone that Airflow stores by its name."""

    def __init__(self, name="My/Custom"):
        self.name = name

    def utcoffset(self, _):
        return dt.timedelta(hours=2)

    def tzname(self, _):
        return self.name


class Fare(typing.NamedTuple):
    cents: int
    tags: list


Record = collections.namedtuple("Record", "id at")  # noqa: PYI024
Generated = collections.namedtuple("Row", "id at")  # noqa: PYI024 - as database hooks make them


def query(sql="select 1 as id, 'a' as name", **options):
    engine = sa.create_engine("sqlite://", poolclass=sa.pool.NullPool)
    with engine.connect() as connection:
        return connection.execute(sa.text(sql), **options)


@functools.cache
def database():
    engine = sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool)
    with engine.begin() as connection:
        connection.execute(sa.text("create table trips (id int, at date, fare numeric)"))
        connection.execute(
            sa.text("insert into trips values (1, '2026-01-01', 19.9), (2, null, null)")
        )
    return engine


def rows(how):
    with database().connect() as connection:
        return how(connection.execute(sa.text("select * from trips")))


def sqlite_rows():
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.row_factory = sqlite3.Row
        return connection.execute("select 1 as id, 'a' as name").fetchall()


def response(**headers):
    made = requests.Response()
    made.status_code, made._content = 200, b'{"a": [1, 2.5]}'  # noqa: SLF001
    made.headers.update({"Content-Type": "application/json", **headers})
    made.elapsed = dt.timedelta(microseconds=5)
    made.cookies.set("a", "b")
    return made


def zone_from_file():
    with (pathlib.Path(zoneinfo.TZPATH[0]) / "Europe/Berlin").open("rb") as file:
        return zoneinfo.ZoneInfo.from_file(io.BytesIO(file.read()))


def cyclic():
    found = []
    found.append(found)
    return found


def nested(depth, wrap):
    return functools.reduce(lambda inner, _: wrap(inner), range(depth), 1)


FRAME = pd.DataFrame({"a": [1, 2, 1], "b": ["x", "y", "x"], "c": [0.5, 1.5, 2.5]})

S3_LIST = {
    "ResponseMetadata": {"RequestId": "A", "HTTPStatusCode": 200, "HTTPHeaders": {"x": "y"}, "RetryAttempts": 0},
    "IsTruncated": False,
    "Contents": [{"Key": "a", "LastModified": dt.datetime(2026, 1, 1, tzinfo=tz.tzutc()), "Size": 7}],
}  # fmt: skip

RETURNED = {
    # Classes of Python that Airflow takes as their base, or not at all.
    "subclass of list": lambda: Tags([1, Decimal("1.50")]),
    "subclass of dict": lambda: Config(a=(1, 2), b=Config(c={1})),
    "subclass of str": lambda: [Name("x"), {"a": Name("y")}],
    "subclass of int": lambda: Cents(5),
    "subclass of float": lambda: Miles(1.5),
    "subclass of tuple with fields": lambda: Fare(5, ["x"]),
    "named tuple of another name": lambda: [Generated(1, dt.date(2026, 1, 1))] * 3,
    "named tuple": lambda: Record(1, (2, 3)),
    "key that is a subclass of str": lambda: {Name("a"): 1},
    "keys of dates": lambda: {dt.date(2026, 1, 1): 1, dt.date(2026, 1, 2): 2},
    "keys that Airflow makes equal": lambda: {1: "a", "1": "b"},
    "keys of None and bool": lambda: {None: 1, True: 2, 1.5: 3},
    "keys of tuples": lambda: {("a", 1): 1},
    "keys of enums": lambda: {Level.HIGH: 1, http.HTTPStatus.OK: 2},
    "keys of UUIDs": lambda: {uuid.UUID(int=1): 1},
    "keys of any type": lambda: [
        {frozenset([1]): 1, len: 2, Odd: 3},
        {Stop: 1},
        {(Level.HIGH, 1): 2},
        {b"x": 1, range(2): 2},
    ],
    "keys of classes": lambda: {Pair(1, 2): 1, Frozen(1): 2, Access.READ: 3},
    "defaultdict of a function": lambda: defaultdict(lambda: 5, {"a": 1}),
    "defaultdict of a class": lambda: [
        defaultdict(Counter, {"a": Counter(x=1)}),
        defaultdict(Stop),
        defaultdict(Decimal),
    ],
    "defaultdict of defaultdicts": lambda: defaultdict(
        functools.partial(defaultdict, int), a=defaultdict(int, b=1)
    ),
    "Counter.most_common": lambda: Counter("abca").most_common(),
    "OrderedDict with attributes": lambda: set_by_hand(OrderedDict(a=1), note=5),
    "ChainMap": lambda: ChainMap({"a": 1}, {"b": 2}),
    "UserDict": lambda: UserDict(a=1),
    "UserList": lambda: UserList([1]),
    "UserString": lambda: UserString("a"),
    "keys of a dict": lambda: {"a": 1}.keys(),
    "generator": lambda: (n for n in [1]),
    "map": lambda: map(str, [1]),
    "HTTP status": lambda: http.HTTPStatus.NOT_FOUND,
    "signal": lambda: [signal.SIGTERM, socket.AF_INET],
    "regular expression": lambda: re.compile("a+", re.IGNORECASE),
    "match": lambda: re.match("a", "a"),
    "flags of re": lambda: re.IGNORECASE | re.DOTALL,
    "parsed URL": lambda: urllib.parse.urlparse("https://a.b/c?d=e"),
    "parsed query": lambda: urllib.parse.parse_qs("a=1&a=2"),
    "disk usage": lambda: type(shutil.disk_usage("/"))(3, 2, 1),
    "status of a file": lambda: os.stat_result(range(10)),
    "struct_time": lambda: time.struct_time(range(9)),
    "version_info": lambda: sys.version_info,
    "exception": lambda: ValueError("x"),
    "class": lambda: dict,
    "function": lambda: len,
    "module": lambda: json,
    "memoryview": lambda: memoryview(b"abc"),
    "BytesIO": lambda: io.BytesIO(b"abc"),
    "template": lambda: Template("$a"),
    "signature": lambda: inspect.signature(len),
    "parsed mail address": lambda: email.utils.parseaddr("A <a@b.c>"),
    "unpacked struct": lambda: struct.unpack("<ih", b"\1\0\0\0\2\0"),
    "base64": lambda: base64.b64encode(b"abc"),
    "path, pure": lambda: pathlib.PurePath("a/b"),
    "datetime, naive and ambiguous": lambda: dt.datetime(2026, 10, 25, 2, 30, fold=1),
    "datetime, far away": lambda: [
        dt.datetime.min,
        dt.datetime.max,
        dt.datetime(1900, 1, 1, 0, 0, 0, 1),
    ],
    "datetime of a zone of Airflow's": lambda: dt.datetime(
        2026, 1, 1, tzinfo=pendulum.timezone("America/New_York")
    ),
    "datetime of a zone of no name": lambda: dt.datetime(2026, 1, 1, tzinfo=tz.tzstr("EST5EDT")),
    "datetime of a zone of one's own": lambda: dt.datetime(2026, 1, 1, tzinfo=Custom()),
    "datetime of a zone of one's own with a known name": lambda: [
        dt.datetime(2026, 1, 1, tzinfo=Custom("Africa/Harare")),
        pendulum.datetime(2026, 1, 1, tz=Custom("Africa/Harare")),
    ],
    "datetime of pytz": lambda: pytz.timezone("Europe/Berlin").localize(dt.datetime(2026, 7, 1)),
    "datetime of pytz, fixed": lambda: dt.datetime(2026, 7, 1, tzinfo=pytz.FixedOffset(90)),
    "datetime of an offset": lambda: dt.datetime(
        2026, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=5.5))
    ),
    "datetime of a zone from a file": lambda: dt.datetime(2026, 1, 1, tzinfo=zone_from_file()),
    "zone of one's own": lambda: Custom(),
    "zone from a file": lambda: zone_from_file(),
    "timedelta, odd": lambda: dt.timedelta(days=10**6, microseconds=1),
    "isocalendar": lambda: dt.date(2026, 1, 1).isocalendar(),
    "decimal, digits": lambda: [
        Decimal("19.90"),
        Decimal("1e400"),
        Decimal("-0"),
        Decimal("0.1") / 3,
    ],
    "decimal context": decimal.Context,
    "decimal tuple": lambda: Decimal("1.50").as_tuple(),
    "lists, 100 deep": lambda: nested(100, lambda inner: [inner]),
    "lists, 250 deep": lambda: nested(250, lambda inner: [inner]),
    "dicts, 250 deep": lambda: nested(250, lambda inner: {"a": inner}),
    "tuples, 120 deep": lambda: nested(120, lambda inner: (inner,)),
    "tuples, 250 deep": lambda: nested(250, lambda inner: (inner,)),
    "frozensets, 250 deep": lambda: nested(250, lambda inner: frozenset([inner])),
    "dicts of ints, 200 deep": lambda: nested(200, lambda inner: {1: inner}),
    "contains itself": cyclic,
    # Keys that readers give a meaning.
    "key of Airflow's serializer": lambda: {"__classname__": "x", "__version__": 1},
    "key of the old serializer": lambda: {"a": {"__type": "tuple", "__var": [1]}},
    "key of this backend": lambda: {"$xcom": ["tuple", [1]]},
    # Objects of classes.
    "dataclass, UTC, Decimal, set": lambda: Stop(
        dt.datetime(2026, 1, 1, tzinfo=dt.UTC), {Decimal("19.90")}
    ),
    "dataclass, plain": lambda: Stop("a", 1),
    "dataclass, nested": lambda: Stop(Stop("a", 1), [Stop("b", 2)]),
    "dataclass with a cached_property that was read": lambda: computed(
        Child(1, extra="x"), "doubled"
    ),
    "dataclass with a lock of __post_init__": lambda: WithLock("x"),
    "attrs object with a lock of __attrs_post_init__": lambda: Locked(1),
    "attrs object with a lock in a field": lambda: HoldsLock(1),
    "attrs object, plain": lambda: Ride(1),
    "pydantic model with a lock": lambda: Client(name="x"),
    "pydantic model with a secret": lambda: Login(user="u", password="hunter2"),
    "pydantic secret": lambda: pydantic.SecretStr("hunter2"),
    "pydantic secret of bytes": lambda: [pydantic.SecretBytes(b"hunter2")],
    "pydantic secret of another type": lambda: pydantic.Secret[int](5),
    "pydantic, private, extra, set": lambda: [
        set_by_hand(Model(at=NOON), _count=7),
        Open(extra=(1, 2)),
        Open(x=1),
    ],
    "pydantic, generic": lambda: Page[int](items=[1]),
    "object that only writes": lambda: OnlyWrites(),
    "object that neither knows": lambda: Odd(1),
    "object that serializes itself": lambda: Own(INSIDE[0]),
    "asset": lambda: Asset("s3://bucket/trips", extra={"a": 1}),
    "asset alias": lambda: AssetAlias("trips"),
    "connection": lambda: Connection(conn_id="c", conn_type="http", host="h", extra='{"a": 1}'),
    "parameter": lambda: Param(5, type="integer"),
    "parameters": lambda: ParamsDict({"a": Param(5, type="integer"), "b": 1}),
    "object storage path": lambda: ObjectStoragePath("file:///tmp/a"),
    "logical date": lambda: pendulum.datetime(2026, 1, 1, tz="UTC"),
    "data interval": lambda: (pendulum.datetime(2026, 1, 1), pendulum.datetime(2026, 1, 2)),
    # What libraries return.
    "boto3, a list of objects": lambda: S3_LIST,
    "boto3, an item of DynamoDB": lambda: {
        "id": Decimal(1),
        "b": boto3.dynamodb.types.Binary(b"x"),
        "s": {"a", "b"},
    },
    "boto3, a body": lambda: botocore.response.StreamingBody(io.BytesIO(b"x"), 1),
    "requests, a response": response,
    "requests, JSON": lambda: response().json(),
    "requests, headers": lambda: response().headers,
    "requests, time": lambda: response().elapsed,
    "requests, cookies": lambda: response().cookies,
    "requests, cookies as a dict": lambda: response().cookies.get_dict(),
    "requests, code": lambda: (response().status_code, response().ok, response().content),
    "SQLAlchemy, rows": lambda: rows(lambda found: found.fetchall()),
    "SQLAlchemy, a row": lambda: rows(lambda found: found.first()),
    "SQLAlchemy, mappings": lambda: rows(lambda found: found.mappings().all()),
    "SQLAlchemy, dicts": lambda: rows(lambda found: [dict(row) for row in found.mappings()]),
    "SQLAlchemy, keys": lambda: rows(lambda found: found.keys()),
    "SQLAlchemy, tuples": lambda: rows(lambda found: [tuple(row) for row in found]),
    "SQLAlchemy, names": lambda: sa.inspect(database()).get_table_names(),
    "SQLAlchemy, columns": lambda: [
        column["name"] for column in sa.inspect(database()).get_columns("trips")
    ],
    "SQLAlchemy, quoted name": lambda: sa.sql.quoted_name("a", quote=True),
    "SQLAlchemy, URL": lambda: sa.make_url("postgresql://u@h/d"),
    "sqlite3, rows": sqlite_rows,
    "sqlite3, tuples": lambda: [tuple(row) for row in sqlite_rows()],
    "database hook, rows and description": lambda: (
        [Generated(1, "a")],
        [("id", None), ("at", None)],
    ),
    "HITL": lambda: {
        "chosen_options": ["a"],
        "params_input": {},
        "responded_at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    },
    "version of a package": lambda: importlib.metadata.version("pandas"),
    "package metadata": lambda: dict(importlib.metadata.metadata("pandas")),
    "pandas, records": lambda: FRAME.to_dict("records"),
    "pandas, a dict of columns": lambda: FRAME.to_dict(),
    "pandas, named tuples": lambda: list(FRAME.itertuples()),
    "pandas, a row": lambda: FRAME.iloc[0],
    "pandas, counts": lambda: FRAME["a"].value_counts(),
    "pandas, groups": lambda: FRAME.groupby("b").agg({"a": "sum", "c": ["min", "max"]}),
    "pandas, groups of rows": lambda: FRAME.groupby("b").groups,
    "pandas, pivot": lambda: FRAME.pivot_table(index="b", columns="a", values="c"),
    "pandas, description": lambda: FRAME.describe(),
    "pandas, sum": lambda: FRAME["a"].sum(),
    "pandas, mean": lambda: {"mean": FRAME["c"].mean(), "n": len(FRAME)},
    "pandas, unique": lambda: FRAME["b"].unique(),
    "pandas, values": lambda: FRAME.to_numpy(),
    "pandas, records of numpy": lambda: FRAME.to_records(index=False),
    "pandas, styler": lambda: FRAME.groupby("b"),
    "pandas, columns": lambda: FRAME.columns,
    "pandas, shape": lambda: FRAME.shape,
    "numpy, scalars": lambda: [
        np.int64(1),
        np.float64(0.1),
        np.float16(4.5),
        np.bool_(True),
        np.int8(1),
    ],
    "numpy, a complex number": lambda: np.complex128(1 + 2j),
    "numpy, unique": lambda: np.unique([1, 1, 2], return_counts=True),
    "numpy, SVD": lambda: np.linalg.svd(np.eye(2)),
    "numpy, polynomial": lambda: np.poly1d([1, 2]),
    "numpy, a structured scalar": lambda: np.array([(1, 2.5)], "i4,f8")[0],
    "numpy, generator": lambda: np.random.default_rng(0),
    "numpy, masked": lambda: np.ma.array([1, 2], mask=[True, False]),
    "polars, a row": lambda: pl.DataFrame({"a": [1]}).row(0, named=True),
    "polars, schema": lambda: pl.DataFrame({"a": [1]}).schema,
    "polars, lazy": lambda: pl.DataFrame({"a": [1]}).lazy(),
}


def version(make, *fields):
    """Return a version of the class `Grown`."""
    made = make("Grown", *fields)
    made.__module__, made.__qualname__ = __name__, "Grown"
    return made


GROWN = {
    "dataclass": [
        version(dataclasses.make_dataclass, ["a"]),
        version(dataclasses.make_dataclass, ["a", ("b", int, 5)]),
    ],
    "attrs": [
        version(attrs.make_class, ["a"]),
        version(attrs.make_class, {"a": attrs.field(), "b": attrs.field(factory=list)}),
    ],
    "pydantic": [
        version(lambda name: pydantic.create_model(name, a=(int, ...))),
        version(lambda name: pydantic.create_model(name, a=(int, ...), b=(int, 5))),
    ],
}
"""A class before and after a field was added to it."""
