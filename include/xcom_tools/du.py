"""Sum up the objects' bytes by DAG, run or task.

The largest first. By task means the tasks of all runs together, or of the one given by --run-id. A
value with frames or arrays inside is one value and several objects. Objects that no XCom refers to
are counted as well: sweep finds those. Noncurrent versions, where the bucket keeps them, are not.

Examples:
  python -m include.xcom_tools du
  python -m include.xcom_tools du --by task --dag-id trips
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from include.xcom_store import settings
from include.xcom_store.sizes import size_text
from include.xcom_store.stores.base import connect
from include.xcom_tools import listing, names, output
from include.xcom_tools.errors import OK
from include.xcom_tools.output import Heading

if TYPE_CHECKING:
    import argparse

    from include.xcom_tools.listing import ListedObject

_BY = {"dag": ("dag_id",), "run": ("dag_id", "run_id"), "task": ("dag_id", "task_id")}
_OTHERS = "(not of this backend)"


@dataclass
class _Sum:
    bytes: int = 0
    objects: int = 0
    values: int = 0
    newest: datetime = field(default_factory=lambda: datetime.min.replace(tzinfo=UTC))

    def add(self, found: ListedObject) -> None:
        self.bytes += found.info.bytes
        self.objects += 1
        self.values += bool(found.place and not found.place.is_leaf)
        self.newest = max(self.newest, found.info.modified)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what selects and groups objects."""
    listing.add_selection(parser)
    parser.add_argument("--by", choices=_BY, default="dag", help="default: dag")


def run(arguments: argparse.Namespace) -> int:
    """Print one line per group, and the total."""
    store = connect(settings.load())
    owner = names.narrow(arguments, names.in_store(store))
    by = _BY[arguments.by]
    groups: dict[tuple[str, ...], _Sum] = {}
    total = _Sum()
    with output.progress("objects") as done:
        for found in listing.objects(store, owner):
            group = tuple(getattr(found.place, name) for name in by) if found.place else ()
            groups.setdefault(group, _Sum()).add(found)
            total.add(found)
            done(1)
    largest = sorted(groups.items(), key=lambda item: -item[1].bytes)
    headings = (
        Heading("bytes", size_text, right=True),
        Heading("objects", output.number, right=True),
        Heading("values", output.number, right=True),
        Heading("newest", output.time),
        *map(Heading, by),
    )
    output.rows((_row(by, *group) for group in largest), headings, as_json=arguments.json)
    output.say(
        f"{size_text(total.bytes)} in {output.count(total.objects, 'object')} of "
        f"{output.count(total.values, 'value')} under {listing.where(store, owner)}"
    )
    return OK


def _row(by: tuple[str, ...], group: tuple[str, ...], found: _Sum) -> dict[str, Any]:
    said = map(unquote, group) if group else (_OTHERS, *("" for _ in by[1:]))
    return {**vars(found), **dict(zip(by, said, strict=True))}
