"""A value beside that of the previous run: what the ends of two files say, or two verdicts.

The previous run is the latest before this one, by Airflow's order, in which the same task with the
same map index pushed the same key; never another DAG's. Each of the two values is read as a card of
it would be: by its own reference, bound to its own task instance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from include.xcom_store.errors import AccessDenied, ObjectCorrupt, ObjectMissing
from include.xcom_viewer import comparison, objects, preview
from include.xcom_viewer.readers import Failed, Unsafe
from include.xcom_viewer.shown import NoPreview, TooLarge

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from include.xcom_store.keys import Owner
    from include.xcom_store.stores.base import Store
    from include.xcom_viewer.entries import Entry
    from include.xcom_viewer.readers import Readers

PROFILE = preview.Window(do="profile")
UNREADABLE = (AccessDenied, ObjectCorrupt, ObjectMissing, Failed, NoPreview, TooLarge, Unsafe)


class NoPrevious(Exception):
    """There is nothing to compare with."""


class Comparison(NamedTuple):
    """What a card shows: whose value the other one is, and the changes."""

    owner: Owner
    timestamp: dt.datetime
    changes: comparison.TableChange | comparison.VerdictChange


def compare(
    readers: Readers,
    connect: Callable[[], Store],
    entry: Entry,
    before: Entry | None,
    leaf: int | None,
) -> preview.Body:
    """Compare a table or a validation with that of the run before.

    Args:
        readers: parse both.
        connect: returns the store.
        entry: this run's row.
        before: the previous run's; see `entries.previous`.
        leaf: number of a part of the value; the other's is the one with the same keys.

    Raises:
        NoPrevious: there is none, or it cannot be read, or it is of another kind.
        XComStoreError, Busy …: this one cannot be read; see `preview`.
    """
    if before is None:
        raise NoPrevious("No earlier run of this DAG has a value of this task, map index and key.")
    now = _profile(readers, connect, entry, leaf, None)
    try:
        other = _profile(readers, connect, before, leaf, now.path)
    except UNREADABLE as error:
        why = str(error) or "it has too much to be described"
        raise NoPrevious(f"The value of {before.owner.run_id} cannot be read: {why}") from error
    if other.kind != now.kind:
        raise NoPrevious(f"In {before.owner.run_id} it is of another kind.")
    compared = comparison.of_tables if now.kind == "profile" else comparison.of_verdicts
    changes: Any = compared(other.content, now.content)
    kind = {"profile": "previous_table"}.get(now.kind, "previous_verdict")
    content = Comparison(before.owner, before.timestamp, changes)
    read, checked = now.bytes_read + other.bytes_read, now.checked and other.checked
    return preview.Body(kind, content, read, checked, now.stored, now.path)


def _profile(
    readers: Readers,
    connect: Callable[[], Store],
    entry: Entry,
    leaf: int | None,
    path: list[str] | None,
) -> preview.Body:
    if not entry.in_store:
        return preview.of_database(readers, entry, PROFILE)
    store = connect()
    stored, found = objects.locate(readers, entry, store, leaf, path)
    body = preview.of_object(readers, store, stored, PROFILE)
    body.path = found
    return body
