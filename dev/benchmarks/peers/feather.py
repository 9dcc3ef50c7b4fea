"""Feather: an Arrow IPC file with lz4, as pandas writes it, by obstore."""

from __future__ import annotations

import io
import uuid
from typing import Any

from dev.benchmarks.peers.floor import store


def push(value: Any) -> Any:
    file, key = io.BytesIO(), f"feather/{uuid.uuid4()}.arrow"
    value.to_feather(file, compression="lz4")
    store().put(key, file.getbuffer())
    return {"key": key, "bytes": file.tell()}


def pull(record: Any) -> Any:
    import pandas as pd

    return pd.read_feather(io.BytesIO(store().get(record["key"]).bytes()))
