"""boto3's client of the benchmark's bucket, for the peers that use it."""

from __future__ import annotations

import json
import os
from functools import cache
from typing import Any

BUCKET = "BENCHMARK_BUCKET"


@cache
def client() -> Any:
    import boto3

    connection = json.loads(os.environ["AIRFLOW_CONN_AWS_DEFAULT"])
    return boto3.client(
        "s3",
        endpoint_url=connection["extra"]["endpoint_url"],
        region_name=connection["extra"]["region_name"],
        aws_access_key_id=connection["login"],
        aws_secret_access_key=connection["password"],
    )


def upload(key: str, data: bytes) -> dict[str, Any]:
    """Write an object as boto3 does by itself, in parts and by threads where it is large."""
    import io

    client().upload_fileobj(io.BytesIO(data), os.environ[BUCKET], key)
    return {"key": key, "bytes": len(data)}


def download(record: dict[str, Any]) -> bytes:
    body: bytes = client().get_object(Bucket=os.environ[BUCKET], Key=record["key"])["Body"].read()
    return body
