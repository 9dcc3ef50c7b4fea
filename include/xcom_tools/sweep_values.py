"""Values as `sweep` finds them in the store, object by object, and deletes them whole.

A value is one main object, and perhaps leaves under its stem. No more is held in memory than the
keys of one task instance's values.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

from include.xcom_tools import listing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from include.xcom_store.keys import Owner
    from include.xcom_store.stores.base import ObjectInfo, Store
    from include.xcom_tools.listing import Place


@dataclass
class Value:
    """All objects of one push.

    Attributes:
        place: of any of them.
        newest: when the last of them was written.
        objects: their keys.
        has_main: whether the object that the database would refer to is among them.
    """

    place: Place
    newest: datetime
    objects: list[str] = field(default_factory=list)
    bytes: int = 0
    has_main: bool = False

    def add(self, info: ObjectInfo, place: Place) -> None:
        """Add one more object."""
        self.objects.append(info.key)
        self.bytes += info.bytes
        self.newest = max(self.newest, info.modified)
        self.has_main = self.has_main or not place.is_leaf

    @property
    def unique(self) -> str:
        """What no other push has: the reference in the database holds it, in its URI."""
        return self.place.stem[-32:]

    @property
    def leaves(self) -> int:
        """How many of its leaves are in the store."""
        return len(self.objects) - self.has_main

    @property
    def key(self) -> str:
        """Of its main object, or of its first leaf where that is missing."""
        return next(filter(self._is_main, self.objects), self.objects[0])

    def delete(self, store: Store) -> None:
        """Delete its objects, the leaves first, as the backend does.

        After an interruption the rest is still found: objects that no row refers to.
        """
        store.delete(*(key for key in self.objects if not self._is_main(key)))
        store.delete(*filter(self._is_main, self.objects))

    def _is_main(self, key: str) -> bool:
        return key.startswith(f"{self.place.stem}.")


def instances(
    store: Store, owner: Owner, after: str | None, others: Callable[[ObjectInfo], None]
) -> Iterator[list[Value]]:
    """List all values, those of one task instance at a time.

    Args:
        store: of this deployment.
        owner: only of this DAG, run, …
        after: a key; only what follows it.
        others: is called with each object that is not ours.
    """

    def ours() -> Iterator[tuple[ObjectInfo, Place]]:
        for info, place in listing.objects(store, owner, after):
            if place is None:
                others(info)
            else:
                yield info, place

    for _directory, group in groupby(ours(), key=lambda pair: pair[1].directory):
        values: dict[str, Value] = {}
        for info, place in group:
            values.setdefault(place.stem, Value(place, info.modified)).add(info, place)
        yield list(values.values())
