"""Records and objects of format 1, as the version that released the format wrote them.

A format once released is readable for ever: these files are never written again and never deleted. A
new codec, or a new way in which a codec writes, adds files beside them:

    python -m tests.xcom_store.golden.make

writes those that are not there yet, and touches no other.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

import attrs
import pydantic

T = TypeVar("T")


# Each of these stands in a golden file by its name and those of its fields.


class Vendor(enum.Enum):
    CMT = 1


class Rights(enum.Flag):
    READ = 1
    WRITE = 2


class Place(NamedTuple):
    zone: str
    at: tuple[float, float]


@dataclass
class Fare:
    amount: Any


@dataclass(slots=True, frozen=True)
class Stop:
    place: Place
    fare: Fare


@attrs.define
class Driver:
    name: str
    _license: Any = attrs.field(default=None, converter=lambda text: (text,))


class Trip(pydantic.BaseModel, Generic[T]):
    model_config = pydantic.ConfigDict(extra="allow")

    what: T
    url: pydantic.AnyUrl | None = None
    _checked: Any = pydantic.PrivateAttr(default=None)


class Token:
    """Serializes itself, Airflow's way."""

    __version__ = 2

    def __init__(self, text: str) -> None:
        self.text = text

    def serialize(self) -> dict[str, str]:
        return {"text": self.text}

    @staticmethod
    def deserialize(data: dict[str, str], version: int) -> Token:
        return Token(data["text"] * (version - 1))
