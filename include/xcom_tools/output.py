"""What a command prints: tables for people, JSON Lines for machines, progress on a terminal.

Results go to standard output, all else to standard error.

Rows are printed as they come, so a list of millions needs no more memory than one of ten. That is
why tables are not rich's: it measures and renders a table when all of its rows are there.
"""

from __future__ import annotations

import json
import math
import shutil
import sys
import textwrap
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

MAX_CELL_CHARACTERS = 60
MEASURED_ROWS = 1000
"""Decide how wide a column is; a wider cell further down shifts the rest of its line."""


def text(value: Any) -> str:
    """Return a value as a cell: None is empty, what is long is cut; JSON has all of it."""
    said = "" if value is None else visible(str(value))
    if len(said) <= MAX_CELL_CHARACTERS:
        return said
    return f"{said[: MAX_CELL_CHARACTERS - 1]}…"


def visible(said: str) -> str:
    """Return text with all escaped that could move a terminal's cursor, or deceive who reads it."""
    if said.isprintable():
        return said
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in said)


def number(count: int) -> str:
    """Return a count with separators."""
    return f"{count:,}"


def count(number: int, what: str, several: str | None = None) -> str:
    """Return how many of something: 1 leaf, 2 leaves; the plural only where it is no mere s."""
    return f"{number:,} {what if number == 1 else several or f'{what}s'}"


def time(moment: datetime) -> str:
    """Return a moment in UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


class Heading(NamedTuple):
    """A column of a table: the field of the rows that it shows, and how."""

    name: str
    show: Callable[[Any], str] = text
    right: bool = False


def rows(found: Iterable[dict[str, Any]], headings: Iterable[Heading], *, as_json: bool) -> int:
    """Print rows as they come; return how many.

    As JSON each is one object with all its fields; for people a line with what the headings name.
    """
    return _as_json(found) if as_json else _as_table(iter(found), list(headings))


def line(value: Any) -> None:
    """Print one JSON value on a line of its own."""
    print(_json(value), flush=True)


def paragraph(said: str, first: str = "", rest: str = "") -> None:
    """Print text in lines of a readable width, the first and the rest indented by these."""
    width = max(60, min(shutil.get_terminal_size((120, 24)).columns, 120))
    print(
        textwrap.fill(
            visible(said),
            width,
            initial_indent=first,
            subsequent_indent=rest,
            break_long_words=False,
            break_on_hyphens=False,
        ),
        flush=True,
    )


def result(said: str) -> None:
    """Print a line of the result."""
    print(said, flush=True)


def indented(value: Any) -> str:
    """Return a value as JSON for people to read."""
    return _json(value, indent=2)


def say(message: str) -> None:
    """Tell the operator something that is no result."""
    print(message, file=sys.stderr)


@contextmanager
def progress(what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Show how far a long command is, on standard error and only if that is a terminal.

    Args:
        what: is being counted, such as `objects`.
        total: of them; None if it is not known.

    Yields:
        a function that takes how many more are done.
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
        # To print results above the bar; where they go elsewhere, they must not come out here.
        redirect_stdout=sys.stdout.isatty(),
    )
    with shown:
        task = shown.add_task(what, total=total)
        yield lambda count: shown.advance(task, count)


def _as_json(found: Iterable[dict[str, Any]]) -> int:
    count = 0
    for count, row in enumerate(found, 1):  # noqa: B007 - the last one is returned
        print(_json(row))
    return count


def _as_table(found: Iterator[dict[str, Any]], headings: list[Heading]) -> int:
    def cells(row: dict[str, Any]) -> list[str]:
        return [heading.show(row[heading.name]) for heading in headings]

    first = [cells(row) for row in islice(found, MEASURED_ROWS)]
    if not first:
        return 0
    titles = [visible(heading.name) for heading in headings]
    widths = [max(map(len, column)) for column in zip(titles, *first, strict=True)]
    print(_aligned(titles, headings, widths))
    print("-" * min(sum(widths) + 2 * (len(widths) - 1), 200))
    count = 0
    for count, row in enumerate(chain(first, map(cells, found)), 1):  # noqa: B007
        print(_aligned(row, headings, widths))
    return count


def _aligned(row: list[str], headings: list[Heading], widths: list[int]) -> str:
    padded = (
        cell.rjust(width) if heading.right else cell.ljust(width)
        for cell, heading, width in zip(row, headings, widths, strict=True)
    )
    return "  ".join(padded).rstrip()


def _json(value: Any, indent: int | None = None) -> str:
    try:
        return json.dumps(value, default=_plain, indent=indent, allow_nan=False)
    except ValueError:  # NaN and infinity are no JSON
        return json.dumps(_finite(value), default=_plain, indent=indent)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    return [_finite(part) for part in value] if isinstance(value, (list, tuple)) else value


def _plain(value: Any) -> str:
    if isinstance(value, bytes):
        return value.hex()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
