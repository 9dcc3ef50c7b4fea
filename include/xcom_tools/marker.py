"""Whose prefix it is: a marker object in the bucket, a Variable in the Airflow it belongs to.

    s3://bucket/xcom/_owner.json        {"deployment_id": "5f0c…", "uri": "s3://bucket/xcom/", …}
    Airflow's Variable xcom_store_deployment_id                       5f0c…

Objects that one deployment does not know look like orphans to it, and may be another's values. So
`sweep` deletes only where both say the same, and it makes them only when told to (`--claim`): a
prefix that is not marked may be anybody's.

The Variable lies in the metadata database, so whoever asks another Airflow, or one with an empty
database, has another identity or none. A copy of the database has the same identity: an Airflow
that is started from one must be given a prefix of its own first, for its tasks' retries would
delete the original's values, too.
"""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from include.xcom_tools.errors import ToolError

if TYPE_CHECKING:
    from include.xcom_tools.airflow_api import AirflowApi
    from include.xcom_tools.sweep_bucket import SweepBucket

NAME = "_owner.json"
"""Under the prefix; Spark, Hive and DuckDB's globs leave out such names."""
VARIABLE = "xcom_store_deployment_id"


class ForeignPrefix(ToolError):
    """The prefix is another deployment's."""


def is_ours(bucket: SweepBucket, api: AirflowApi) -> bool:
    """Tell whether the prefix is this Airflow's; False if nobody has claimed it.

    Raises:
        ForeignPrefix: somebody else has, or the marker cannot be read as one.
    """
    mine = api.variable(VARIABLE)  # in any case: so an Airflow that does not answer is told now
    text = bucket.read_small(_key(bucket))
    if text is None:
        return False
    where = bucket.uri(_key(bucket))
    found = _read(text, where)
    if found["uri"] != _uri(bucket):
        raise ForeignPrefix(
            f"{where} marks {found['uri']}, so it was copied here. Look whose the objects under "
            "this prefix are; if they are this Airflow's, delete the marker and claim the prefix."
        )
    if found["deployment_id"] != mine:
        raise ForeignPrefix(
            f"{_uri(bucket)} belongs to another Airflow deployment: {where} says "
            f"{found['deployment_id']} (claimed {found.get('claimed_at')}), the Variable "
            f"{VARIABLE} of Airflow at {api.url} is {mine or 'not set'}. Nothing is swept. Give "
            "each deployment a prefix of its own, or correct the address of Airflow. Only if the "
            "other one is gone for good (say, a new database) delete the marker and claim."
        )
    return True


def claim(bucket: SweepBucket, api: AirflowApi) -> None:
    """Mark the prefix as this Airflow's, if it is not yet.

    Raises:
        ForeignPrefix: somebody else has claimed it.
    """
    if is_ours(bucket, api):
        return
    identity = api.variable(VARIABLE)
    if identity is None:
        identity = str(uuid.uuid4())
        api.create_variable(VARIABLE, identity, "Marks prefixes in S3 as this Airflow's: sweep")
    said = {
        "deployment_id": identity,
        "uri": _uri(bucket),
        "claimed_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    bucket.create(_key(bucket), json.dumps(said, indent=2) + "\n")
    if not is_ours(bucket, api):  # also where another one was faster
        raise ToolError(f"{bucket.uri(_key(bucket))} was written and is not there.")


def _key(bucket: SweepBucket) -> str:
    return f"{bucket.prefix}/{NAME}"


def _uri(bucket: SweepBucket) -> str:
    return f"{bucket.uri(bucket.prefix)}/"


def _read(text: str, where: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
        if isinstance(found["deployment_id"], str) and isinstance(found["uri"], str):
            return dict(found)
    except (ValueError, KeyError, TypeError):
        pass
    raise ForeignPrefix(f"{where} is not a marker of this tool: {text[:200]!r}. Nothing is swept.")
