"""The reverse of orphans: rows of the database whose object is gone.

A sweep meets some of them on its way. `rows_without_objects` finds the rest, at the cost of a
request to Airflow for every row that has no object: most of them hold their value themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.xcom_store.errors import AccessDenied
from include.xcom_tools.sweep_findings import MISSING, Finding
from include.xcom_tools.sweep_rows import place_hash, reference_of, row_hash

if TYPE_CHECKING:
    from collections.abc import Iterator

    from include.xcom_store.keys import Owner
    from include.xcom_store.record import Reference
    from include.xcom_tools.airflow_api import AirflowApi
    from include.xcom_tools.sweep_bucket import SweepBucket


def check(bucket: SweepBucket, owner: Owner, reference: Reference) -> Finding | None:
    """Return that the main object of a row's reference is gone, if it is."""
    whose = f"the row of {owner} key={owner.key} refers to it"
    try:
        key = reference.locate(bucket.bucket, bucket.prefix, owner)
    except AccessDenied:
        return Finding(MISSING, reference.uri, f"{whose}: not where its values lie")
    return None if bucket.exists(key) else Finding(MISSING, reference.uri, whose)


def rows_without_objects(bucket: SweepBucket, api: AirflowApi, wanted: Owner) -> Iterator[Finding]:
    """Ask for each row that has no object in the bucket whether it should have one.

    Held in memory is a number for each value of one run.
    """
    for dag_id, run_id, *_ in [wanted] if wanted.run_id else api.runs():
        if dag_id is None or run_id is None or wanted.dag_id not in (None, dag_id):
            continue
        run = wanted._replace(dag_id=dag_id, run_id=run_id)
        present = {place_hash(found.place) for found in bucket.objects(run) if found.place}
        for listed in api.xcoms(dag_id, run_id):
            if row_hash(listed.owner) in present or not _is_within(listed.owner, run):
                continue
            row = api.xcom(listed.owner)
            reference = reference_of(row.value) if row else None
            if reference and (lost := check(bucket, listed.owner, reference)):
                yield lost


def _is_within(owner: Owner, wanted: Owner) -> bool:
    return all(want is None or has == want for has, want in zip(owner, wanted, strict=True))
