"""What Airflow's common-io backend has left in the database, for a deployment that moved here.

For a value it had put into its object storage, a row holds the object's path as a plain string.
Such a string is its own where it lies below `[common.io] xcom_objectstorage_path`; unset that, and
every string is a string. Its objects are read and deleted by its own class, never written.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from include.xcom_store.errors import AccessDenied, ObjectMissing

if TYPE_CHECKING:
    from include.xcom_store.keys import Owner

SECTION, PATH = "common.io", "xcom_objectstorage_path"
VARIABLE = "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH"


def names_object(value: Any) -> bool:
    """Tell whether common-io would take a row's value for the path of an object."""
    if not (isinstance(value, str) and ":" in value and (base := base_path())):
        return False
    if value.startswith(f"{base.rstrip('/')}/"):
        return True  # also where its file system is missing here, which `read` will say
    from airflow.sdk import ObjectStoragePath

    try:
        return bool(ObjectStoragePath(value).is_relative_to(ObjectStoragePath(base)))
    except (TypeError, ValueError):  # as common-io has it: a string
        return False


def read(result: Any) -> Any:
    """Return the value of a row that holds such a path.

    Raises:
        ObjectMissing: there is no such object, or it is not JSON, or cannot be reached from here;
            common-io itself would return the path.
    """
    from airflow.providers.common.io.xcom.backend import XComObjectStorageBackend

    value = XComObjectStorageBackend.deserialize_value(result)
    if value == result.value:
        raise ObjectMissing(
            f"{value} is below [{SECTION}] {PATH}, so common-io's backend has written it, and it "
            "finds no such object, or no JSON in it. Restore it, or clear the task that pushed it; "
            "is the provider of its file system installed?"
        )
    return value


def remove(xcom: Any, owner: Owner) -> None:
    """Delete the object of such a row, if it is where common-io puts those of this task."""
    from airflow.providers.common.io.xcom.backend import XComObjectStorageBackend
    from airflow.sdk import ObjectStoragePath

    own = ObjectStoragePath(base_path(), str(owner.dag_id), str(owner.run_id), str(owner.task_id))
    if ObjectStoragePath(xcom.value).parent != own:
        raise AccessDenied(f"{xcom.value} is not an object of {owner}.")
    XComObjectStorageBackend.purge(xcom)


@cache
def base_path() -> str:
    """Return what is set, read once like this backend's own settings; empty if nothing is."""
    from airflow.sdk.configuration import conf

    return (conf.get(SECTION, PATH, fallback=None) or "").strip()
