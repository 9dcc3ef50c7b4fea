"""A plain `to_parquet` and `read_parquet` of pandas with an `s3://` path, which is s3fs."""

from __future__ import annotations

import json
import os
import uuid
from typing import Any


def push(value: Any) -> Any:
    path = f"s3://{os.environ['BENCHMARK_BUCKET']}/plain/{uuid.uuid4()}.parquet"
    value.to_parquet(path, storage_options=_options())
    return path


def pull(record: Any) -> Any:
    import pandas as pd

    return pd.read_parquet(record, storage_options=_options())


def stored(record: Any) -> int:
    import fsspec

    return int(fsspec.filesystem("s3", **_options()).size(record))


def _options() -> dict[str, Any]:
    connection = json.loads(os.environ["AIRFLOW_CONN_AWS_DEFAULT"])
    return {
        "key": connection["login"],
        "secret": connection["password"],
        "client_kwargs": {"endpoint_url": connection["extra"]["endpoint_url"]},
    }
