"""Where in the bucket a value lies.

    {prefix}/dag_id=…/run_id=…/task_id=…/map_index=…/{key}-{unique}.{extension}

for example

    xcom/dag_id=trips/run_id=manual__2026-11-22T10%3A00%3A00/task_id=load/map_index=-1/
        return_value-0f8c….parquet

The directories are Hive partitions: DuckDB, Athena and Spark read them as columns. Parts that users
name are percent-encoded. `unique` is new for each push, so no key is ever written twice.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from typing import NamedTuple
from urllib.parse import quote

PARTITIONS = ("dag_id", "run_id", "task_id", "map_index")
MAX_PART = 180
"""Bytes of an encoded identifier. Four of them, the prefix (150), the names of the partitions, the
unique part and a leaf's number and extension stay under S3's 1,024 bytes of a key."""

_CUT_ESCAPE = re.compile(r"%[0-9A-F]?$")
UNIQUE = r"[0-9a-f]{32}"
"""Matches what `new_stem` makes anew for each push."""


class Owner(NamedTuple):
    """Whose value it is; None stands for any (a pull without a map index, or from any run)."""

    dag_id: str | None
    run_id: str | None
    task_id: str | None = None
    map_index: int | None = None
    key: str | None = None

    def __str__(self) -> str:
        """Return the identity as log lines show it."""
        return " ".join(
            f"{n}={getattr(self, n)}" for n in PARTITIONS if getattr(self, n) is not None
        )

    def owns(self, prefix: str, object_key: str) -> bool:
        """Tell whether a key is one that this owner's pushes are given."""
        return re.fullmatch(self._pattern(prefix), object_key) is not None

    def _pattern(self, prefix: str) -> str:
        parts = [re.escape(prefix)]
        for name in PARTITIONS:
            value = getattr(self, name)
            parts.append(f"{name}=" + ("[^/]+" if value is None else re.escape(part(str(value)))))
        name = "[^/]+" if self.key is None else re.escape(part(self.key))
        return "/".join(parts) + rf"/{name}-{UNIQUE}\.[a-z0-9.]+"


def new_stem(prefix: str, owner: Owner) -> str:
    """Return the key for a new value of this owner, without extension; never the same twice.

    The value's object is `{stem}.{extension}`; its leaves are `{stem}/0.parquet`, `{stem}/1.npy` …,
    so that one value is one prefix.

    Args:
        prefix: the `[xcom_store] prefix` setting.
        owner: with all its fields set.
    """
    identity = (owner.dag_id, owner.run_id, owner.task_id, owner.map_index, owner.key)
    dag, run, task, index, key = (part(str(field)) for field in identity)
    return (
        f"{prefix}/dag_id={dag}/run_id={run}/task_id={task}/map_index={index}/"
        f"{key}-{uuid.uuid4().hex}"
    )


def stem(object_key: str) -> str:
    """Return an object's key without its extension, under which its leaves lie."""
    # The user's part of the name may hold dots; the extension follows the unique part.
    match = re.fullmatch(rf"(.*-{UNIQUE})\.[a-z0-9.]+", object_key)
    if match is None:
        raise ValueError(f"{object_key!r} is not a key of this backend")
    return match.group(1)


def part(text: str) -> str:
    """Return an identifier as it stands in a key; it cannot always be told from it again."""
    encoded = quote(text, safe="")
    if len(encoded) <= MAX_PART:
        return encoded
    # `!` never comes from quote(), so no shorter identifier can be given this name.
    digest = hashlib.sha256(text.encode()).hexdigest()[:32]
    return f"{_CUT_ESCAPE.sub('', encoded[: MAX_PART - 33])}!{digest}"
