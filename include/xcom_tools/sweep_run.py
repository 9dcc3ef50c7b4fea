"""One sweep through the store: finds the values that no row refers to, and deletes them if asked.

    sweep = Sweep(store, api, delete=False)
    for finding in sweep.findings():
        print(finding.kind, finding.uri, finding.reason)
    print(sweep.tallies)

A value is deleted if all its objects are older than the grace period and its row, asked for by its
exact name right before, does not mention it. No push brings such a value back, for each gives its
objects new names. Uploads that were never completed come last, see `sweep_uploads`. Any error of
Airflow or the store ends the sweep where it is.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote

from include.xcom_tools import check_access, marker, sweep_missing, sweep_uploads, sweep_values
from include.xcom_tools.airflow_api import NotAllowed
from include.xcom_tools.listing import ANY
from include.xcom_tools.sweep_findings import (
    LEFT_OVER,
    LIVE,
    MISSING,
    OTHER,
    REFUSED,
    UNSURE,
    Finding,
    Tally,
)
from include.xcom_tools.sweep_rows import RowLookup

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from include.xcom_store.keys import Owner
    from include.xcom_store.stores.base import ObjectInfo, Store
    from include.xcom_tools.airflow_api import AirflowApi
    from include.xcom_tools.sweep_rows import RowAnswer, RunList
    from include.xcom_tools.sweep_values import Value

GRACE = timedelta(hours=24)
_OF_THE_TOOL = (marker.PROBE, f"{check_access.FOLDER}/")
"""Objects that the tool writes and deletes again at once."""
T = TypeVar("T")


@dataclass
class Sweep:
    """A sweep; iterate `findings` once.

    Attributes:
        delete: False only looks.
        grace: values that are younger are left alone.
        thorough: ask for the row of every value, instead of first for a list of the run's rows.
        owner: only of this DAG, run, …
        after: a key; only what follows it.
        progress: is called with how many more objects are done.
        tallies: what was seen, by the DAG's name as it stands in keys.
        others: objects that are not ours.
        reached: the last key of what is done: `after` for the next sweep, if this one ends early.
        seconds: spent on `listing` the store, on `airflow`, on `deleting`.
    """

    store: Store
    api: AirflowApi
    delete: bool = False
    grace: timedelta = GRACE
    thorough: bool = False
    owner: Owner = ANY
    after: str | None = None
    progress: Callable[[int], None] = lambda _count: None
    tallies: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    others: int = 0
    reached: str | None = None
    seconds: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        """Fix what counts as old: what was so when the sweep began."""
        self._old_before = datetime.now(UTC) - self.grace
        self._rows = RowLookup(self.api)
        self._refused: set[str] = set()
        self._aside: list[Finding] = []

    @property
    def total(self) -> Tally:
        """All DAGs together."""
        return sum(self.tallies.values(), Tally())

    @property
    def by_dag(self) -> list[dict[str, Any]]:
        """A row for each DAG: its name, decoded, and what was seen of it."""
        tallies = sorted(self.tallies.items())
        return [{"dag_id": unquote(dag), **vars(tally)} for dag, tally in tallies]

    def findings(self) -> Iterator[Finding]:
        """Sweep; yield what is to be reported, a deletion once it is done.

        Raises:
            AirflowApiError: Airflow did not answer as it should; nothing more is deleted.
            XComStoreError: the store did not.
        """
        found = self._clocked(
            sweep_values.instances(self.store, self.owner, self.after, self._other)
        )
        for _run, instances in groupby(found, lambda values: values[0].place[:2]):
            lists: list[RunList | None] = []  # one, made when it is needed
            for values in instances:
                yield from self._take_aside()
                yield from self._instance(values, lists)
                self.reached = max(key for value in values for key in value.objects)
                self.progress(sum(len(value.objects) for value in values))
        yield from self._take_aside()
        uploads = sweep_uploads.findings(
            self.store, self.owner, self._old_before, self.tallies, delete=self.delete
        )
        yield from self._clocked(uploads)

    def _instance(self, values: list[Value], lists: list[RunList | None]) -> Iterator[Finding]:
        """Look at the values of one task instance."""
        dag = values[0].place.dag_id
        tally = self.tallies[dag]
        tally.objects += sum(len(value.objects) for value in values)
        tally.bytes += sum(value.bytes for value in values)
        old = [value for value in values if value.newest < self._old_before]
        tally.young += len(values) - len(old)
        if not old or dag in self._refused:
            return
        try:
            doubtful = self._doubtful(old, lists)
            tally.live += len(old) - len(doubtful)
            for value in doubtful:
                yield from self._value(value, values, tally)
        except NotAllowed as error:
            self._refused.add(dag)
            uri = self.store.uri(f"dag_id={dag}/")
            yield Finding(REFUSED, uri, f"nothing of this DAG is swept: {error}")

    def _doubtful(self, old: list[Value], lists: list[RunList | None]) -> list[Value]:
        """Return the values whose row is to be asked for exactly."""
        if self.thorough:
            return old
        if not lists:
            with self._clock("airflow"):
                lists.append(self._rows.of_run(old[0].place))
        return lists[0].doubtful(old) if lists[0] else old

    def _value(self, value: Value, values: list[Value], tally: Tally) -> Iterator[Finding]:
        """Ask for a value's row, and right after that delete the value, if so."""
        with self._clock("airflow"):
            answer = self._rows.ask(value.place)
        finding = Finding(
            answer.state,
            self.store.uri(value.key),
            answer.reason,
            len(value.objects),
            value.bytes,
            value.newest,
        )
        if answer.state == LIVE:
            tally.live += 1
        elif answer.state == UNSURE:
            tally.unsure += 1
            yield finding
        else:
            if self.delete:
                with self._clock("deleting"):
                    value.delete(self.store)
                tally.deleted += 1
            tally.orphans += 1
            tally.orphan_objects += len(value.objects)
            tally.orphan_bytes += value.bytes
            yield finding._replace(deleted=self.delete)
        if lost := self._lost(value, values, answer):
            tally.missing += 1
            yield lost

    def _lost(self, value: Value, values: list[Value], answer: RowAnswer) -> Finding | None:
        """Return what is gone of the value that the row refers to, if anything is."""
        reference, owner = answer.reference, answer.owner
        if reference is None or owner is None:
            return None
        if value.unique in reference.stored.uri and value.has_main:
            lost = reference.leaves - value.leaves
            reason = (
                f"{lost} of its {reference.leaves} leaves are gone; the row of {owner} refers to it"
            )
            return Finding(MISSING, reference.stored.uri, reason) if lost > 0 else None
        if any(other.unique in reference.stored.uri and other.has_main for other in values):
            return None  # that one is looked at by itself
        # Several of its older values may be left: it is reported once, with the last one.
        last = [other for other in values if other.place.key == value.place.key][-1]
        return sweep_missing.check(self.store, owner, reference) if value is last else None

    def _other(self, info: ObjectInfo) -> None:
        about = (1, info.bytes, info.modified)
        uri = self.store.uri(info.key)
        if info.key.startswith(_OF_THE_TOOL):
            if info.modified < self._old_before:
                if self.delete:
                    self.store.delete(info.key)
                reason = "an interrupted claim or check has left it"
                self._aside.append(Finding(LEFT_OVER, uri, reason, *about, deleted=self.delete))
        elif info.key != marker.KEY:
            self.others += 1
            self._aside.append(Finding(OTHER, uri, "the backend gives no such names", *about))

    def _take_aside(self) -> list[Finding]:
        taken, self._aside = self._aside, []
        return taken

    @contextmanager
    def _clock(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] += time.monotonic() - started  # type: ignore[assignment]

    def _clocked(self, listed: Iterator[T]) -> Iterator[T]:
        while True:
            with self._clock("listing"):
                found = next(listed, None)
            if found is None:
                return
            yield found
