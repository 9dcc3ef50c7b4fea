"""A plain `to_parquet` and `read_parquet`, by obstore."""

from __future__ import annotations

import io
import uuid
from typing import Any

from dev.benchmarks.peers.floor import store


def push(value: Any) -> Any:
    file, key = io.BytesIO(), f"plain/{uuid.uuid4()}.parquet"
    value.to_parquet(file)
    data = file.getvalue()
    store().put(key, data)
    return {"key": key, "bytes": len(data)}


def pull(record: Any) -> Any:
    import pandas as pd

    return pd.read_parquet(io.BytesIO(store().get(record["key"]).bytes()))
