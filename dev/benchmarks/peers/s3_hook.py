"""The least that a backend on the provider's S3Hook does: JSON text to a key, and back."""

from __future__ import annotations

import json
import os
import uuid
from typing import Any

_BUCKET = "BENCHMARK_BUCKET"


def push(value: Any) -> Any:
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    key = f"s3_hook/{uuid.uuid4()}.json"
    S3Hook("aws_default").load_string(json.dumps(value), key, os.environ[_BUCKET])
    return key


def pull(record: Any) -> Any:
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    return json.loads(S3Hook("aws_default").read_key(record, os.environ[_BUCKET]))
