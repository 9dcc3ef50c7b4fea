"""DAGs of `test_drop_in.py`: what people have reported of XCom backends. Each checks itself.

A number is that of an issue of apache/airflow. Two more of the thirteen are in `drop_in_dags.py`:
a branch whose skipped tasks are cleared (50491, 68954), and callbacks that pull a frame.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict, namedtuple
from datetime import datetime
from decimal import Decimal
from typing import Any

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import dag, get_current_context, task, task_group

ODD_KEYS = ["a/b", "a b", "100%", "Grüße 東京", "a=b", "a:b", "x" * 500]
TEXT = "abcdefghijklmnop" * (1 << 16)


def a_frame(rows: int) -> Any:
    import pandas as pd

    return pd.DataFrame({"number": range(rows), "text": ["ü"] * rows})


def check(found: Any, rows: int) -> None:
    import pandas as pd

    pd.testing.assert_frame_equal(found, a_frame(rows))


@task
def make(rows: int = 10) -> Any:
    return a_frame(rows)


@dag(schedule=None)
def report_filtered():
    """A mapped task that leaves out a value, and one mapped over the others (50636)."""

    @task
    def numbers() -> list[int]:
        return [1, 2, 3]

    @task
    def keep(number: int) -> Any:
        return None if number == 1 else {"number": number, "text": "x" * 2_000}

    @task
    def show(found: dict[str, Any]) -> int:
        return found["number"]

    @task
    def total(found: Any) -> None:
        assert sorted(found) == [2, 3], list(found)

    total(show.expand(found=keep.expand(number=numbers())))


@dag(schedule=None)
def report_megabyte():
    """A text of 1 MiB, pulled and passed on (53432)."""

    @task
    def text() -> str:
        return TEXT

    @task
    def read(found: str) -> None:
        assert found == TEXT
        assert get_current_context()["ti"].xcom_pull(task_ids="text") == TEXT

    read(text())


@dag(schedule=None)
def report_validation():
    """A validation that fails, with the unexpected rows: Decimals, dates, NaN and Infinity."""

    @task
    def validate() -> Any:
        import great_expectations as gx
        import pandas as pd

        frame = pd.DataFrame(
            {
                "price": [Decimal("1.50"), Decimal("99.00"), None],
                "day": pd.to_datetime(["2020-01-01", None, "2031-01-01"]),
                "distance": [1.0, float("nan"), float("inf")],
            }
        )
        asset = (
            gx.get_context(mode="ephemeral").data_sources.add_pandas("p").add_dataframe_asset("a")
        )
        batch = asset.add_batch_definition_whole_dataframe("b").get_batch({"dataframe": frame})
        expect, latest = gx.expectations, datetime(2025, 1, 1)
        expectations = [
            expect.ExpectColumnValuesToNotBeNull(column="price"),
            expect.ExpectColumnValuesToBeInSet(column="price", value_set=[Decimal("1.50")]),
            expect.ExpectColumnValuesToBeBetween(column="day", max_value=latest),
            expect.ExpectColumnMaxToBeBetween(column="day", max_value=latest),
            expect.ExpectColumnMeanToBeBetween(column="distance", min_value=0, max_value=1),
        ]
        suite = gx.ExpectationSuite(name="s", expectations=expectations)
        how = {"result_format": "COMPLETE", "include_unexpected_rows": True}
        return batch.validate(suite, result_format=how)

    @task
    def look() -> None:
        # Pulled here, as Airflow itself takes no NaN in the argument of a task.
        found = get_current_context()["ti"].xcom_pull(task_ids="validate")
        assert found["success"] is False
        assert [one["success"] for one in found["results"]] == [False] * 5
        assert found["results"][1]["result"]["unexpected_count"] == 1

    validate() >> look()


@dag(schedule=None)
def report_named_tuples():
    """Rows as the hooks of databases give them: of a class that is made for the query."""

    @task
    def rows() -> list[Any]:
        row = namedtuple("Row", ["trip", "_1"], rename=True)  # noqa: PYI024 - as hooks do
        return [row(number, Decimal("0.10") * number) for number in range(1_000)]

    @task
    def read(found: list[Any]) -> None:
        assert found == [(number, Decimal("0.10") * number) for number in range(1_000)]
        assert str(found[10][1]) == "1.00"

    read(rows())


@dag(schedule=None, render_template_as_native_obj=True)
def report_templates():
    """Templates that give native objects, a frame among them."""

    @task
    def settings() -> dict[str, Any]:
        return {"table": "trips", "columns": [f"c{number}" for number in range(100)]}

    def look(columns: Any, first: Any, frame: Any) -> None:
        assert columns == [f"c{number}" for number in range(100)], columns
        assert first == "c0"
        check(frame, 10)

    columns = "ti.xcom_pull(task_ids='settings')['columns']"
    count = BashOperator(task_id="count", bash_command=f"test {{{{ {columns} | length }}}} = 100")
    arguments = {
        "columns": f"{{{{ {columns} }}}}",
        "first": f"{{{{ {columns}[0] }}}}",
        "frame": "{{ ti.xcom_pull(task_ids='make') }}",
    }
    native = PythonOperator(task_id="native", python_callable=look, op_kwargs=arguments)
    [settings(), make()] >> count >> native


@dag(schedule=None)
def report_collections():
    """What `collections` has, with frames in it; Airflow makes plain dicts of them."""

    @task
    def collect() -> dict[str, Any]:
        by_day = defaultdict(list)
        by_day["mon"].append(a_frame(3))
        ordered = OrderedDict([("b", 1), ("a", 2)])
        return {"by_day": by_day, "count": Counter("abca"), "ordered": ordered}

    @task
    def read(found: dict[str, Any]) -> None:
        check(found["by_day"]["mon"][0], 3)
        assert found["by_day"]["tue"] == []
        assert found["count"].most_common(1) == [("a", 2)]
        found["ordered"].move_to_end("b")
        assert [*found["ordered"]] == ["a", "b"]

    read(collect())


@dag(schedule=None)
def report_odd_keys():
    """Keys that paths and URLs have to take care of; Airflow refuses others (`.`, `#`, a newline)."""

    @task
    def push(ti: Any = None) -> None:
        for number, key in enumerate(ODD_KEYS):
            ti.xcom_push(key, {"number": number, "frame": a_frame(number)})

    @task
    def pull(ti: Any = None) -> None:
        for number, key in enumerate(ODD_KEYS):
            found = ti.xcom_pull(task_ids="push", key=key)
            assert found["number"] == number
            check(found["frame"], number)

    push() >> pull()


@dag(schedule=None)
def report_async():
    """Tasks that are coroutines, and pull and push as such."""

    @task
    async def produce(ti: Any = None) -> Any:
        from airflow.sdk.execution_time.xcom import XCom

        where = {"dag_id": ti.dag_id, "run_id": ti.run_id, "task_id": ti.task_id, "map_index": -1}
        await XCom.aset("side", a_frame(2), **where)
        return a_frame(3)

    @task
    async def consume(found: Any, ti: Any = None) -> int:
        from airflow.sdk.execution_time.xcom import XCom

        check(found, 3)
        where = {"dag_id": ti.dag_id, "run_id": ti.run_id, "task_id": "produce"}
        check(await XCom.aget_one(key="side", **where), 2)
        [again] = await XCom.aget_all(key="return_value", **where)
        check(again, 3)
        return len(found)

    consume(produce())


@dag(schedule=None)
def report_groups():
    """Groups mapped over dicts with a frame in each, over four and over one (59008)."""

    @task
    def frames(count: int) -> list[dict[str, Any]]:
        return [{"name": f"n{rows}", "frame": a_frame(rows)} for rows in range(count)]

    @task_group
    def each(name: str, frame: Any) -> Any:
        @task
        def size(name: str, frame: Any) -> dict[str, Any]:
            return {"name": name, "rows": len(frame)}

        return size(name, frame)

    @task
    def read(four: Any, one: Any) -> None:
        assert [*four] == [{"name": f"n{rows}", "rows": rows} for rows in range(4)], [*four]
        assert one == {"name": "n0", "rows": 0}, one  # no list: so with Airflow's own backend

    read(*(each.override(group_id=f"of_{n}").expand_kwargs(frames(n)) for n in (4, 1)))


@dag(schedule=None)
def report_several():
    """Frames pulled from several tasks and map indexes at once (41983, 48511)."""

    @task
    def pull(ti: Any = None) -> None:
        for rows, found in zip([1, 2], ti.xcom_pull(task_ids=["one", "two"]), strict=True):
            check(found, rows)
        mapped = [*ti.xcom_pull(task_ids="mapped", map_indexes=[0, 1, 2])]
        for rows, found in zip([3, 4, 5], mapped, strict=True):
            check(found, rows)
        check(ti.xcom_pull(task_ids="mapped", map_indexes=1), 4)
        assert ti.xcom_pull(task_ids="one", key="nothing") is None

    one, two = (make.override(task_id=name)(rows) for rows, name in ((1, "one"), (2, "two")))
    [one, two, make.override(task_id="mapped").expand(rows=[3, 4, 5])] >> pull()


@dag(schedule=None)
def report_outputs():
    """A dict whose entries are XComs of their own, frames among them."""

    @task(multiple_outputs=True)
    def split() -> dict[str, Any]:
        return {"good": a_frame(4), "bad": None, "count": 4}

    @task
    def read(good: Any, bad: Any, count: int, ti: Any = None) -> None:
        check(good, count)
        assert bad is None
        check(ti.xcom_pull(task_ids="split")["good"], 4)

    found = split()
    read(found["good"], found["bad"], found["count"])


DAGS = [
    report_filtered, report_megabyte, report_validation, report_named_tuples, report_templates,
    report_collections, report_odd_keys, report_async, report_groups, report_several,
    report_outputs,
]  # fmt: skip
for each_dag in DAGS:
    each_dag()
