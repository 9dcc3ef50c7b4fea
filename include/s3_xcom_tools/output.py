"""What a command prints: tables for people, JSON Lines for machines, progress on a terminal.

Results go to standard output, all else to standard error. Rows are printed as they come, so that a
list of millions needs no more memory than one of ten.
"""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

MEASURED = 1000
"""Rows that decide how wide a column is; a wider cell further down pushes its line to the right."""


def text(value: Any) -> str:
    """Return a value as a cell: what could move a terminal's cursor is escaped, None is empty."""
    said = "" if value is None else str(value)
    return said if said.isprintable() else said.encode("unicode_escape").decode()


def size(count: int) -> str:
    """Return bytes as people read them: 999 B, 1.5 KiB, 12.3 MiB."""
    if count < 1024:
        return f"{count} B"
    amount, unit = float(count), ""
    for unit in ("KiB", "MiB", "GiB", "TiB", "PiB"):  # noqa: B007 - the last one is meant
        amount /= 1024
        if amount < 1024:
            break
    return f"{amount:.1f} {unit}"


def number(count: int) -> str:
    """Return a count with separators."""
    return f"{count:,}"


def time(moment: datetime) -> str:
    """Return a moment in UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


class Column(NamedTuple):
    """A field of a row: its name, and how people see it."""

    name: str
    show: Callable[[Any], str] = text
    right: bool = False


def rows(found: Iterable[dict[str, Any]], columns: Iterable[Column], *, as_json: bool) -> int:
    """Print rows as they come; return how many.

    As JSON each is one object with all its fields; for people a line with the columns named.
    """
    return _as_json(found) if as_json else _as_table(iter(found), list(columns))


def line(row: dict[str, Any]) -> None:
    """Print one JSON object on a line of its own."""
    print(json.dumps(row, default=_plain), flush=True)


def paragraph(said: str, first: str = "", rest: str = "") -> None:
    """Print text in lines of a readable width, with what stands before the first and the others."""
    width = max(60, min(shutil.get_terminal_size((120, 24)).columns, 120))
    print(
        textwrap.fill(
            text(said),
            width,
            initial_indent=first,
            subsequent_indent=rest,
            break_long_words=False,
            break_on_hyphens=False,
        ),
        flush=True,
    )


def say(message: str) -> None:
    """Tell the operator something that is no result."""
    print(message, file=sys.stderr)


@contextmanager
def progress(what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Show how far a long command is, on standard error and only if that is a terminal.

    Args:
        what: is counted: `objects`.
        total: if it is known.

    Yields:
        a function to be called with how many more are done.
    """
    if not sys.stderr.isatty():
        yield lambda _count: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    shown = Progress(
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with shown:
        task = shown.add_task(what, total=total)
        yield lambda count: shown.advance(task, count)


def _as_json(found: Iterable[dict[str, Any]]) -> int:
    count = 0
    for count, row in enumerate(found, 1):  # noqa: B007 - the last one is returned
        print(json.dumps(row, default=_plain))
    return count


def _as_table(found: Iterator[dict[str, Any]], columns: list[Column]) -> int:
    def cells(row: dict[str, Any]) -> list[str]:
        return [column.show(row[column.name]) for column in columns]

    first = [cells(row) for row in islice(found, MEASURED)]
    if not first:
        return 0
    titles = [column.name.replace("_", " ") for column in columns]
    widths = [max(map(len, column)) for column in zip(titles, *first, strict=True)]
    print(_aligned(titles, columns, widths))
    print("-" * (sum(widths) + 2 * (len(widths) - 1)))
    count = 0
    for count, row in enumerate(chain(first, map(cells, found)), 1):  # noqa: B007
        print(_aligned(row, columns, widths))
    return count


def _aligned(row: list[str], columns: list[Column], widths: list[int]) -> str:
    padded = (
        cell.rjust(width) if column.right else cell.ljust(width)
        for cell, column, width in zip(row, columns, widths, strict=True)
    )
    return "  ".join(padded).rstrip()


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
