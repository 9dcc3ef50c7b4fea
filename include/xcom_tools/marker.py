"""Whose prefix it is: a marker object in the store, a Variable in the Airflow it belongs to.

    s3://bucket/xcom/_owner.json        {"deployment_id": "5f0c…", "uri": "s3://bucket/xcom/", …}
    Airflow's Variable xcom_store_deployment_id                       5f0c…

Objects that one deployment does not know look like orphans to it, and may be another's values. So
`sweep` deletes only where both agree, and it creates them only when told to (`--claim`), since an
unmarked prefix may be anybody's.

The Variable lies in the metadata database, so another Airflow, or one with an empty database, has
another identity or none. A copy of the database has the same identity: an Airflow that is started
from one must be given a prefix of its own first, for its tasks' retries would delete the original's
values, too.
"""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from include.xcom_store.errors import ObjectMissing
from include.xcom_tools.errors import ToolError

if TYPE_CHECKING:
    from include.xcom_store.stores.base import Store
    from include.xcom_tools.airflow_api import AirflowApi

KEY = "_owner.json"
"""Spark, Hive and DuckDB's globs leave out such names."""
VARIABLE = "xcom_store_deployment_id"
PROBE = f"{KEY}-probe-"
"""Objects so called prove that the service can create only; a claim that is killed leaves one."""
MAX_MARKER_BYTES = 4096


class ForeignPrefix(ToolError):
    """The prefix is another deployment's."""


def is_ours(store: Store, api: AirflowApi) -> bool:
    """Tell whether the prefix is this Airflow's; False if nobody has claimed it.

    Raises:
        ForeignPrefix: somebody else has, or the marker cannot be read as one.
    """
    mine = api.variable(VARIABLE)  # in any case: an Airflow that does not answer is found out now
    try:
        text = store.open(KEY).read(MAX_MARKER_BYTES)
    except ObjectMissing:
        return False
    where = store.uri(KEY)
    found = _read(text, where)
    if found["uri"] != store.uri():
        raise ForeignPrefix(
            f"{where} marks {found['uri']}, so it was copied here. Check whose the objects under "
            "this prefix are; if they are this Airflow's, delete the marker and claim the prefix."
        )
    if found["deployment_id"] != mine:
        raise ForeignPrefix(
            f"{store.uri()} belongs to another Airflow deployment: {where} says "
            f"{found['deployment_id']} (claimed {found.get('claimed_at')}), the Variable "
            f"{VARIABLE} of Airflow at {api.url} is {mine or 'not set'}. Nothing is swept. Give "
            "each deployment a prefix of its own, or correct the address of Airflow. Only if the "
            "other one is gone for good (say, a new database) delete the marker and claim."
        )
    return True


def claim(store: Store, api: AirflowApi) -> None:
    """Mark the prefix as this Airflow's, unless it is already.

    Raises:
        ForeignPrefix: somebody else has claimed it.
        ToolError: two could claim it at once, for this service lets the second one overwrite.
    """
    if is_ours(store, api):
        return
    _prove_create_only(store)
    identity = api.variable(VARIABLE)
    if identity is None:
        identity = str(uuid.uuid4())
        api.create_variable(VARIABLE, identity, "Marks prefixes in the store as this Airflow's")
    said = {
        "deployment_id": identity,
        "uri": store.uri(),
        "claimed_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    store.create(KEY, f"{json.dumps(said, indent=2)}\n".encode())
    if not is_ours(store, api):  # also where another one was faster
        raise ToolError(f"{store.uri(KEY)} was written and is not there.")


def _prove_create_only(store: Store) -> None:
    """Create one object twice, which must fail: else a claim would not exclude another."""
    probe = f"{PROBE}{uuid.uuid4().hex}"
    try:
        if store.create(probe, b"1") and store.create(probe, b"2"):
            raise ToolError(
                f"{store.uri()} cannot be claimed: this service overwrites an object where it is "
                "asked to create one only if there is none, so another Airflow could claim the "
                "prefix at the same time. (Of those that were tried, the emulator of Google Cloud "
                "Storage does so.)"
            )
    finally:
        store.delete(probe)


def _read(text: bytes, where: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
        if isinstance(found["deployment_id"], str) and isinstance(found["uri"], str):
            return dict(found)
    except (ValueError, KeyError, TypeError):
        pass
    shown = text[:200].decode(errors="replace")
    raise ForeignPrefix(f"{where} is not a marker of this tool: {shown!r}. Nothing is swept.")
