"""Show a value: frames, tables and arrays as rows, everything else as JSON.

Named by its URI, or by DAG, run, task and key; then it is the newest of that key in the store. Of
Parquet only the parts that are shown are read. What JSON cannot express (a tuple, a Decimal) is
shown as the backend wrote it, {"$xcom": …}; a frame inside a value as {"$xcom": ["leaf", 0]}. That
one has a URI of its own (see uri --leaves).

This reads the store and not the database. Size and SHA-256 are in Airflow's reference, so they are
NOT checked here, as a pull would (verify does that). A small value lies in Airflow's database only.

Examples:
  python -m include.xcom_tools cat --dag-id trips --latest --task-id load
  python -m include.xcom_tools cat s3://airflow-xcoms/xcom/dag_id=trips/…/return_value-….parquet
  python -m include.xcom_tools cat --json … | jq .fare_amount
  python -m include.xcom_tools cat --raw … > value.parquet
"""

from __future__ import annotations

import sys
from itertools import islice
from typing import TYPE_CHECKING

from include.xcom_store import settings
from include.xcom_store.errors import AccessDenied
from include.xcom_store.stores.base import connect
from include.xcom_tools import contents, listing, names, output
from include.xcom_tools.contents import RowStream
from include.xcom_tools.errors import FOUND, OK, ToolError
from include.xcom_tools.output import Heading

if TYPE_CHECKING:
    import argparse

    from include.xcom_store.stores.base import Store

DEFAULT_ROWS = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what names a value, and how much of it to show."""
    parser.add_argument("uri", nargs="?", metavar="URI", help="of an object, as uri and ls give it")
    listing.add_value(parser, required=False)
    parser.add_argument(
        "--rows", type=int, metavar="N", help=f"default: {DEFAULT_ROWS}; with --json all"
    )
    parser.add_argument("--raw", action="store_true", help="the object's bytes, as they are")


def run(arguments: argparse.Namespace) -> int:
    """Print the value."""
    store, key = _find(connect(settings.load()), arguments)
    if not key:
        return FOUND
    if arguments.raw:
        for piece in contents.pieces(store.open(key)):
            sys.stdout.buffer.write(piece)
        return OK
    found = contents.read(store, key)
    if isinstance(found, RowStream):
        _show_rows(found, arguments)
    elif arguments.json:
        output.line(found)
    else:
        output.result(output.indented(found))
    output.say(f"{store.uri(key)}: SHA-256 not checked (verify does)")
    return OK


def _find(store: Store, arguments: argparse.Namespace) -> tuple[Store, str | None]:
    owner = listing.selected(arguments)
    if arguments.uri:
        if owner.dag_id or owner.run_id or owner.task_id or arguments.latest:
            raise ToolError("Give either a URI or --dag-id, --run-id and --task-id.")
        try:
            return store.find(arguments.uri)
        except AccessDenied as error:
            raise ToolError(
                f"{arguments.uri} is not under {store.uri()}, the store that is set, nor in one of "
                "also_read."
            ) from error
    if not (owner.dag_id and (owner.run_id or arguments.latest) and owner.task_id):
        raise ToolError(
            "Name a value: a URI, or all of --dag-id, --run-id (or --latest) and --task-id."
        )
    owner = names.narrow(arguments, names.in_store(store))
    values = listing.values(store, owner)
    if not values:
        output.say(listing.only_leaves(store, owner))
        return store, None
    if len(indexes := {value.place.map_index for value in values if value.place}) > 1:
        raise ToolError(f"There are values of {len(indexes)} map indexes: add --map-index N.")
    if len(values) > 1:
        output.say(f"{len(values)} objects of this XCom; showing the one written last")
    return store, values[-1].info.key


def _show_rows(found: RowStream, arguments: argparse.Namespace) -> None:
    limit = arguments.rows
    if limit is None and not arguments.json:
        limit = DEFAULT_ROWS
    headings = map(Heading, found.columns)
    shown = output.rows(islice(found.rows, limit), headings, as_json=arguments.json)
    output.say(f"{shown:,} of {found.total:,} rows × {len(found.columns):,} columns")
