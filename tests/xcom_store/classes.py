"""Classes of every kind that tasks return objects of, and objects of them for the round trip."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import functools
import threading
from collections import namedtuple
from dataclasses import InitVar, field
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Generic, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

import attrs
import pydantic
import pydantic.dataclasses

T = TypeVar("T")
AMBIGUOUS = dt.datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin"))
INSIDE = (Decimal("19.90"), {1, (2, "a")}, AMBIGUOUS, [b"x"], {1: "a"}, float("nan"))
"""What Airflow's serializer changes or refuses inside of an object."""


class Level(enum.StrEnum):
    HIGH = "high"


class Access(enum.Flag):
    READ = 1
    WRITE = 2
    RUN = 4


class Bits(enum.IntFlag):
    A = 1
    B = 2


class Pair(NamedTuple):
    left: Any
    right: Any = 5


Old = namedtuple("Old", "x class_", defaults=[1])  # noqa: PYI024


@dataclasses.dataclass
class Stop:
    at: Any
    fare: Any = Decimal("19.90")


@dataclasses.dataclass(slots=True)
class SlotStop:
    at: Any
    inner: Any = None


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Frozen:
    key: Any


@dataclasses.dataclass
class Built:
    miles: Any
    scale: InitVar[int]
    total: Any = field(init=False)
    never: int = field(init=False)
    note: str = field(init=False, default="as the class has it")
    hidden: Any = field(default=None, repr=False, compare=False)

    def __post_init__(self, scale):
        self.total = self.miles * scale
        self.beside = ("no field", self.total)


@dataclasses.dataclass
class Child(Stop):
    extra: Any = None

    @functools.cached_property
    def doubled(self):
        return [self.extra, self.extra]


class Undecorated(Child):
    def __setattr__(self, name, value):
        super().__setattr__(name, value)
        assert name != "forbidden"


@dataclasses.dataclass
class WithLock:
    name: str

    def __post_init__(self):
        self._lock = threading.Lock()


@dataclasses.dataclass
class Calling:
    name: str

    def __post_init__(self):
        self.calls = [len]


@dataclasses.dataclass
class Counting:
    items: list
    size: int = field(init=False)

    def __post_init__(self):
        self.size = len(self.items)
        self._lock = threading.Lock()


@dataclasses.dataclass
class Boxed(Generic[T]):
    inner: T


class Outer:
    @dataclasses.dataclass
    class Inner:
        x: Any


@dataclasses.dataclass
class Failed(Exception):
    code: Any


def doubled(value):
    return value * 2


@attrs.define
class Ride:
    _secret: Any
    count: Any = attrs.field(converter=doubled, default=2)
    made: Any = attrs.field(init=False, factory=list)
    renamed: Any = attrs.field(alias="other_name", default=None)

    @functools.cached_property
    def long(self):
        return [self._secret] * 3


@attrs.frozen(cache_hash=True)
class Key:
    name: Any


@attrs.define(slots=False)
class Loose:
    x: Any


@attrs.define
class LongRide(Ride):
    miles: Any = 0


@attrs.define
class HoldsLock:
    x: Any
    lock: Any = attrs.field(init=False, factory=threading.Lock)


@attrs.define(slots=False)
class Locked:
    x: Any

    def __attrs_post_init__(self):
        self.lock = threading.Lock()


class Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(arbitrary_types_allowed=True)

    at: dt.datetime
    fare: Decimal = Decimal("1.50")
    levels: set[Level] = set()
    url: pydantic.AnyUrl | None = None
    anything: Any = None
    aliased: int = pydantic.Field(default=1, alias="theAlias")
    _count: Any = pydantic.PrivateAttr(default=0)
    _unset: Any = pydantic.PrivateAttr()

    @pydantic.computed_field
    @property
    def double(self) -> Decimal:
        return self.fare * 2

    @functools.cached_property
    def cached(self):
        return [self.fare]


class Open(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow", frozen=True)

    x: int = 1


class Nested(pydantic.BaseModel):
    one: Open
    many: dict[str, list[Model]]
    stop: Any


class Page(pydantic.BaseModel, Generic[T]):
    items: list[T]


Page[int]  # pydantic keeps it in this module, where Airflow finds it, whatever runs first


class Names(pydantic.RootModel[list[str]]):
    pass


class Client(pydantic.BaseModel):
    name: str
    _lock: Any = pydantic.PrivateAttr(default_factory=threading.Lock)
    _calls: int = pydantic.PrivateAttr(default=0)


class Odd:
    """Neither this backend nor Airflow knows it."""

    def __init__(self, value):
        self.value = value


class Knows(pydantic.BaseModel):
    """With a field that only the model can write."""

    odd: Annotated[
        Odd,
        pydantic.PlainValidator(lambda v: v if isinstance(v, Odd) else Odd(v)),
        pydantic.PlainSerializer(lambda odd: odd.value),
    ]
    fare: Any = None


class Login(pydantic.BaseModel):
    user: str
    password: pydantic.SecretStr
    token: pydantic.SecretBytes = pydantic.SecretBytes(b"")


@pydantic.dataclasses.dataclass
class Checked:
    x: int
    at: dt.datetime
    more: Any = pydantic.Field(default=None)


class Own:
    __slots__ = ("value",)
    __version__ = 3

    def __init__(self, value):
        self.value = value

    def serialize(self):
        return {"value": self.value, "version": 3}

    @staticmethod
    def deserialize(data, version):
        assert version == 3
        return Own(data["value"])


class OnlyWrites:
    def serialize(self):
        return {"a": 1}


def set_by_hand(made, **attributes):
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


def computed(made, *names):
    for name in names:
        getattr(made, name)
    return made


def hashed(made):
    hash(made)
    return made


NOON = "2026-11-22T12:00:00"
OBJECTS = {
    "flags, combined": lambda: [Access.READ | Access.RUN, Access(0), Bits.A | Bits.B, Bits.A],
    "str enum": lambda: [Level.HIGH, {"a": Level.HIGH}],
    "enum as a key": lambda: {Level.HIGH: 1, Access.READ: 2},
    "named tuples": lambda: [Pair(INSIDE, 1), Old(Pair(1), 2)],
    "named tuples, many": lambda: [Pair(n, Decimal(n)) for n in range(50)],
    "dataclass with what serde changes": lambda: Stop(INSIDE),
    "dataclass, slots": lambda: SlotStop(Decimal("19.90"), SlotStop(AMBIGUOUS, Level.HIGH)),
    "dataclass, frozen": lambda: {Frozen((1, "a")): Frozen(Decimal("1.0"))},
    "dataclass, nested": lambda: Stop([Stop({"a": SlotStop(Pair(1, 2))})], Ride(Key("x"))),
    "dataclass with InitVar and fields without init": lambda: Built(Decimal("1.10"), 3),
    "dataclass with an attribute beside its fields": lambda: set_by_hand(Stop(1), note=(1, 2)),
    "dataclass with a cached property": lambda: computed(Child(1, extra="x"), "doubled"),
    "dataclass, a subclass": lambda: Undecorated(1, Decimal("2.0"), {1}),
    "dataclass with a field that was changed": lambda: set_by_hand(Built(1, 2), total=None),
    "dataclass, generic": lambda: [Boxed[int](1), Boxed("x"), Boxed[dict[str, int]]({})],
    "dataclass in a class": lambda: Outer.Inner(1),
    "dataclass that is an exception": lambda: Failed(code=3),
    "dataclass in a set": lambda: {Frozen(1), Frozen((2,))},
    "pydantic dataclass": lambda: Checked(1, NOON + "Z", INSIDE),
    "attrs object with what serde changes": lambda: Ride(INSIDE),
    "attrs object, private, converted, renamed": lambda: Ride(1, count=7, other_name={"x"}),
    "attrs object with a cached property": lambda: computed(Ride(1), "long"),
    "attrs object with a cached hash": lambda: {Key("x"): hashed(Key(("y",)))},
    "attrs object without slots": lambda: set_by_hand(Loose(1), beside=2),
    "attrs object, nested": lambda: LongRide(Ride(Loose((1,))), miles=Decimal("1.0")),
    "pydantic with private attributes": lambda: set_by_hand(Model(at=NOON + "Z"), _count=(1, {2})),
    "pydantic with fields set": lambda: [Model(at=NOON), Model(at=AMBIGUOUS, fare="1.50", theAlias=2)],
    "pydantic with URL, set of enums, objects": lambda: Model(
        at=NOON + "+02:00", levels=["high"], url="https://ü.example/a?b#c", anything=Stop(INSIDE)
    ),
    "pydantic with a cached property": lambda: computed(Model(at=NOON), "cached"),
    "pydantic with extra fields": lambda: Open(x=1, extra=(1, 2), other={"a": Decimal("1.0")}),
    "pydantic, nested": lambda: Nested(one=Open(y={1}), many={"a": [Model(at=NOON)]}, stop=Stop(1)),
    "pydantic, generic": lambda: [Page[int](items=[1]), Page[Open](items=[Open()]), Page(items=[()])],
    "pydantic, generic of a generic": lambda: Page[Page[dict[str, int]]](items=[{"items": [{"a": 1}]}]),
    "pydantic, root": lambda: Names(["a"]),
    "pydantic, constructed": lambda: Model.model_construct(at="no datetime", fare=(1,)),
    "pydantic URLs": lambda: [
        pydantic.AnyUrl("http://a.example"), pydantic.HttpUrl("https://a.example/x"),
        pydantic.PostgresDsn("postgresql://u:p@h1,h2:1/x"), pydantic.RedisDsn("redis://h"),
    ],
    "pydantic with a field of another type": lambda: [Knows(odd=5), Knows(odd="x", fare=1.5)],
    "object with serialize and what serde changes": lambda: Own([INSIDE, Stop(Own(1))]),
    "objects, many": lambda: [Stop(n, Path("a")) for n in range(100)],
}  # fmt: skip
