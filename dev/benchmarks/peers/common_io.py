"""Airflow's own backend for object storage, of the provider common-io, on the same S3 server.

As its documentation sets it up: a path with the connection in it, everything to S3 (threshold 0).
https://airflow.apache.org/docs/apache-airflow-providers-common-io/stable/xcom_backend.html
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from dev.benchmarks.peers.ours import WHERE


def push(value: Any) -> Any:
    from airflow.providers.common.io.xcom.backend import XComObjectStorageBackend

    return XComObjectStorageBackend.serialize_value(value, **WHERE)


def pull(record: Any) -> Any:
    from airflow.providers.common.io.xcom.backend import XComObjectStorageBackend

    return XComObjectStorageBackend.deserialize_value(SimpleNamespace(value=record))


def stored(record: Any) -> int:
    from airflow.sdk import ObjectStoragePath

    return int(ObjectStoragePath(record).stat().st_size)
