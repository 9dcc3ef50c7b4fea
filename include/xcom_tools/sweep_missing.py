"""The reverse of orphans: rows of the database whose object is gone.

A sweep meets some of them on its way. `rows_without_objects` finds the rest, at the cost of a
request to Airflow for every row that has no object, and most of these hold their value themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.xcom_store.errors import AccessDenied
from include.xcom_tools import listing
from include.xcom_tools.sweep_findings import MISSING, Finding
from include.xcom_tools.sweep_rows import place_hash, reference_of, row_hash

if TYPE_CHECKING:
    from collections.abc import Iterator

    from include.xcom_store.keys import Owner
    from include.xcom_store.record import Reference
    from include.xcom_store.stores.base import Store
    from include.xcom_tools.airflow_api import AirflowApi


def check(store: Store, owner: Owner, reference: Reference) -> Finding | None:
    """Return a finding if the main object of a row's reference is gone."""
    uri = reference.stored.uri
    whose = f"the row of {owner} key={owner.key} refers to it"
    try:
        store, key = store.find(reference.stored.uri, owner)
    except AccessDenied:
        return Finding(MISSING, uri, f"{whose}: not where its values lie")
    return None if store.exists(key) else Finding(MISSING, uri, whose)


def rows_without_objects(store: Store, api: AirflowApi, wanted: Owner) -> Iterator[Finding]:
    """Ask for each row that has no object in the store whether it should have one.

    Memory holds one number for each value of one run.
    """
    for dag_id, run_id, *_ in [wanted] if wanted.run_id else api.runs():
        if dag_id is None or run_id is None or wanted.dag_id not in (None, dag_id):
            continue
        run = wanted._replace(dag_id=dag_id, run_id=run_id)
        present = {place_hash(found.place) for found in listing.objects(store, run) if found.place}
        for listed in api.xcoms(dag_id, run_id):
            if row_hash(listed.owner) in present or not _is_within(listed.owner, run):
                continue
            row = api.xcom(listed.owner)
            reference = reference_of(row.value) if row else None
            if reference and (lost := check(store, listed.owner, reference)):
                yield lost


def _is_within(owner: Owner, wanted: Owner) -> bool:
    return all(want is None or has == want for has, want in zip(owner, wanted, strict=True))
