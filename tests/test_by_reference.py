"""Reading an XCom where it lies: DuckDB, pyarrow and pandas on a real S3 server."""

from __future__ import annotations

import json
import logging
import re
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import obstore
import pandas as pd
import pyarrow as pa
import pytest

from include import xcom_reference
from include.xcom_store import settings
from include.xcom_store.errors import AccessDenied, ConfigurationError, ObjectCorrupt, ObjectMissing
from include.xcom_store.stores import base
from tests import local_s3
from tests.xcom_store.conftest import (
    DAG,
    RUN,
    TASK,
    configure,
    connect,
    s3,
    service,
    supervisor,
    xcom,
)
from tests.xcom_store.fault_proxy import Fault, FaultProxy

__all__ = ["configure", "connect", "s3", "service", "supervisor", "xcom"]

TI = SimpleNamespace(dag_id=DAG, run_id=RUN, task_id="reader", map_index=-1)
TRIPS = pd.DataFrame({"zone": [1, 2, 1, 3], "fare": [5.0, 7.5, 6.0, 9.0], "note": list("abcd")})
ANOTHER_BUCKET = {"endpoint_url": None, "region_name": "eu-central-1"}


def access(**changes):
    values = {
        "bucket": "b", "region": "eu-central-1", "endpoint": None,
        "key_id": "AKIA", "secret": "sec'ret", "token": None, "virtual": False,
    }  # fmt: skip
    return xcom_reference.BucketAccess(**(values | changes))


def test_what_is_located_is_what_was_pushed(xcom):
    record = xcom.push(TRIPS)
    trips = xcom_reference.locate(TI, TASK)
    assert {
        name: getattr(trips, name) for name in ("uri", "codec", "type", "bytes", "summary")
    } == {name: record[name] for name in ("uri", "codec", "type", "bytes", "summary")}


def test_duckdb_reads_columns_and_rows_that_it_needs(xcom):
    xcom.push(TRIPS)
    trips = xcom_reference.locate(TI, TASK)
    with trips.duckdb() as db:
        sql = "SELECT zone, sum(fare) FROM xcom WHERE fare < 9 GROUP BY 1 ORDER BY 1"
        assert db.sql(sql).fetchall() == [(1, 11.0), (2, 7.5)]


def test_only_a_part_of_a_large_object_is_fetched(xcom):
    size = 400_000
    numbers = pd.Series(range(size))
    frame = pd.DataFrame({f"c{i}": (numbers * (i + 7919)) % 1_000_003 for i in range(10)})
    xcom.push(frame)
    located = xcom_reference.locate(TI, TASK)
    with located.duckdb() as db:
        db.execute("PRAGMA enable_profiling = 'json'")
        plan = db.execute("EXPLAIN (ANALYZE, FORMAT json) SELECT sum(c3) FROM xcom")
        profile = json.loads(plan.fetchall()[0][1])
        assert db.sql("SELECT sum(c3) FROM xcom").fetchone() == (int(frame.c3.sum()),)
    fetched = profile["total_bytes_read"]
    assert 0 < fetched < located.bytes / 4


def test_pandas_and_pyarrow_read_it_without_another_package(xcom):
    xcom.push(TRIPS)
    trips = xcom_reference.locate(TI, TASK)
    part = pd.read_parquet(
        trips.path, filesystem=trips.access.arrow_filesystem(),
        columns=["zone"], filters=[("fare", ">", 7)],
    )  # fmt: skip
    assert part.zone.tolist() == [2, 3]


def test_the_documentation_works_as_it_stands(xcom):
    page = Path(__file__).resolve().parents[1] / "docs" / "by_reference.md"
    if not page.exists():
        pytest.skip("docs/ is not shipped")
    text = page.read_text(encoding="utf-8").replace('"extract"', f"{TASK!r}")
    blocks = re.findall(r"<!-- tested: (\w+) -->\n```python\n(.*?)```", text, re.DOTALL)
    assert [name for name, _ in blocks] == ["locate", "duckdb", "pandas"]
    xcom.push(pd.DataFrame({"pickup_location_id": [7, 7, 9], "trip_distance": [1.0, 20.0, 30.0]}))
    names = {"ti": TI, "pd": pd}
    for _, code in blocks:
        exec(code, names)
    assert sorted(names["zones"].values.tolist()) == [[7, 1], [9, 1]]
    assert names["part"].pickup_location_id.tolist() == [7, 9]


def test_names_that_need_escaping_are_found(xcom):
    names = {
        "dag_id": "a/b'c",
        "run_id": "manual__2026-11-22T10:00:00+00:00 [x]*",
        "task_id": "t %",
    }
    xcom.push(TRIPS, key="it's {one}", **names)
    ti = SimpleNamespace(**names)
    trips = xcom_reference.locate(ti, "t %", key="it's {one}")
    with trips.duckdb() as db:
        assert db.sql("SELECT count(*) FROM xcom").fetchone() == (4,)


def test_an_instance_of_a_mapped_task_is_told_by_its_index(xcom):
    records = [xcom.push(TRIPS.head(index + 1), map_index=index) for index in range(3)]
    assert xcom_reference.locate(TI, TASK, map_index=1).uri == records[1]["uri"]
    with pytest.raises(ObjectMissing, match="no such XCom"):
        xcom_reference.locate(TI, TASK)


def test_json_is_read_too(xcom):
    xcom.push([{"zone": n, "fare": n / 2} for n in range(5_000)])
    listed = xcom_reference.locate(TI, TASK)
    assert listed.codec == "python-json"
    with listed.duckdb() as db:
        assert db.sql("SELECT max(zone) FROM xcom").fetchone() == (4_999,)


def test_columns_of_the_path_do_not_hide_those_of_the_frame(xcom):
    xcom.push(pd.DataFrame({"run_id": ["mine"], "map_index": [7]}))
    located = xcom_reference.locate(TI, TASK)
    with located.duckdb() as db:
        assert db.sql("FROM xcom").fetchall() == [("mine", 7)]
        assert db.sql(f"SELECT run_id FROM '{located.uri}'").fetchall() == [(RUN,)]  # why


def test_columns_that_differ_in_case_are_not_taken_for_each_other(xcom):
    xcom.push(pd.DataFrame([[1, 2]], columns=["a", "A"]))
    with xcom_reference.locate(TI, TASK).duckdb() as db:
        assert db.sql('SELECT "0_a", "1_A" FROM xcom').fetchall() == [(1, 2)]


def test_decimals_that_duckdb_reads_wrongly_are_told(xcom, caplog):
    wide = pd.ArrowDtype(pa.decimal256(40, 1))
    number = Decimal("1" * 39 + ".5")
    xcom.push(pd.DataFrame({"a": pd.Series([number], dtype=wide), "b": [1]}))
    with xcom_reference.locate(TI, TASK).duckdb() as db:
        assert db.sql("SELECT a::VARCHAR FROM xcom").fetchall() != [(str(number),)]  # why
    [warning] = [record for record in caplog.records if record.levelname == "WARNING"]
    assert "more than 38 digits wrongly, without an error: 'a' of s3://" in warning.getMessage()
    caplog.clear()
    xcom.push(pd.DataFrame({"a": [number], "b": [Decimal("1." + "1" * 37)]}))  # objects: text
    with xcom_reference.locate(TI, TASK).duckdb() as db:
        [(text, short)] = db.sql("FROM xcom").fetchall()
    assert (str(number) in text, str(short)) == (True, "1." + "1" * 37)
    assert "digits" not in caplog.text


def test_a_missing_float_is_nan_to_duckdb(xcom):
    xcom.push(pd.DataFrame({"x": [1.0, None]}))
    sql = "SELECT isnan(avg(x)), avg(x) FILTER (NOT isnan(x)) FROM xcom"
    with xcom_reference.locate(TI, TASK).duckdb() as db:
        assert db.sql(sql).fetchall() == [(True, 1.0)]


def test_what_duckdb_does_not_read_is_refused(xcom):
    xcom.push(pa.table({"a": [1]}))
    with pytest.raises(TypeError, match="does not read pyarrow-ipc"):
        xcom_reference.locate(TI, TASK).duckdb()


def test_a_value_in_the_database_is_to_be_pulled(xcom):
    for small in (42, (1, 2)):
        xcom.push(small)
        with pytest.raises(ObjectMissing, match="Pull it"):
            xcom_reference.locate(TI, TASK)


def test_a_value_of_several_objects_has_no_one_place(xcom):
    xcom.push({"train": TRIPS, "test": TRIPS})
    with pytest.raises(ObjectMissing, match="2 objects beside"):
        xcom_reference.locate(TI, TASK)


def test_what_was_never_pushed_says_so_and_of_whom(xcom):
    with pytest.raises(ObjectMissing, match=f"locating XCom 'k' of dag_id={DAG} .*task_id=nobody"):
        xcom_reference.locate(TI, "nobody", key="k")


def test_a_reference_to_the_object_of_another_task_is_refused(xcom):
    record = xcom.push(TRIPS)
    xcom.rows[DAG, RUN, "forger", -1, "return_value"] = json.dumps(record)
    with pytest.raises(AccessDenied, match="not an object of"):
        xcom_reference.locate(TI, "forger")


def test_a_record_that_is_not_of_this_backend_is_refused(xcom):
    record = xcom.push(TRIPS)
    xcom.rows[DAG, RUN, TASK, -1, "return_value"] = json.dumps(record | {"extra": 1})
    with pytest.raises(ObjectCorrupt):
        xcom_reference.locate(TI, TASK)


def test_nothing_is_downloaded(xcom):
    """Located as before when its object is gone: reading it is up to the engine."""
    record = xcom.push(TRIPS)
    obstore.delete(xcom.s3.client, record["uri"].removeprefix(f"{xcom.s3.url}/"))
    assert xcom_reference.locate(TI, TASK).uri == record["uri"]


def test_no_secret_is_shown(xcom, caplog):
    xcom.push(TRIPS)
    with caplog.at_level(logging.DEBUG):
        trips = xcom_reference.locate(TI, TASK)
        with trips.duckdb() as db:
            db.sql("FROM xcom").fetchall()
            secrets = str(db.sql("FROM duckdb_secrets()").fetchall())
    shown = repr(trips) + str(trips.access) + caplog.text + secrets
    assert xcom.s3.server.secret_access_key not in shown
    assert xcom.s3.server.access_key_id not in repr(trips)


def test_the_secret_is_sql_that_duckdb_takes():
    for one in (
        access(),
        access(token="tok'en"),
        access(endpoint="http://127.0.0.1:9000"),
        access(endpoint="https://s3.example.org/"),
    ):
        with one.duckdb() as db:
            [(found,)] = db.sql("SELECT secret_string FROM duckdb_secrets()").fetchall()
        assert f"endpoint={one.host};" in found
        assert f"use_ssl={int(one.use_ssl)}" in found.replace("true", "1").replace("false", "0")


@pytest.mark.parametrize(("endpoint", "style", "expected"), [
    (None, "auto", (True, "s3.eu-central-1.amazonaws.com")),
    (None, "path", (False, "s3.eu-central-1.amazonaws.com")),
    ("http://localhost:8333", "auto", (False, "localhost:8333")),
    ("https://s3.example.org/", "virtual", (True, "s3.example.org")),
])  # fmt: skip
def test_aws_is_reached_by_the_bucket_name_and_others_by_path(
    configure, connect, endpoint, style, expected
):
    """Unless the connection says otherwise."""
    extra = {"region_name": "eu-central-1", "config_kwargs": {"s3": {"addressing_style": style}}}
    connect(login="AKIA", password="s", extra=extra)
    configure(url="s3://b/xcom", endpoint_url=endpoint)
    found = xcom_reference.bucket_access()
    assert (found.virtual, found.host) == expected
    assert found.use_ssl == (endpoint != "http://localhost:8333")
    assert found.url_style == ("vhost" if found.virtual else "path")
    said = found.storage_options()["config_kwargs"]["s3"]["addressing_style"]
    assert said == ("virtual" if found.virtual else "path")
    found.arrow_filesystem()


def test_through_the_connections_proxy(xcom, s3, configure, connect):
    """That engines do not take from us: so they read by the backend's own requests."""
    with FaultProxy(s3.server.port) as proxy:
        proxy.inject(Fault("delay", times=None))
        config = {"proxies": {"http": proxy.url}}
        connect(**local_s3.connection(s3.server, config_kwargs=config))
        configure()
        xcom.push(TRIPS)
        trips = xcom_reference.locate(TI, TASK)
        for read in (
            lambda: trips.duckdb().sql("FROM xcom").df(),
            lambda: pd.read_parquet(trips.path, filesystem=trips.access.arrow_filesystem()),
        ):
            before = proxy.hits
            assert read()[["zone", "fare"]].equals(TRIPS[["zone", "fare"]])
            assert proxy.hits > before
        with pytest.raises(ConfigurationError, match="proxy"):
            xcom_reference.bucket_access()


def test_storage_options_are_those_of_s3fs():
    options = access(endpoint="http://localhost:8333", token="t").storage_options()
    assert options == {
        "key": "AKIA",
        "secret": "sec'ret",
        "token": "t",
        "endpoint_url": "http://localhost:8333",
        "client_kwargs": {"region_name": "eu-central-1"},
        "config_kwargs": {"s3": {"addressing_style": "path"}},
    }


def test_credentials_of_the_environment_are_passed_on(configure, monkeypatch):
    """Where the connection leaves them to the environment, engines cannot find them themselves."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "from-the-environment")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "a-token")
    configure(**ANOTHER_BUCKET, url="s3://there_is_none@b/xcom")
    assert base.connect(settings.load()).access.credentials is None
    found = xcom_reference.bucket_access()
    assert (found.key_id, found.secret, found.token) == (
        "AKIAENV", "from-the-environment", "a-token",
    )  # fmt: skip


def test_without_a_store_the_setting_is_named(configure):
    configure(url=None)
    with pytest.raises(ConfigurationError, match="AIRFLOW__XCOM_STORE__URL"):
        xcom_reference.bucket_access()
