"""Pickle as base64 in a JSON document to S3, as Prefect's default serializer makes it.

Prefect pickles with cloudpickle, which for data is pickle.
https://docs.prefect.io/v3/develop/results#choose-a-result-serializer
"""

from __future__ import annotations

import base64
import json
import pickle
import uuid
from typing import Any

from dev.benchmarks.peers.s3_client import download, upload


def push(value: Any) -> Any:
    text = base64.encodebytes(pickle.dumps(value)).decode()
    document = {"metadata": {"serializer": {"type": "pickle"}}, "result": text}
    return upload(f"prefect/{uuid.uuid4()}", json.dumps(document).encode())


def pull(record: Any) -> Any:
    text = json.loads(download(record))["result"]
    return pickle.loads(base64.decodebytes(text.encode()))  # noqa: S301 - that is what is compared
