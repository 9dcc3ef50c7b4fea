"""What a sweep reports: findings one by one, and a tally for each DAG."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

LIVE, ORPHAN, UNSURE = "live", "orphan", "unsure"
"""What a value is."""
MISSING, REFUSED, OTHER = "missing", "refused", "not ours"
UPLOAD, NOT_SEEN, LEFT_OVER = "upload", "not seen", "left over"


class Finding(NamedTuple):
    """One value, row, DAG or object that is not as it should be.

    Attributes:
        kind: `orphan` (a value that no row refers to), `missing` (an object that is gone and that a
            row refers to), `unsure` (a value whose row cannot be asked for), `refused` (a DAG that
            the token may not read), `not ours` (an object with a name that the backend does not
            give), `upload` (one that was never completed), `not seen` (S3 does not list these),
            `left over` (of an interrupted claim or check).
        uri: what it is about; of a value, its main object.
        reason: for people.
        objects: how many, with their bytes, and when the last of them was written.
        deleted: whether they are gone now.
    """

    kind: str
    uri: str
    reason: str
    objects: int = 0
    bytes: int = 0
    modified: datetime | None = None
    deleted: bool = False


@dataclass
class Tally:
    """What a sweep has seen of one DAG, in values unless the name says otherwise."""

    objects: int = 0
    bytes: int = 0
    live: int = 0
    young: int = 0
    """Not older than the grace period."""
    orphans: int = 0
    orphan_objects: int = 0
    orphan_bytes: int = 0
    deleted: int = 0
    uploads: int = 0
    """Never completed, and older than the grace period."""
    unsure: int = 0
    missing: int = 0

    def __add__(self, other: Tally) -> Tally:
        """Return both together."""
        mine, its = vars(self), vars(other)
        return Tally(**{name: mine[name] + its[name] for name in mine})
