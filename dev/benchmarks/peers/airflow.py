"""Airflow's default backend: every value as JSON in the metadata database."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from dev.benchmarks.peers.ours import WHERE


def push(value: Any) -> Any:
    from airflow.sdk.bases.xcom import BaseXCom

    return BaseXCom.serialize_value(value, **WHERE)


def pull(record: Any) -> Any:
    from airflow.sdk.bases.xcom import BaseXCom

    return BaseXCom.deserialize_value(SimpleNamespace(value=record))
