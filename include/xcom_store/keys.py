"""Where under the store's URL a value lies.

    dag_id=…/run_id=…/task_id=…/map_index=…/{key}-{unique}.{extension}

for example

    s3://airflow-xcoms/xcom/dag_id=trips/run_id=manual__2026-11-22T10%3A00%3A00/task_id=load/
        map_index=-1/return_value-0f8c….parquet

The directories are Hive partitions: DuckDB, Athena and Spark read them as columns. Parts that users
name are percent-encoded. `unique` is new for each push, so no key is ever written twice.
"""

import hashlib
import re
import uuid
from typing import NamedTuple
from urllib.parse import quote

from include.xcom_store.errors import ObjectCorrupt

PARTITIONS = ("dag_id", "run_id", "task_id", "map_index")
MAX_ENCODED_BYTES = 180
"""Of one identifier. With four of these, the store's prefix (150), the partitions' names, the
unique part and a leaf's name, a key stays under S3's 1,024 bytes."""
UNIQUE = r"[0-9a-f]{32}"
"""Matches the unique part that `new_stem` makes for each push."""

_ENCODED = r"([A-Za-z0-9_.~%!-]+)"
_LAYOUT = (
    rf"dag_id={_ENCODED}/run_id={_ENCODED}/task_id={_ENCODED}/map_index=(-?[0-9]+)/"
    rf"{_ENCODED}-{UNIQUE}\.[a-z0-9.]+"
)


class Owner(NamedTuple):
    """Whose value it is; None stands for any (a pull without a map index, or from any run)."""

    dag_id: str | None
    run_id: str | None
    task_id: str | None = None
    map_index: int | None = None
    key: str | None = None

    def __str__(self) -> str:
        """Return the identity as log lines show it."""
        known = ((name, getattr(self, name)) for name in PARTITIONS)
        return " ".join(f"{name}={value}" for name, value in known if value is not None)

    def owns(self, object_key: str) -> bool:
        """Tell whether a key is one that this owner's pushes are given."""
        found = re.fullmatch(_LAYOUT, object_key)
        return found is not None and all(
            value is None or segment == encoded(str(value))
            for value, segment in zip(self, found.groups(), strict=True)
        )


def new_stem(owner: Owner) -> str:
    """Return the key for a new value of this owner, without extension; never the same twice.

    The value's object is `{stem}.{extension}`. Its leaves (frames and arrays inside of it) are
    `{stem}/0.parquet`, `{stem}/1.npy` …, so that one value is one prefix.

    Args:
        owner: with all its fields set.
    """
    dag, run, task, index, key = (encoded(str(field)) for field in owner)
    return f"dag_id={dag}/run_id={run}/task_id={task}/map_index={index}/{key}-{uuid.uuid4().hex}"


def stem(object_key: str) -> str:
    """Return an object's key without its extension, under which its leaves lie."""
    # The user's part of the name may hold dots; the extension follows the unique part.
    match = re.fullmatch(rf"(.*-{UNIQUE})\.[a-z0-9.]+", object_key)
    if match is None:
        raise ValueError(f"{object_key!r} is not a key of this backend")
    return match[1]


def leaf(object_key: str, name: str) -> str:
    """Return the key of a leaf, `0.parquet`, of the value whose main object this is."""
    if not re.fullmatch(r"[0-9]+\.[a-z0-9.]+", name):
        raise ObjectCorrupt(f"{name!r} is not the name of a part of {object_key}.")
    return f"{stem(object_key)}/{name}"


def encoded(text: str) -> str:
    """Return an identifier as it stands in a key; the encoding is not always reversible."""
    quoted = quote(text, safe="", errors="surrogatepass")
    if len(quoted) <= MAX_ENCODED_BYTES:
        return quoted
    # `!` never comes from quote(), so no shorter identifier can be given this name.
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:32]
    kept = re.sub(r"%[0-9A-F]?$", "", quoted[: MAX_ENCODED_BYTES - 33])  # no half an escape
    return f"{kept}!{digest}"
