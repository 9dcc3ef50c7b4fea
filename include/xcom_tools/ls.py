"""List the objects of XComs.

One line per object: its size, when it was written, and what it belongs to, decoded from its key. A
value with frames or arrays inside is several objects: its own, and its leaves. Objects under the
prefix that this backend has not named are listed with their key.

Over-long identifiers are cut in keys; they are shown as there, with a ! and a hash at the end.

Examples:
  python -m include.xcom_tools ls
  python -m include.xcom_tools ls --dag-id trips --latest
  python -m include.xcom_tools ls --json | jq -r .uri
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from include.xcom_store import settings
from include.xcom_store.sizes import size_text
from include.xcom_store.stores.base import connect
from include.xcom_tools import listing, names, output
from include.xcom_tools.errors import OK
from include.xcom_tools.output import Heading

if TYPE_CHECKING:
    import argparse

    from include.xcom_store.stores.base import Store
    from include.xcom_tools.listing import ListedObject

HEADINGS = (
    Heading("bytes", size_text, right=True),
    Heading("modified", output.time),
    Heading("dag_id"),
    Heading("run_id"),
    Heading("task_id"),
    Heading("map_index", right=True),
    Heading("object"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what selects objects."""
    listing.add_selection(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the objects."""
    store = connect(settings.load())
    owner = names.narrow(arguments, names.in_store(store))
    found = (_row(store, each) for each in listing.objects(store, owner))
    if not output.rows(found, HEADINGS, as_json=arguments.json):
        output.say(f"Nothing found under {store.uri()}")
    return OK


def _row(store: Store, found: ListedObject) -> dict[str, Any]:
    said: dict[str, Any] = dict.fromkeys(("dag_id", "run_id", "task_id", "map_index", "key"))
    name = found.info.key
    if place := found.place:
        said = {**place.shown(), "map_index": int(place.map_index)}
        name = name.removeprefix(f"{place.directory}/")
    return {
        "bytes": found.info.bytes,
        "modified": found.info.modified,
        **said,
        "object": name,
        "uri": store.uri(found.info.key),
    }
