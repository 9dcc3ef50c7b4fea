"""The floor: what the libraries take by themselves, step by step, nothing done at the same time.

push  frame → Arrow table → Parquet bytes in memory → put
pull  get → Parquet bytes in memory → Arrow table → frame

Same libraries and settings of Parquet as the backend's; no exact dtypes and no hash.
"""

from __future__ import annotations

import json
import os
import uuid
from functools import cache
from typing import Any

from include.xcom_store.codecs.frames import FIRST_GROUP_ROWS, GROUP_ROWS, writer_options


@cache
def store() -> Any:
    from obstore.store import S3Store

    connection = json.loads(os.environ["AIRFLOW_CONN_AWS_DEFAULT"])
    return S3Store(
        os.environ["BENCHMARK_BUCKET"],
        endpoint=connection["extra"]["endpoint_url"],
        region=connection["extra"]["region_name"],
        access_key_id=connection["login"],
        secret_access_key=connection["password"],
        client_options={"allow_http": True},
    )


def push(value: Any) -> Any:
    import obstore
    import pyarrow as pa
    import pyarrow.parquet as pq

    key = f"floor/{uuid.uuid4()}.parquet"
    table = pa.Table.from_pandas(value)
    sink = pa.BufferOutputStream()
    options = writer_options(table.slice(0, FIRST_GROUP_ROWS))
    pq.write_table(table, sink, compression="zstd", row_group_size=GROUP_ROWS, **options)
    obstore.put(store(), key, memoryview(sink.getvalue()).cast("B"))
    return key


def pull(record: Any) -> Any:
    import obstore
    import pyarrow as pa
    import pyarrow.parquet as pq

    data = obstore.get(store(), record).bytes()
    return pq.read_table(pa.BufferReader(data)).to_pandas()
