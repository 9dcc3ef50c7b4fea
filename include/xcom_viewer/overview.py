"""What the metadata database tells of XComs: the heads of cards, and the lines of a run's table.

Nothing is requested from the store: these pages are shown at once, whatever the store does.
"""

from __future__ import annotations

import heapq
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from include.xcom_store import documents
from include.xcom_store.codecs import binary, ge_result
from include.xcom_store.errors import ObjectCorrupt, XComStoreError
from include.xcom_store.record import Reference, inline_text
from include.xcom_viewer import downloads, entries, states
from include.xcom_viewer.reader import trees

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator

    from include.xcom_store.keys import Owner
    from include.xcom_store.record import StoredObject
    from include.xcom_store.stores.base import Store
    from include.xcom_viewer.entries import Entry
    from include.xcom_viewer.states import State

PAGE_LINES = 200
MAX_SHOWN_CHARACTERS = 120
"""Of a small value, which stands in the place of a summary."""
_MET = re.compile(r"(\d{1,9}) of (\d{1,9}) expectations met")


@dataclass(kw_only=True)
class Card:
    """One XCom, as its row has it.

    Attributes:
        bytes: of its main object, or of its JSON in the database.
        stored: its main object; None where it is in the database, or where the row is not to be
            trusted.
        state: why the reference is not followed; None if it is.
        is_table: whether there is a CSV of it.
        inexact: how many parts do not come back exactly.
    """

    owner: Owner
    timestamp: dt.datetime
    type: str
    summary: str
    bytes: int
    stored: StoredObject | None = None
    leaves: int = 0
    state: State | None = None
    is_table: bool = False
    inexact: int = 0

    @property
    def expectations(self) -> tuple[int, int] | None:
        """Of a validation, how many expectations are met, and how many there are."""
        found = _MET.match(self.summary)
        return (int(found[1]), int(found[2])) if found else None

    @property
    def is_failed(self) -> bool:
        """Whether it is a validation that was not as expected."""
        met, count = self.expectations or (0, 0)
        return met < count

    @property
    def short_type(self) -> str:
        """The type without its module."""
        return self.type.rpartition(".")[2]

    @property
    def short_summary(self) -> str:
        """The summary of a table without its columns."""
        if self.stored and self.stored.codec == binary.NAME:
            return ""  # it repeats the size
        return self.summary.partition(":")[0] if self.is_table else self.summary


def card(entry: Entry, connect: Callable[[], Store]) -> Card:
    """Return what is known of an XCom without its value.

    Args:
        entry: its row.
        connect: returns the store that a reference has to lead to. Called for nothing else:
            settings that cannot be used do not hide what is in the database.
    """
    try:
        return _known(entry, connect)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is this card's trouble
        found = _card(entry, "reference" if isinstance(error, XComStoreError) else "unknown", "", 0)
        found.state = states.of(error)
        return found


def _known(entry: Entry, connect: Callable[[], Store]) -> Card:
    record = entry.record
    if record is None:
        value = entry.stored
        summary = ge_result.describe(value) or _brief(entry.text)
        return _card(entry, type(value).__name__, summary, len(entry.text))
    if not entry.in_store:
        text, summary = inline_text(record), record["summary"]
        if not _MET.match(summary):
            summary = _brief(text) or summary
        found = _card(entry, record["type"], summary, len(text.encode(errors="replace")))
        found.inexact = record.get("inexact", 0)
        return found
    reference = Reference.from_record(record)
    connect().find(reference.stored.uri, entry.owner)
    stored = reference.stored
    found = _card(entry, stored.type, reference.summary, stored.bytes)
    found.stored = stored
    found.leaves = reference.leaves
    found.inexact = reference.inexact
    found.is_table = stored.codec in downloads.TABLE_CODECS
    return found


def _brief(text: str) -> str:
    """Return a small document in one line, of a large one nothing."""
    if len(text) > 4 * MAX_SHOWN_CHARACTERS:
        return ""
    try:
        line = trees.brief(documents.load(text))
    except ObjectCorrupt:  # which its card says
        return ""
    return line if len(line) <= MAX_SHOWN_CHARACTERS else ""


def _card(entry: Entry, kind: str, summary: str, size: int) -> Card:
    return Card(
        owner=entry.owner, timestamp=entry.timestamp, type=kind, summary=summary, bytes=size
    )


class Filter(NamedTuple):
    """Parts of the names that a run's lines must have; letters of either case."""

    task: str = ""
    key: str = ""
    type: str = ""

    @property
    def query(self) -> dict[str, str]:
        """As it stands in an address."""
        return {f"of_{name}": part for name, part in self._asdict().items() if part}

    def takes(self, card: Card) -> bool:
        """Tell whether a line is wanted."""
        has = (card.owner.task_id or "", card.owner.key or "", card.type)
        return all(part.lower() in name.lower() for part, name in zip(self, has, strict=True))


@dataclass
class Run:
    """The XComs of a DAG run; totals are of all that the filter takes, lines of one page.

    Attributes:
        failed: validations that were not as expected; they are the first lines.
        met: expectations, so are `expectations`, which counts all.
    """

    start: int
    lines: list[Card] = field(default_factory=list)
    total: int = 0
    tasks: int = 0
    in_store: int = 0
    bytes_in_store: int = 0
    bytes_in_database: int = 0
    validations: int = 0
    failed: int = 0
    met: int = 0
    expectations: int = 0
    is_cut: bool = False

    @property
    def stop(self) -> int:
        """The position after the last line."""
        return self.start + len(self.lines)

    def add(self, card: Card) -> None:
        """Count a line."""
        self.total += 1
        if card.stored:
            self.in_store += 1
            self.bytes_in_store += card.bytes
        else:
            self.bytes_in_database += card.bytes
        if card.expectations is not None:
            met, count = card.expectations
            self.validations += 1
            self.failed += met < count
            self.met += met
            self.expectations += count


def of_run(
    dag_id: str, run_id: str, start: int, wanted: Filter, connect: Callable[[], Store]
) -> Run:
    """Return the lines from `start` on, and the totals; for `connect` see `card`.

    Validations that failed come first, then the tasks in the order in which they run.
    """
    run, tasks = Run(max(0, start)), set()
    order = entries.task_order(dag_id)

    def lines() -> Iterator[Card]:
        for entry in entries.of_run(dag_id, run_id):
            found = card(entry, connect)
            if wanted.takes(found):
                run.add(found)
                tasks.add((entry.owner.task_id, entry.owner.map_index))
                yield found

    def place(card: Card) -> tuple[Any, ...]:
        owner = card.owner
        return not card.is_failed, order.get(owner.task_id or "", len(order)), *owner[2:]

    # No more lines are kept than are needed, however many the run has.
    first = heapq.nsmallest(run.start + PAGE_LINES, lines(), key=place)
    run.lines = first[run.start :]
    run.tasks = len(tasks)
    run.is_cut = run.total >= entries.MAX_RUN_ROWS
    return run
