"""The backend of the classic tutorials: a frame as CSV in a file, to S3 with S3Hook, and back.

Written for this benchmark after what those tutorials do: a hook and a file for each value.
"""

from __future__ import annotations

import os
import tempfile
import uuid
from pathlib import Path
from typing import Any

_BUCKET = "BENCHMARK_BUCKET"


def push(value: Any) -> Any:
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    key = f"tutorial/{uuid.uuid4()}.csv"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "value"
        value.to_csv(path, index=False)
        hook = S3Hook(aws_conn_id="aws_default")
        hook.load_file(path, key=key, bucket_name=os.environ[_BUCKET], replace=True)
    return f"xcom_s3://{key}"


def pull(record: Any) -> Any:
    import pandas as pd
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    key = record.removeprefix("xcom_s3://")
    with tempfile.TemporaryDirectory() as folder:
        hook = S3Hook(aws_conn_id="aws_default")
        path = hook.download_file(key=key, bucket_name=os.environ[_BUCKET], local_path=folder)
        return pd.read_csv(path)
