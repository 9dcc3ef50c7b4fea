"""Records and objects of format 1, as the version that released the format wrote them.

A format once released is readable for ever: these files are never written anew and never deleted. A
new codec, or a new way in which a codec writes, adds files beside them:

    python -m tests.xcom_store.golden.make

writes those that are not there yet, and touches no other.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import NamedTuple


class Vendor(enum.Enum):
    """Stands in a golden file by this name."""

    CMT = 1


class Place(NamedTuple):
    """Stands in a golden file by this name."""

    zone: str
    at: tuple[float, float]


@dataclass
class Fare:
    """Stands in a golden file by this name, as Airflow's serializer writes it."""

    amount: float
