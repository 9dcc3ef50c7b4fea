"""List the objects of XComs.

One line an object: its size, when it was written, and what it belongs to, decoded from its key. A
value with frames or arrays inside is several objects: its own, and its leaves. Objects under the
prefix that this backend has not named are listed with their key.

Over-long identifiers are cut in keys and end in a ! and a hash; they are shown so.

Examples:
  python -m include.xcom_tools ls
  python -m include.xcom_tools ls --dag-id trips --task-id load
  python -m include.xcom_tools ls --json | jq -r .uri
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from include.xcom_store import settings
from include.xcom_tools import output
from include.xcom_tools.errors import OK
from include.xcom_tools.listing import Bucket, Found, add_selection, selected
from include.xcom_tools.output import Column

if TYPE_CHECKING:
    import argparse

COLUMNS = (
    Column("bytes", output.size, right=True),
    Column("modified", output.time),
    Column("dag_id"),
    Column("run_id"),
    Column("task_id"),
    Column("map_index", right=True),
    Column("object"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what selects objects."""
    add_selection(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the objects."""
    bucket = Bucket(settings.load())
    found = (_row(bucket, each) for each in bucket.objects(selected(arguments)))
    if not output.rows(found, COLUMNS, as_json=arguments.json):
        output.say(f"Nothing found under {bucket.uri(bucket.prefix)}/")
    return OK


def _row(bucket: Bucket, found: Found) -> dict[str, Any]:
    said: dict[str, Any] = dict.fromkeys(("dag_id", "run_id", "task_id", "map_index", "key"))
    name = found.key.removeprefix(f"{bucket.prefix}/")
    if place := found.place:
        said = {**place.shown(), "map_index": int(place.map_index)}
        name = found.key.removeprefix(f"{place.directory}/")
    return {
        "bytes": found.size,
        "modified": found.modified,
        **said,
        "object": name,
        "uri": bucket.uri(found.key),
    }
