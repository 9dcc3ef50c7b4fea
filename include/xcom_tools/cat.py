"""Show a value: frames, tables and arrays as rows, all else as JSON.

Named by its s3:// URI, or by DAG, run, task and key; then it is the newest of that key in the
bucket. Of Parquet only the parts that are shown are read. What JSON cannot say (a tuple, a Decimal)
stands as the backend wrote it, {"$xcom": …}; a frame inside a value as its leaf, which can be shown
by its URI (see uri --leaves).

Read past the database: size and SHA-256 stand in Airflow's reference and are NOT checked here, as a
pull would (verify does so). A value that is small lies in Airflow's database, not in the bucket.

Examples:
  python -m include.xcom_tools cat --dag-id trips --run-id manual__2026-11-22 --task-id load
  python -m include.xcom_tools cat s3://airflow-xcoms/xcom/dag_id=trips/…/return_value-….parquet
  python -m include.xcom_tools cat --json … | jq .fare_amount
  python -m include.xcom_tools cat --raw … > value.parquet
"""

from __future__ import annotations

import sys
from itertools import islice
from typing import TYPE_CHECKING

from include.xcom_store import settings
from include.xcom_tools import contents, listing, output
from include.xcom_tools.contents import Rows
from include.xcom_tools.errors import FOUND, OK, ToolError
from include.xcom_tools.output import Column

if TYPE_CHECKING:
    import argparse

    from include.xcom_tools.listing import Bucket

ROWS = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what names a value, and how much of it to show."""
    parser.add_argument("uri", nargs="?", metavar="URI", help="of an object: s3://bucket/key")
    listing.add_value(parser, required=False)
    parser.add_argument("--rows", type=int, metavar="N", help=f"default: {ROWS}; with --json all")
    parser.add_argument("--raw", action="store_true", help="the object's bytes, as they are")


def run(arguments: argparse.Namespace) -> int:
    """Print the value."""
    bucket = listing.Bucket(settings.load())
    key = _key(bucket, arguments)
    if not key:
        return FOUND
    if arguments.raw:
        for part in contents.parts(bucket, key):
            sys.stdout.buffer.write(part)
        return OK
    found = contents.read(bucket, key)
    if isinstance(found, Rows):
        _show_rows(found, arguments)
    elif arguments.json:
        output.line(found)
    else:
        output.result(output.indented(found))
    output.say(f"{bucket.uri(key)}: SHA-256 not checked (verify does)")
    return OK


def _key(bucket: Bucket, arguments: argparse.Namespace) -> str | None:
    owner = listing.selected(arguments)
    if arguments.uri:
        if owner.dag_id or owner.run_id or owner.task_id:
            raise ToolError("Give either a URI or --dag-id, --run-id and --task-id.")
        root = bucket.uri("")
        if not arguments.uri.startswith(root):
            raise ToolError(f"{arguments.uri} is not in {root}, the bucket that is configured.")
        return str(arguments.uri.removeprefix(root))
    if not (owner.dag_id and owner.run_id and owner.task_id):
        raise ToolError("Name a value: a URI, or all of --dag-id, --run-id and --task-id.")
    values = bucket.values(owner)
    if not values:
        output.say(listing.nothing(bucket, owner))
        return None
    if len(indexes := {value.place.map_index for value in values if value.place}) > 1:
        raise ToolError(f"There are values of {len(indexes)} map indexes: say --map-index N.")
    if len(values) > 1:
        output.say(f"{len(values)} objects of this XCom; the one last written is shown")
    return values[-1].key


def _show_rows(found: Rows, arguments: argparse.Namespace) -> None:
    limit = arguments.rows
    if limit is None and not arguments.json:
        limit = ROWS
    columns = [Column(name, output.text) for name in found.columns]
    shown = output.rows(islice(found.rows, limit), columns, as_json=arguments.json)
    output.say(f"{shown:,} of {found.total:,} rows × {len(found.columns):,} columns")
