"""Reading by engines on Google Cloud Storage, Azure Blob Storage and HDFS."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("include.xcom_reference", reason="by reference was deleted")
pytest.importorskip("obstore")
import pandas as pd

from include import xcom_reference
from include.xcom_reference.services import StoreAccess
from include.xcom_store.errors import ConfigurationError, StoreUnreachable
from include.xcom_store.stores.files import ObjectFile
from tests import services
from tests.test_by_reference import (  # noqa: F401
    TASK,
    TI,
    TRIPS,
    configure,
    s3,
    supervisor,
    test_an_instance_of_a_mapped_task_is_told_by_its_index,
    test_duckdb_reads_columns_and_rows_that_it_needs,
    test_json_is_read_too,
    test_names_that_need_escaping_are_found,
    test_pandas_and_pyarrow_read_it_without_another_package,
    test_what_is_located_is_what_was_pushed,
    xcom,
)
from tests.xcom_store.conftest import connect  # noqa: F401

service = services.each_other
ROOT = Path(__file__).resolve().parents[1]


def test_polars_reads_a_file(xcom):  # noqa: F811
    polars = pytest.importorskip("polars")
    xcom.push(TRIPS)
    found = polars.read_parquet(xcom_reference.locate(TI, TASK).open(), columns=["zone"])
    assert found["zone"].to_list() == TRIPS.zone.tolist()


def test_duckdb_reads_a_whole_run_with_its_partitions(xcom):  # noqa: F811
    for index in range(3):
        xcom.push(TRIPS, map_index=index)
    trips = xcom_reference.locate(TI, TASK, map_index=1)
    files = f"read_parquet('{xcom.s3.url}/**/*.parquet', hive_partitioning=true)"
    sql = f"SELECT DISTINCT map_index FROM {files} ORDER BY 1"
    with trips.access.duckdb() as db:
        assert db.sql(sql).fetchall() == [(0,), (1,), (2,)]


def test_only_a_part_of_a_large_object_is_fetched(xcom, monkeypatch):  # noqa: F811
    size = 400_000
    numbers = pd.Series(range(size))
    frame = pd.DataFrame({f"c{i}": (numbers * (i + 7919)) % 1_000_003 for i in range(10)})
    xcom.push(frame)
    located = xcom_reference.locate(TI, TASK)
    fetched = []
    read = ObjectFile.read
    monkeypatch.setattr(
        ObjectFile, "read", lambda *a: (fetched.append(len(found := read(*a))), found)[1]
    )
    with located.access.duckdb() as db:
        assert db.sql(f"SELECT sum(c3) FROM '{located.uri}'").fetchone() == (int(frame.c3.sum()),)
    assert 0 < sum(fetched) < located.bytes / 3


def test_a_dead_service_is_told(xcom, configure):  # noqa: F811
    xcom.push(TRIPS)
    configure(connect_timeout=1, retry_timeout=1)
    xcom.s3.through(9)
    with pytest.raises(StoreUnreachable):
        xcom_reference.locate(TI, TASK).open()


def test_keys_of_a_bucket_are_for_s3(xcom):  # noqa: F811
    with pytest.raises(ConfigurationError, match="is not on S3"):
        xcom_reference.bucket_access()


@pytest.mark.long
def test_spark_computes_in_hdfs(xcom, connect):  # noqa: F811
    jobs = pytest.importorskip("include.spark", reason="the Spark example was deleted")
    dev = pytest.importorskip("dev.spark", reason="only `python3 -m dev test` runs this")
    if reason := dev.missing():
        pytest.skip(reason)
    connect("spark_default", "spark", host="local[1]")
    uri = xcom.push(pd.DataFrame({"pickup_location_id": [1, 1, 2], "total_amount": [1.5, 2, 4]}))[
        "uri"
    ]
    job, result = ROOT / "dags" / "spark" / "revenue_by_zone.py", jobs.results().uri("here")
    if xcom.s3.scheme != "hdfs":
        with pytest.raises(ConfigurationError, match="is not on S3"):
            jobs.submit(job, uri, result)
        return
    jobs.submit(job, uri, result)
    with StoreAccess(store=jobs.results()).duckdb() as db:
        found = db.read_parquet(f"{result}/*.parquet").order("pickup_location_id").fetchall()
    assert found == [(1, 2, 3.5), (2, 1, 4.0)]
    assert jobs.results().exists("here/_SUCCESS")
