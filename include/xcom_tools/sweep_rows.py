"""Whether the database refers to a value: what `sweep` asks Airflow.

Either exactly, one row at a time (`RowLookup.ask`), on which each deletion rests; or by a list of a
run's rows (`RowLookup.of_run`), which is much cheaper and only tells which values to ask about:
lists contain no values, and shift while rows come and go.

A value's key names its row, percent-encoded: text that decodes and encodes to itself again is the
identifier. Over-long identifiers are cut in keys; then Airflow's own are encoded and compared.
"""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

from include.xcom_store import keys
from include.xcom_store.errors import ObjectCorrupt
from include.xcom_store.keys import Owner
from include.xcom_store.record import Reference, is_reference
from include.xcom_tools.sweep_findings import LIVE, ORPHAN, UNSURE

if TYPE_CHECKING:
    from datetime import datetime

    from include.xcom_tools.airflow_api import AirflowApi
    from include.xcom_tools.listing import Place
    from include.xcom_tools.sweep_values import Value

SAME_PUSH = timedelta(seconds=5)
"""A row is written right after its object; one that is later by more holds a newer value."""
CUT = "!"
"""Is in what `keys.encoded` has cut, and in nothing else that it returns."""
NAMES = Owner._fields


class RowAnswer(NamedTuple):
    """What the database says about a value.

    Attributes:
        state: `LIVE`, `ORPHAN`, or `UNSURE` where it cannot be asked for exactly.
        reason: for people; empty if it is live.
        owner: whose row was asked for.
        reference: what that row refers to, if it is a reference.
    """

    state: str
    reason: str = ""
    owner: Owner | None = None
    reference: Reference | None = None


class RowLookup:
    """Finds the XCom rows of one Airflow."""

    def __init__(self, api: AirflowApi) -> None:
        self._api = api
        self._cut_dags: dict[str, str | None] = {}

    def ask(self, place: Place) -> RowAnswer:
        """Return what the row that a value belongs to says at this moment.

        Raises:
            AirflowApiError: no answer that can be relied on.
        """
        owner = self._decoded(place)
        if owner is None:
            return RowAnswer(UNSURE, "its key cannot be decoded to a row's name")
        if None in owner:
            listed = self._api.all_xcoms(owner)
            if listed is None:
                return RowAnswer(UNSURE, "a name is cut in its key, and too many rows might fit")
            fitting = [each for each in listed if place.belongs_to(each)]
            if not fitting:
                return RowAnswer(ORPHAN, "there is no such row")
            owner = fitting[0]
        row = self._api.xcom(owner)
        if row is None:
            return RowAnswer(ORPHAN, "there is no such row", owner)
        reference = reference_of(row.value)
        # Wherever it stands in the row, and in whatever format: what is mentioned is kept.
        if place.stem[-32:] in json.dumps(row.value):
            return RowAnswer(LIVE, "", owner, reference)
        return RowAnswer(ORPHAN, "its row holds another value", owner, reference)

    def of_run(self, place: Place) -> RunList | None:
        """List the rows of the run that a value is of; None where it cannot be named."""
        owner = self._decoded(place)
        if owner is None or owner.dag_id is None or owner.run_id is None:
            return None
        return RunList(self._api, owner.dag_id, owner.run_id)

    def _decoded(self, place: Place) -> Owner | None:
        """Return what a key says for certain, with None for what is cut in it.

        None as a whole: it does not name a row, or one that no URL can hold.
        """
        cut = {name for name in NAMES if CUT in getattr(place, name)}
        said: dict[str, Any] = {n: None if n in cut else unquote(getattr(place, n)) for n in NAMES}
        if "dag_id" in cut:
            said["dag_id"] = self._dag_of(place.dag_id)
        index = said["map_index"] or ""
        if said["dag_id"] is None or not re.fullmatch(r"-?[0-9]+", index):
            return None
        if {"", ".", "..", "~"} & set(said.values()):
            return None
        owner = Owner(**said | {"map_index": int(index)})
        return owner if place.belongs_to(owner) else None

    def _dag_of(self, part: str) -> str | None:
        """Return the DAG that Airflow lists and that has this name in keys."""
        if part not in self._cut_dags:
            fitting = (dag_id for dag_id in self._api.dag_ids() if keys.encoded(dag_id) == part)
            self._cut_dags[part] = next(fitting, None)
        return self._cut_dags[part]


class RunList:
    """The rows of one run by a list: a hint, and cheap. It takes 136 bytes per row."""

    def __init__(self, api: AirflowApi, dag_id: str, run_id: str) -> None:
        self._written: dict[int, datetime] = {}
        for listed in api.xcoms(dag_id, run_id):
            self._written[row_hash(listed.owner)] = listed.written

    def doubtful(self, values: list[Value]) -> list[Value]:
        """Return the values of a task instance whose row is to be asked for exactly.

        These are the ones without a row, with a row that several share, older than their row, or
        without a main object.
        """
        sharing: dict[str, int] = {}
        for value in values:
            sharing[value.place.key] = sharing.get(value.place.key, 0) + 1
        return [v for v in values if sharing[v.place.key] > 1 or not self._is_likely(v)]

    def _is_likely(self, value: Value) -> bool:
        written = self._written.get(place_hash(value.place))
        return value.has_main and written is not None and written - value.newest <= SAME_PUSH


def row_hash(owner: Owner) -> int:
    """Return a number for a row among those of its run."""
    _dag, _run, *names = (keys.encoded(str(name)) for name in owner)
    return hash(tuple(names))


def place_hash(place: Place) -> int:
    """Return the same number for what a key says."""
    return hash((place.task_id, place.map_index, place.key))


def reference_of(record: Any) -> Reference | None:
    """Return the reference that a row holds; None if it holds anything else."""
    if not is_reference(record):
        return None
    try:
        return Reference.from_record(record)
    except ObjectCorrupt:
        return None
