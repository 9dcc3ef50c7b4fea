"""The SQL of docs/by_reference.md, as it stands there, on XComs that the backend has pushed."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from tests.xcom_store.conftest import configure, s3, service, supervisor, xcom

__all__ = ["configure", "s3", "service", "supervisor", "xcom"]

PAGE = Path(__file__).resolve().parents[1] / "docs" / "by_reference.md"
pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="docs/ is not shipped")
OTHER = {"dag_id": "another dag", "run_id": "manual__2026-11-24T10:00:00+00:00"}
RUNS = ["manual__2026-11-22T10:00:00+00:00", "scheduled__2026-11-23T00:00:00+00:00"]


@pytest.fixture
def query(xcom):
    """Run a block of the page by its name, on this test's bucket, which has values of others, too."""
    _, _, text = PAGE.read_text(encoding="utf-8").partition("## SQL over the bucket")
    blocks = dict(re.findall(r"<!-- tested: (\w+) -->\n```sql\n(.*?)```", text, re.DOTALL))
    assert blocks.keys() == {"connect", "space", "mapped", "expectations"}
    assert text.count("```sql") == len(blocks), "a block that is not tested"
    server = xcom.s3.server
    local = {
        "'local-access-key'": f"'{server.access_key_id}'",
        "'local-secret-key'": f"'{server.secret_access_key}'",
        "localhost:8333": server.endpoint_url.removeprefix("http://"),
        "s3://airflow-xcoms/xcom/": f"{xcom.s3.url}/",
    }
    for named, here in local.items():
        assert named in text
        blocks = {name: sql.replace(named, here) for name, sql in blocks.items()}
    with duckdb.connect() as session:
        folder = files("duckdb_extension_httpfs") / "extensions" / f"v{duckdb.__version__}"
        session.load_extension(str(folder / "httpfs.duckdb_extension"))
        session.execute(blocks["connect"])
        push_of_another_dag(xcom)
        yield lambda name: session.sql(blocks[name]).fetchall()


def push_of_another_dag(xcom):
    """Under the same names of tasks and keys, with other schemas."""
    frame = pd.DataFrame({"x": [1.5], "pickup_location_id": ["none"]})
    for task_id in ("trips_of_zone", "validate_february"):
        xcom.push(frame, **OTHER, task_id=task_id)
        xcom.push({"expectations": "x" * 2_000}, **OTHER, task_id=task_id, map_index=1)


def push_zones(xcom) -> int:
    pushed = 0
    for run_id in RUNS:
        where = {"dag_id": "example_dynamic_mapping_dag", "run_id": run_id}
        for index, zone in enumerate([237, 162]):
            trips = pd.DataFrame({"pickup_location_id": [zone] * (index + 3)})
            more = {**where, "task_id": "trips_of_zone", "map_index": index}
            pushed += xcom.push(trips, **more)["bytes"]
            xcom.push(trips.head(1), key="preview", **more)
        xcom.push(pd.DataFrame({"other": ["columns"]}), **where, task_id="another task")
    return pushed


def test_results_of_a_mapped_task(xcom, query):
    push_zones(xcom)
    assert query("mapped") == [
        (run_id, index, zone, index + 3) for run_id in RUNS for index, zone in enumerate([237, 162])
    ]


def test_what_takes_the_space(xcom, query):
    push_zones(xcom)
    found = {(dag, task): objects for dag, task, objects, _ in query("space")}
    assert found == {
        ("example_dynamic_mapping_dag", "trips_of_zone"): 8,
        ("example_dynamic_mapping_dag", "another task"): 2,
        ("another dag", "trips_of_zone"): 2,
        ("another dag", "validate_february"): 2,
    }
    stored = sum(meta["size"] for meta in listing(xcom))
    assert sum(size for *_, size in query("space")) == stored


def listing(xcom):
    import obstore

    return obstore.list(xcom.s3.client).collect()


def test_which_expectations_failed(xcom, query):
    """With results of the form that the provider's operators push."""
    for run_id, good in zip(RUNS, [False, True], strict=True):
        result = {
            "success": good,
            "statistics": {"evaluated_expectations": 2, "successful_expectations": 1 + good},
            "expectations": [
                {
                    "expectation_type": "expect_column_values_to_be_between",
                    "success": good,
                    "kwargs": {"column": "passenger_count", "min_value": 1, "max_value": 6},
                    "result": {"element_count": 10_000, "unexpected_count": 0 if good else 1_580},
                },
                {
                    "expectation_type": "expect_table_row_count_to_be_between",
                    "success": True,
                    "kwargs": {"min_value": 9_000, "max_value": 11_000},
                    "result": {"observed_value": 10_000},
                },
            ],
        }
        where = {"dag_id": "example_validation_failure_dag", "task_id": "validate_february"}
        xcom.push(result, run_id=run_id, **where)
    assert query("expectations") == [
        (RUNS[0], "validate_february", "expect_column_values_to_be_between", "passenger_count")
    ]
