"""Pickle to S3, as Dagster's PickledObjectS3IOManager does, which first looks for the key.

https://docs.dagster.io/api/libraries/dagster-aws#dagster_aws.s3.S3PickleIOManager
"""

from __future__ import annotations

import os
import pickle
import uuid
from typing import Any

from dev.benchmarks.peers.s3_client import BUCKET, client, download, upload

_PROTOCOL = 4  # dagster._utils.PICKLE_PROTOCOL


def push(value: Any) -> Any:
    key = f"dagster/{uuid.uuid4()}"
    try:
        client().get_object(Bucket=os.environ[BUCKET], Key=key)
    except client().exceptions.NoSuchKey:
        return upload(key, pickle.dumps(value, _PROTOCOL))
    raise FileExistsError(key)


def pull(record: Any) -> Any:
    return pickle.loads(download(record))  # noqa: S301 - that is what is compared
