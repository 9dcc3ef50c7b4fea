"""The objects of XComs in the bucket, listed lazily: memory does not grow with the bucket.

    for found in Bucket(settings.load()).objects(Owner("trips", None)):
        print(found.key, found.size, found.place and found.place.is_leaf)

What a key says stays percent-encoded here: over-long identifiers are cut and given a hash in keys
(see `keys.part`), so a key cannot always be decoded. To tell whether an object is of a task
instance that Airflow names, encode that one's identifiers and compare; `Place.shown` is for
people's eyes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from include.xcom_store import keys
from include.xcom_store.errors import ObjectCorrupt
from include.xcom_store.keys import PARTITIONS, Owner
from include.xcom_store.store import Store

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from datetime import datetime

    from include.xcom_store.settings import Settings

ANY = Owner(None, None)
PAGE = 1000
"""Objects a request, the most that S3 gives."""


class Place(NamedTuple):
    """What the key of an object of ours says, as it is written there: percent-encoded.

    Attributes:
        directory: `{prefix}/dag_id=…/run_id=…/task_id=…/map_index=…`.
        stem: the value's own name under which all its objects lie: `{directory}/{key}-{unique}`.
        leaf: of a value of several objects, the number of this one; None is the main object.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: str
    key: str
    directory: str
    stem: str
    leaf: int | None

    @property
    def is_leaf(self) -> bool:
        """Whether it is a part of a value, and not the object that the database refers to."""
        return self.leaf is not None

    def belongs_to(self, owner: Owner) -> bool:
        """Tell whether it is of this task instance; the owner's None fields stand for any."""
        return all(
            wanted is None or getattr(self, name) == keys.part(str(wanted))
            for name, wanted in owner._asdict().items()
        )

    def shown(self) -> dict[str, str]:
        """Return the identifiers decoded, for display only; cut ones keep their `!` and hash."""
        return {name: unquote(getattr(self, name)) for name in (*PARTITIONS, "key")}


class Found(NamedTuple):
    """An object in the bucket; `place` is None for one that this backend has not named."""

    key: str
    size: int
    modified: datetime
    place: Place | None


class Bucket(Store):
    """The backend's store, and what only tools ask of it."""

    def __init__(self, options: Settings) -> None:
        super().__init__(options)
        self.prefix = options.prefix

    def objects(self, owner: Owner = ANY, after: str | None = None) -> Iterator[Found]:
        """List what lies under the prefix, in the order S3 gives: that of the keys' bytes.

        Args:
            owner: only of this DAG, run, task …; objects that are not ours are listed only where
                no field of it is set.
            after: a key; only what follows it.
        """
        import obstore

        under = directory(self.prefix, owner)
        with self._errors("listing", f"{under}/"):
            for page in obstore.list(self._client, under, offset=after, chunk_size=PAGE):
                for meta in page:
                    place = parse(self.prefix, meta["path"])
                    if place.belongs_to(owner) if place else not any(owner):
                        yield Found(meta["path"], meta["size"], meta["last_modified"], place)

    def values(self, owner: Owner) -> list[Found]:
        """Return the main objects of an owner's values, the newest last; all are held in memory."""
        main = [found for found in self.objects(owner) if found.place and not found.place.is_leaf]
        return sorted(main, key=lambda found: found.modified)

    def size(self, key: str) -> int:
        """Return an object's size in bytes.

        Raises:
            ObjectMissing: it is not there.
        """
        import obstore

        with self._errors("reading", key):
            return obstore.head(self._client, key)["size"]

    def read_range(self, key: str, start: int, end: int) -> bytes:
        """Return the bytes from `start` up to `end`; nothing of the object is checked.

        Raises:
            ObjectMissing: it is not there.
            ObjectCorrupt: it ends earlier.
        """
        import obstore

        with self._errors("reading", key):
            data = bytes(obstore.get_range(self._client, key, start=start, end=end))
            if len(data) != end - start:
                raise ObjectCorrupt(f"{self.uri(key)} is shorter than it was a moment ago.")
            return data


def directory(prefix: str, owner: Owner) -> str:
    """Return where all objects of an owner lie, as far down as its fields are set without a gap."""
    parts = [prefix]
    for name in PARTITIONS:
        if (value := getattr(owner, name)) is None:
            break
        parts.append(f"{name}={keys.part(str(value))}")
    return "/".join(parts)


def parse(prefix: str, object_key: str) -> Place | None:
    """Return what a key says; None if this backend does not name objects so."""
    match = _OURS.fullmatch(object_key.removeprefix(f"{prefix}/"))
    if match is None or not object_key.startswith(f"{prefix}/"):
        return None
    under = f"{prefix}/{match['directory']}"
    dag_id, run_id, task_id, map_index, key = (match[name] for name in Owner._fields)
    return Place(
        dag_id,
        run_id,
        task_id,
        map_index,
        key,
        directory=under,
        stem=f"{under}/{key}-{match['unique']}",
        leaf=None if match["leaf"] is None else int(match["leaf"]),
    )


def add_selection(parser: argparse.ArgumentParser, *, dag_required: bool = False) -> None:
    """Add the options that name a DAG, run, task instance or XCom; `selected` reads them."""
    parser.add_argument("--dag-id", metavar="ID", required=dag_required, help="only of this DAG")
    parser.add_argument("--run-id", metavar="ID", help="only of this run")
    parser.add_argument("--task-id", metavar="ID", help="only of this task")
    parser.add_argument("--map-index", metavar="N", type=int, help="only of this; -1 is unmapped")
    parser.add_argument("--key", metavar="KEY", help="only XComs of this key")


def add_value(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """Add the options that name one value; `selected` reads them."""
    for name in ("--dag-id", "--run-id", "--task-id"):
        parser.add_argument(name, metavar="ID", required=required)
    parser.add_argument("--map-index", metavar="N", type=int, help="of a mapped task")
    parser.add_argument("--key", metavar="KEY", default="return_value", help="default: %(default)s")


def nothing(bucket: Bucket, owner: Owner) -> str:
    """Say that there is no object of a value, and why that may be so."""
    return (
        f"No object of XCom {owner.key!r} of {owner} under {bucket.uri(bucket.prefix)}/. A small "
        "value lies in Airflow's database; look at the XCom in Airflow's UI."
    )


def selected(arguments: argparse.Namespace) -> Owner:
    """Return whose objects the command line asks for."""
    return Owner(
        arguments.dag_id,
        arguments.run_id,
        arguments.task_id,
        arguments.map_index,
        arguments.key,
    )


_OURS = re.compile(
    "(?P<directory>"
    + "/".join(f"{name}=(?P<{name}>[^/]+)" for name in PARTITIONS[:3])
    + r"/map_index=(?P<map_index>-?[0-9]+))"
    + rf"/(?P<key>[^/]+)-(?P<unique>{keys.UNIQUE})(?:/(?P<leaf>[0-9]+))?\.[a-z0-9.]+"
)
