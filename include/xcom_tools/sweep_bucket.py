"""What `sweep` does in the bucket: finds values, object by object, and deletes them whole.

A value is one main object, and perhaps leaves under its stem. No more is held in memory than the
keys of one task instance's values.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

from include.xcom_store.errors import ObjectMissing
from include.xcom_tools.listing import Bucket, Found, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from include.xcom_store.keys import Owner

MARKER_BYTES = 4096


@dataclass
class Value:
    """All objects of one push.

    Attributes:
        place: of any of them.
        objects: their keys.
        newest: when the last of them was written.
        has_main: whether the object that the database would refer to is among them.
    """

    place: Place
    newest: datetime
    objects: list[str] = field(default_factory=list)
    bytes: int = 0
    has_main: bool = False

    def add(self, found: Found, place: Place) -> None:
        """Take in one more object."""
        self.objects.append(found.key)
        self.bytes += found.size
        self.newest = max(self.newest, found.modified)
        self.has_main = self.has_main or not place.is_leaf

    @property
    def unique(self) -> str:
        """What no other push has: the reference in the database holds it, in its URI."""
        return self.place.stem[-32:]

    @property
    def leaves(self) -> int:
        """How many of its leaves are in the bucket."""
        return len(self.objects) - self.has_main

    @property
    def key(self) -> str:
        """Of its main object, or of its first leaf where that is missing."""
        main = (key for key in self.objects if key.startswith(f"{self.place.stem}."))
        return next(main, self.objects[0])


class SweepBucket(Bucket):
    """The bucket as `sweep` needs it."""

    def instances(
        self, owner: Owner, after: str | None, others: Callable[[Found], None]
    ) -> Iterator[list[Value]]:
        """List all values, those of one task instance at a time.

        Args:
            owner: only of this DAG, run, …
            after: a key; only what follows it.
            others: is called with each object that is not ours.
        """

        def ours() -> Iterator[tuple[Found, Place]]:
            for found in self.objects(owner, after):
                if found.place is None:
                    others(found)
                else:
                    yield found, found.place

        for _directory, group in groupby(ours(), key=lambda pair: pair[1].directory):
            values: dict[str, Value] = {}
            for found, place in group:
                value = values.setdefault(place.stem, Value(place, found.modified))
                value.add(found, place)
            yield list(values.values())

    def remove(self, value: Value) -> None:
        """Delete a value: its leaves first, as the backend does.

        After an interruption what is left is still found: objects that no row refers to.
        """
        import obstore

        main = [key for key in value.objects if key.startswith(f"{value.place.stem}.")]
        leaves = [key for key in value.objects if key not in main]
        with self._errors("deleting", value.key):
            for keys in filter(None, (leaves, main)):
                obstore.delete(self._client, keys)

    def exists(self, key: str) -> bool:
        """Tell whether there is such an object."""
        import obstore

        try:
            with self._errors("looking for", key):
                obstore.head(self._client, key)
        except ObjectMissing:
            return False
        return True

    def read_small(self, key: str) -> str | None:
        """Return the text of a small object, None if it is not there."""
        import obstore

        try:
            with self._errors("reading", key):
                found = obstore.get(self._client, key)
                if found.meta["size"] > MARKER_BYTES:
                    return f"({found.meta['size']} bytes)"
                return bytes(found.bytes()).decode(errors="replace")
        except ObjectMissing:
            return None

    def create(self, key: str, text: str) -> None:
        """Write a small object, unless there is one of that key already."""
        import obstore
        from obstore.exceptions import AlreadyExistsError

        with self._errors("writing", key):
            try:
                obstore.put(self._client, key, text.encode(), mode="create")
            except AlreadyExistsError:
                return
