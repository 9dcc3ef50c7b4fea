"""Pickle, gzip, a key that is the SHA-1 of the pickle, to S3: Metaflow's artifacts.

What is there already is not written again; that costs a HEAD. The benchmark pushes what is new.
https://docs.metaflow.org/metaflow/basics#artifacts
"""

from __future__ import annotations

import gzip
import hashlib
import os
import pickle
from typing import Any

from dev.benchmarks.peers.s3_client import BUCKET, client, download, upload

_LEVEL = 3


def push(value: Any) -> Any:
    blob = pickle.dumps(value, protocol=4)
    name = hashlib.sha1(blob).hexdigest()  # noqa: S324 - Metaflow's choice
    key = f"metaflow/{os.getpid()}/{name[:2]}/{name}"  # of each process, or it would be there
    try:
        client().head_object(Bucket=os.environ[BUCKET], Key=key)
    except client().exceptions.ClientError:
        return upload(key, gzip.compress(blob, _LEVEL))
    return {"key": key, "bytes": 0}


def pull(record: Any) -> Any:
    return pickle.loads(gzip.decompress(download(record)))  # noqa: S301 - that is what is compared
