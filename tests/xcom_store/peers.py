"""The values of Airflow's own tests of its serializers and of common-io's backend, in our own words.

From apache/airflow: `task-sdk/tests/task_sdk/serde/` and
`providers/common/io/tests/unit/common/io/xcom/test_backend.py`. `STORED` are rows of the database
that those tests read: older forms of values, as databases that were upgraded hold them.
"""

from __future__ import annotations

import collections
import datetime as dt
import enum
import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import attrs
import numpy as np
import pandas as pd
import pendulum
import pydantic
import pydantic.dataclasses
import pytest
from airflow.sdk import Asset, Param
from airflow.sdk.definitions.param import ParamsDict
from dateutil import tz
from pendulum.tz.timezone import FixedTimezone


class NamedZone(dt.tzinfo):
    name = "My/Custom"

    def utcoffset(self, _):
        return dt.timedelta(hours=2)

    def dst(self, _):
        return dt.timedelta(0)

    def tzname(self, _):
        return self.name


class NamelessZone(dt.tzinfo):
    def utcoffset(self, _):
        return dt.timedelta(hours=2)

    def tzname(self, _):
        """Return nothing."""


class Serializing:
    __version__: ClassVar[int] = 1

    def __init__(self, x):
        self.x = x

    def serialize(self):
        return {"x": self.x}

    @staticmethod
    def deserialize(data, version):
        if version != 1:
            raise TypeError(version)
        return Serializing(data["x"])

    def __eq__(self, other):
        return self.x == other.x

    def __hash__(self):
        return hash(self.x)


@attrs.define
class WithInit:
    x: int
    __version__: ClassVar[int] = 1

    def __init__(self, x):
        self.x = x


@dataclass
class Versioned:
    __version__: ClassVar[int] = 2
    x: int


@dataclass
class Holder:
    __version__: ClassVar[int] = 1
    w: Versioned
    s: list
    t: tuple
    c: int


class Model(pydantic.BaseModel):
    __version__: ClassVar[int] = 1
    x: int
    v: Holder
    u: tuple


@attrs.define
class Mixed:
    x: int
    y: WithInit
    u: tuple
    w: Versioned
    __version__: ClassVar[int] = 1


class Callable:
    def __call__(self):
        """Return nothing."""


class Leaf(pydantic.BaseModel):
    value: int


class Middle(pydantic.BaseModel):
    leaves: list[Leaf]


class Root(pydantic.BaseModel):
    mid: Middle
    maybe: Leaf | None


class Node(pydantic.BaseModel):
    name: str
    children: list[Node] = []


class Fruit(pydantic.BaseModel):
    banana: float = 1.1
    foo: str = pydantic.Field()


@pydantic.dataclasses.dataclass
class Checked:
    __version__: ClassVar[int] = 1
    a: int
    b: str


def holder():
    return Holder(w=Versioned(x=42), s=["hello", "world"], t=(1, 2, 3), c=99)


def local_color():
    return enum.IntEnum("Color", ["RED", "GREEN"]).RED


def pod():
    models = pytest.importorskip("kubernetes.client.models")
    pytest.importorskip("airflow.providers.cncf.kubernetes")
    container = models.V1Container(name="foo", image="bar")
    return models.V1Pod(
        metadata=models.V1ObjectMeta(name="foo", namespace="bar"),
        spec=models.V1PodSpec(containers=[container]),
    )


NEW_YORK = pendulum.timezone("America/New_York")
VALUES: dict[str, Any] = {
    "datetime of UTC": lambda: dt.datetime(2022, 7, 10, 22, 10, 43, tzinfo=pendulum.UTC),
    "pendulum of UTC": lambda: pendulum.DateTime(2022, 7, 10, tzinfo=pendulum.UTC),
    "date": lambda: dt.date(2022, 7, 10),
    "timedelta": lambda: dt.timedelta(days=320),
    "datetime of New York": lambda: dt.datetime(2022, 7, 10, 22, 10, 43, tzinfo=NEW_YORK),
    "pendulum of New York": lambda: pendulum.DateTime(2022, 7, 10, tzinfo=NEW_YORK),
    "pendulum of dateutil's UTC": lambda: pendulum.DateTime(2022, 7, 10, tzinfo=tz.tzutc()),
    "pendulum of zoneinfo": lambda: pendulum.DateTime(2022, 7, 10, tzinfo=ZoneInfo("Europe/Paris")),
    "datetime of no zone": lambda: dt.datetime(2026, 11, 26, 10, 20, 30, 123456),
    "pendulum of an offset": lambda: pendulum.datetime(2023, 4, 1, tz=FixedTimezone(-3600)),
    "offsets": lambda: [FixedTimezone(0), FixedTimezone(-14400), ZoneInfo("Asia/Taipei")],
    "zone with a name": NamedZone,
    "zone without a name": NamelessZone,
    "datetime of a zone with a name": lambda: dt.datetime(2026, 1, 1, tzinfo=NamedZone()),
    "datetime of a zone without a name": lambda: dt.datetime(2026, 1, 1, tzinfo=NamelessZone()),
    "Decimals": lambda: [*map(Decimal, ("1", "52e4", "2e0", "12e-2", "12.34", "12345"))],
    "numpy": lambda: [np.int8(1), np.int16(2), np.int64(4), np.float16(4.5), np.float64(123.11241231351)],
    "numpy, others": lambda: [np.bool_(False), np.float32(3.14), np.int32(123)],
    "numpy array": lambda: np.array([1, 2, 3]),
    "parameters": lambda: ParamsDict({"x": Param(default="value", description="a value", key="test")}),
    "frame": lambda: pd.DataFrame({"col1": [1, 2], "col2": [3, 4]}),
    "pydantic model": lambda: Fruit(banana=3.14, foo="hello"),
    "pydantic dataclass": lambda: Checked(a=5, b="a test"),
    "pydantic, others inside": lambda: Model(x=7, v=holder(), u=("extra", 123)),
    "pydantic, nested": lambda: Root(mid=Middle(leaves=[Leaf(value=1)]), maybe=None),
    "pydantic, of itself": lambda: Node(name="a", children=[Node(name="b")]),
    "UUIDs": lambda: [uuid.UUID(int=7, version=4), uuid.UUID(int=7, version=1)],
    "primitives": lambda: [10, 10.1, "test", True, None],
    "IntEnum of a function": local_color,
    "collections": lambda: [[1, 2], ("a", "b", "a", "c"), {2, 3}, frozenset({6, 7})],
    "dict": lambda: {"a": 1, "b": 2},
    "reserved key": lambda: {"__classname__": "cannot"},
    "reserved key of a reference": lambda: {"__id__": "cannot"},
    "named tuple of a function": lambda: collections.namedtuple("CustomTuple", ["id", "value"])(1, "something"),  # noqa: PYI024
    "class": lambda: Exception,
    "object": object,
    "callable": Callable,
    "serializes itself": lambda: Serializing(10),
    "attrs with an __init__": lambda: WithInit(10),
    "dataclass": lambda: Versioned(12),
    "dataclass, nested": holder,
    "attrs, others inside": lambda: Mixed(y=WithInit(10), u=(1, 2), x=10, w=Versioned(11)),
    "asset": lambda: Asset(uri="mytest://asset", name="test"),
    "common-io, small": lambda: {"key": "value"},
    "common-io, large": lambda: {"key": "bigvalue" * 300},
}  # fmt: skip
REFUSED = {"zone with a name", "zone without a name", "class", "object", "callable"}
"""By Airflow, too."""
NOT_READ = {"datetime of a zone with a name", "datetime of a zone without a name"}
"""Airflow's own backend pushes them, and cannot pull them."""
CHANGED = {
    "parameters": lambda: ParamsDict({"x": "value"}),
    "IntEnum of a function": lambda: 1,
    "named tuple of a function": lambda: (1, "something"),
}
"""What Airflow's own backend makes of them, too."""


def moment(stamp, zone, kind="Timezone"):
    """Return a datetime as it was stored with pendulum 2."""
    zone = [zone, f"pendulum.tz.timezone.{kind}", 1, True]
    zone = {"__classname__": "builtins.tuple", "__version__": 1, "__data__": zone}
    data = {"timestamp": stamp, "tz": zone}
    return {"__classname__": "pendulum.datetime.DateTime", "__version__": 2, "__data__": data}


def first_moment(zone):
    """Return a datetime as the first version of its serializer stored it."""
    data = {"timestamp": 1657505443.0, "tz": zone}
    return {"__classname__": "pendulum.datetime.DateTime", "__version__": 1, "__data__": data}


STORED = {
    **{f"datetime of {zone}": first_moment(zone) for zone in ("UTC", "Europe/Paris", "EDT", "CDT", "MDT", "PDT")},
    "pendulum 2, UTC": moment(1680307200.0, "UTC", "FixedTimezone"),
    "pendulum 2, Tbilisi": moment(1680292800.0, "Asia/Tbilisi"),
    "pendulum 2, London": moment(1680303600.0, "Europe/London"),
    "pendulum 2, offset": moment(1680310800.0, -3600, "FixedTimezone"),
    "the old serializer's asset": {
        "__type": "airflow.sdk.definitions.asset.Asset", "__source": None,
        "__var": {"__type": "dict", "__var": {"uri": "s3://a/b", "extra": {"__var": {"hi": "bye"}, "__type": "dict"}}},
    },
    "the old serializer's dict": {"extra": {"__var": {"hi": "bye"}, "__type": "dict"}},
    **{f"the old serializer's {kind}": {"__type": kind, "__var": [1, 2, 3]} for kind in ("tuple", "set", "frozenset")},
    "the old serializer's tuple, nested": {"a": "hello", "b": {"__type": "tuple", "__var": [1, 2]}},
    "the old serializer's timedelta": {"__type": "timedelta", "__var": 3600.0},
    "dataclass": {"__classname__": f"{__name__}.Versioned", "__version__": 2, "__data__": {"x": 2}},
    "serializes itself": {"__classname__": f"{__name__}.Serializing", "__version__": 1, "__data__": {"x": 10}},
}  # fmt: skip
UNREADABLE = {
    "of a newer version": {"__classname__": f"{__name__}.WithInit", "__version__": 2},
    "of no deserializer": {"__classname__": f"{__name__}.Callable", "__version__": 0},
    "of no class": {"__classname__": "", "__version__": 1, "__data__": {}},
    "of no name": {"__classname__": 123, "__version__": 1, "__data__": {}},
}
