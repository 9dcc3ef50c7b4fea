"""The objects of XComs, listed lazily: memory does not grow with the store.

    for found in listing.objects(store, Owner("trips", None)):
        print(found.info.key, found.info.bytes, found.place and found.place.is_leaf)

What a key says stays percent-encoded here: over-long identifiers are cut and given a hash in keys
(see `keys.encoded`), so a key cannot always be decoded. To tell whether an object belongs to a task
instance that Airflow names, encode that one's identifiers and compare; `Place.shown` is for
display only.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from include.xcom_store import keys
from include.xcom_store.keys import PARTITIONS, Owner

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from include.xcom_store.stores.base import ObjectInfo, Store

ANY = Owner(None, None)


class Place(NamedTuple):
    """What the key of an object of ours says, as it is written there: percent-encoded.

    Attributes:
        directory: `dag_id=…/run_id=…/task_id=…/map_index=…`.
        stem: the value's own name under which all its objects lie: `{directory}/{key}-{unique}`.
        leaf: the number of a leaf; None for the main object.
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
            wanted is None or getattr(self, name) == keys.encoded(str(wanted))
            for name, wanted in owner._asdict().items()
        )

    def shown(self) -> dict[str, str]:
        """Return the identifiers decoded, for display only; cut ones keep their `!` and hash."""
        return {name: unquote(getattr(self, name)) for name in (*PARTITIONS, "key")}


class ListedObject(NamedTuple):
    """An object in the store; `place` is None if its name is not one that the backend gives."""

    info: ObjectInfo
    place: Place | None


def objects(store: Store, owner: Owner = ANY, after: str | None = None) -> Iterator[ListedObject]:
    """List what the store holds, in the order of the keys' bytes.

    Args:
        store: of this deployment.
        owner: only of this DAG, run, task …; objects that are not ours are listed only where none
            of its fields is set.
        after: a key; only what follows it.
    """
    for info in store.list(directory(owner), after):
        place = parse(info.key)
        if is_of(place, owner):
            yield ListedObject(info, place)


def is_of(place: Place | None, owner: Owner) -> bool:
    """Tell whether it is an owner's; what is not ours only where none of its fields is set."""
    return place.belongs_to(owner) if place else owner == ANY


def values(store: Store, owner: Owner) -> list[ListedObject]:
    """Return the main objects of an owner's values, the newest last; all are held in memory."""
    main = [each for each in objects(store, owner) if each.place and not each.place.is_leaf]
    return sorted(main, key=lambda each: each.info.modified)


def directory(owner: Owner) -> str:
    """Return where all objects of an owner lie, as far down as its fields are set without a gap."""
    parts: list[str] = []
    for name in PARTITIONS:
        if (value := getattr(owner, name)) is None:
            break
        parts.append(f"{name}={keys.encoded(str(value))}")
    return "/".join(parts)


def parse(object_key: str) -> Place | None:
    """Return what a key says; None if this backend does not name objects so."""
    match = _OURS.fullmatch(object_key)
    if match is None:
        return None
    under = match["directory"]
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
    """Add the options that name a DAG, run, task instance or XCom; `names.narrow` reads them."""
    parser.add_argument("--dag-id", metavar="ID", required=dag_required, help="only of this DAG")
    _add_run(parser, required=False)
    parser.add_argument("--task-id", metavar="ID", help="only of this task")
    parser.add_argument("--map-index", metavar="N", type=int, help="only of this; -1 is unmapped")
    parser.add_argument("--key", metavar="KEY", help="only XComs of this key")


def add_value(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """Add the options that name one value; `names.narrow` reads them."""
    parser.add_argument("--dag-id", metavar="ID", required=required, help="of this DAG")
    _add_run(parser, required=required)
    parser.add_argument("--task-id", metavar="ID", required=required, help="of this task")
    parser.add_argument("--map-index", metavar="N", type=int, help="of a mapped task")
    parser.add_argument("--key", metavar="KEY", default="return_value", help="default: %(default)s")


def _add_run(parser: argparse.ArgumentParser, *, required: bool) -> None:
    run = parser.add_mutually_exclusive_group(required=required)
    run.add_argument("--run-id", metavar="ID", help="of this run; a part that only one has will do")
    run.add_argument("--latest", action="store_true", help="of the DAG's latest run")


def where(store: Store, owner: Owner) -> str:
    """Return the store's URI, and what of it was selected."""
    said = [f"{name}={value}" for name, value in owner._asdict().items() if value is not None]
    return " with ".join(filter(None, [store.uri(), " ".join(said)]))


def only_leaves(store: Store, owner: Owner) -> str:
    """Return the message that a value's main object is gone, and its leaves are not."""
    return (
        f"The main object of XCom {owner.key!r} of {owner} under {store.uri()} is gone; only "
        "leaves are left."
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
    # HDFS shows a file that is being written; its name makes it a value that no row refers to.
    + rf"/(?P<key>[^/]+)-(?P<unique>{keys.UNIQUE})"
    + r"(?:/(?:_temporary-)?(?P<leaf>[0-9]+))?\.[a-z0-9.]+"
)
