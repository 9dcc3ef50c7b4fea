"""Print the URI of a value.

For other tools: aws s3 cp, DuckDB, a colleague. If a key was pushed more than once, the object
written last comes last (S3 gives whole seconds); the database refers to that one. --leaves adds the
objects of the frames and arrays inside a value. A small value lies in Airflow's database and has no
URI.

Examples:
  python -m include.xcom_tools uri --dag-id trips --latest --task-id load
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.xcom_store import settings
from include.xcom_store.stores.base import connect
from include.xcom_tools import listing, names, output
from include.xcom_tools.errors import FOUND, OK

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what names a value."""
    listing.add_value(parser, required=True)
    parser.add_argument("--leaves", action="store_true", help="also the objects inside the value")


def run(arguments: argparse.Namespace) -> int:
    """Print one URI per line."""
    store = connect(settings.load())
    owner = names.narrow(arguments, names.in_store(store))
    values = listing.values(store, owner)

    def keys() -> Iterator[str]:
        leaves: dict[str, list[str]] = {}
        for found in listing.objects(store, owner) if arguments.leaves else ():
            if found.place and found.place.is_leaf:
                leaves.setdefault(found.place.stem, []).append(found.info.key)
        for value in values:
            assert value.place
            yield value.info.key
            yield from leaves.get(value.place.stem, [])

    if not values:
        output.say(listing.only_leaves(store, owner))
        return FOUND
    for key in keys():
        if arguments.json:
            output.line({"uri": store.uri(key)})
        else:
            output.result(store.uri(key))
    return OK
