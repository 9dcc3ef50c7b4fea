"""What the metadata database tells of XComs: the heads of cards, and the lines of a run's table.

Nothing is requested from the store: these pages are shown at once, whatever the store does.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from include.xcom_store.codecs import binary
from include.xcom_store.errors import XComStoreError
from include.xcom_store.record import Reference, inline_text
from include.xcom_viewer import downloads, entries, expectations, states

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from include.xcom_store.keys import Owner
    from include.xcom_store.record import StoredObject
    from include.xcom_store.stores.base import Store
    from include.xcom_viewer.entries import Entry
    from include.xcom_viewer.states import State

PAGE_LINES = 200


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
    record = entry.record
    if record is None:
        return _plain(entry)
    try:
        if not entry.in_store:
            size = len(inline_text(record).encode())
            found = _card(entry, record["type"], record["summary"], size)
            found.inexact = record.get("inexact", 0)
            return found
        reference = Reference.from_record(record)
        connect().find(reference.stored.uri, entry.owner)
    except XComStoreError as error:
        found = _card(entry, "reference", "", 0)
        found.state = states.of(error)
        return found
    stored = reference.stored
    found = _card(entry, stored.type, reference.summary, stored.bytes)
    found.stored = stored
    found.leaves = reference.leaves
    found.inexact = reference.inexact
    found.is_table = stored.codec in downloads.TABLE_CODECS
    return found


def _plain(entry: Entry) -> Card:
    value = entry.stored
    verdict = expectations.read(value)
    summary = f"{verdict.met} of {verdict.met + verdict.failed} expectations met" if verdict else ""
    return _card(entry, type(value).__name__, summary, len(json.dumps(value, default=str)))


def _card(entry: Entry, kind: str, summary: str, size: int) -> Card:
    return Card(
        owner=entry.owner, timestamp=entry.timestamp, type=kind, summary=summary, bytes=size
    )


@dataclass
class Run:
    """The XComs of a DAG run; totals are of all, lines of one page."""

    start: int
    lines: list[Card] = field(default_factory=list)
    total: int = 0
    tasks: int = 0
    in_store: int = 0
    bytes_in_store: int = 0
    bytes_in_database: int = 0
    is_cut: bool = False

    @property
    def stop(self) -> int:
        """The position after the last line."""
        return self.start + len(self.lines)


def of_run(dag_id: str, run_id: str, start: int, connect: Callable[[], Store]) -> Run:
    """Return the lines from `start` on, and the totals; for `connect` see `card`."""
    run = Run(max(0, start))
    tasks: set[Any] = set()
    for entry in entries.of_run(dag_id, run_id):
        found = card(entry, connect)
        if run.start <= run.total < run.start + PAGE_LINES:
            run.lines.append(found)
        run.total += 1
        tasks.add((entry.owner.task_id, entry.owner.map_index))
        run.in_store += entry.in_store
        if entry.in_store:
            run.bytes_in_store += found.bytes
        else:
            run.bytes_in_database += found.bytes
    run.tasks = len(tasks)
    run.is_cut = run.total >= entries.MAX_RUN_ROWS
    return run
