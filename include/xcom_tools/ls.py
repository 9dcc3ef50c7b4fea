"""List the objects of XComs.

One line per object: its size, when it was written, and what it belongs to, decoded from its key. A
value with frames or arrays inside is several objects: its own, and its leaves. Objects under the
prefix that this backend has not named are listed with their key.

Over-long identifiers are cut in keys; they are shown as there, with a ! and a hash at the end.

The bucket alone is asked. With --rows Airflow's REST API is, too, and each value's line says how
many of its parts do not come back exactly as pushed (see [xcom_store] inexact). Pass Airflow's
token in AIRFLOW_API_TOKEN or the connection airflow_api, never on the command line.

Examples:
  python -m include.xcom_tools ls
  python -m include.xcom_tools ls --dag-id trips --latest
  python -m include.xcom_tools ls --json | jq -r .uri
  python -m include.xcom_tools ls --dag-id trips --rows
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from include.xcom_store import settings
from include.xcom_store.record import is_reference
from include.xcom_store.sizes import size_text
from include.xcom_store.stores.base import connect
from include.xcom_tools import airflow_access, listing, names, output
from include.xcom_tools.errors import OK
from include.xcom_tools.output import Heading

if TYPE_CHECKING:
    import argparse

    from include.xcom_store.keys import Owner
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
    """Add what selects objects, and how Airflow is asked."""
    listing.add_selection(parser)
    parser.add_argument("--rows", action="store_true", help="also ask Airflow what is inexact")
    airflow_access.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the objects."""
    store = connect(settings.load())
    wanted, headings = names.narrow(arguments, names.in_store(store)), [*HEADINGS]
    found = (_row(store, each) for each in listing.objects(store, wanted))
    if arguments.rows:
        inexact = _inexact(arguments, wanted)
        headings.append(Heading("inexact", right=True))
        found = ({**row, "inexact": inexact.get(row["uri"], 0)} for row in found)
    if not output.rows(found, headings, as_json=arguments.json):
        output.say(f"Nothing found under {listing.where(store, wanted)}")
    return OK


def _inexact(arguments: argparse.Namespace, wanted: Owner) -> dict[str, int]:
    """Return how many parts do not come back exactly, by URI, of the values that have any."""
    found = {}
    with airflow_access.from_arguments(arguments) as api, output.progress("rows") as done:
        for _owner, row in api.rows(wanted):
            done(1)
            if is_reference(row.value) and (count := row.value.get("inexact")):
                found[row.value["uri"]] = count
    return found


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
