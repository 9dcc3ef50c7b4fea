"""The calls Airflow makes: what lies in the database and in the bucket after each."""

from __future__ import annotations

import asyncio
import json

import pytest

pytest.importorskip("pandas")
pytest.importorskip("obstore")
import pandas as pd

from include.xcom_store.errors import (
    AccessDenied,
    ConfigurationError,
    ObjectMissing,
    ValueNotStorable,
)
from tests.xcom_store.conftest import DAG, RUN, TASK

ROWS = [{"vendor_id": 1, "fare": 9.5}] * 50
WHERE = {"dag_id": DAG, "run_id": RUN, "task_id": TASK}
READ_BY_AIRFLOW = {
    "skipmixin_key": {"followed": [f"a_task_with_a_long_name_{n:02d}" for n in range(50)]},
    "past_depends_met": True,
    "_link_TriggerDagRunLink": "http://localhost:8080/dags/trips/runs/" + "x" * 2_000,
}


def trips():
    return pd.DataFrame({"vendor_id": [1, 2], "fare": [9.5, 7.0]})


def lies_at(xcom, record):
    import obstore

    key = record["uri"].removeprefix(f"{xcom.s3.url}/")
    return bytes(obstore.get(xcom.s3.client, key).bytes())


class TestWhatThePushLeaves:
    def test_small_json_stays_in_the_database_as_it_is(self, xcom):
        assert xcom.push({"a": [1, "ü", None]}) == {"a": [1, "ü", None]}
        assert xcom.s3.keys() == []

    def test_at_the_threshold_in_the_database_above_it_in_s3(self, xcom):
        assert xcom.push("x" * 1_022, key="at") == "x" * 1_022
        assert xcom.push("x" * 1_023, key="above")["__id__"] == "xcom_store/1"
        assert len(xcom.s3.keys()) == 1

    def test_a_reference_and_no_payload(self, xcom):
        record = xcom.push(ROWS)
        assert record["uri"].startswith(f"{xcom.s3.url}/dag_id=trips/")
        assert record["uri"].endswith(xcom.s3.keys()[0])
        assert (record["codec"], record["type"]) == ("python-json", "list")
        assert "vendor_id" not in json.dumps(record)

    @pytest.mark.parametrize(("result", "verdict"), [
        ({"success": True, "statistics": {"evaluated_expectations": 2, "successful_expectations": 2}},
         "2 of 2 expectations met"),
        ({"success": False, "expectation_type": "expect_x", "kwargs": {}, "result": {}},
         "0 of 1 expectations met"),
        ({"success": False, "validation_results": [
            {"success": True, "statistics": {"evaluated_expectations": 2, "successful_expectations": 2}},
            {"success": False, "statistics": {"evaluated_expectations": 3, "successful_expectations": 1}},
        ]}, "3 of 5 expectations met in 2 validations"),
    ], ids=["suite", "expectation", "checkpoint"])  # fmt: skip
    def test_a_validation_is_an_object_however_small(self, xcom, result, verdict):
        record = xcom.push(result)
        assert (record["codec"], record["summary"]) == ("python-json", verdict)
        assert xcom.pull() == result

    @pytest.mark.parametrize("near", [
        {"success": 1, "statistics": {}}, {"success": True, "run_results": 5}, {"success": True},
        {"success": True, "statistics": {"evaluated_expectations": "2", "successful_expectations": 1}},
        {"success": True, "validation_results": []},
    ], ids=str)  # fmt: skip
    def test_what_only_looks_like_one_stays_in_the_database(self, xcom, near):
        assert xcom.push(near) == near

    def test_0_sends_all_but_none_to_s3(self, xcom, configure):
        configure(threshold=0)
        for number, value in enumerate([1, "a", [], {}, True, 0.5]):
            assert xcom.push(value, key=f"k{number}")["__id__"] == "xcom_store/1"
            assert xcom.pull(f"k{number}") == value
        assert len(xcom.s3.keys()) == 6

    @pytest.mark.parametrize("threshold", [-1, "many", "1.5"])
    def test_a_threshold_that_cannot_be_meant_is_refused(self, xcom, configure, threshold):
        configure(threshold=threshold)
        with pytest.raises(ConfigurationError, match="AIRFLOW__XCOM_STORE__THRESHOLD"):
            xcom.push(1)

    def test_the_runs_result_stays_readable_for_rest(self, xcom):
        xcom.backend.set("return_value", ROWS, dag_result=True, **WHERE)
        assert json.loads(xcom.rows[DAG, RUN, TASK, -1, "return_value"]) == ROWS
        assert xcom.push(ROWS, key="next")["__id__"] == "xcom_store/1"

    def test_a_large_run_result_goes_to_s3(self, xcom):
        xcom.backend.set("return_value", "x" * 70_000, dag_result=True, **WHERE)
        assert len(xcom.s3.keys()) == 1

    def test_one_object_a_value_and_one_a_leaf(self, xcom):
        xcom.push(trips(), key="frame")
        assert len(xcom.s3.keys()) == 1
        record = xcom.push({"train": trips(), "rest": [trips()], "n": 1}, key="parts")
        assert record["leaves"] == 2
        assert len(xcom.s3.keys()) == 4

    def test_many_small_values_are_one_object(self, xcom):
        from decimal import Decimal

        xcom.push([Decimal(i) for i in range(10_000)])
        assert len(xcom.s3.keys()) == 1

    def test_pushing_again_writes_another_object(self, xcom):
        assert xcom.push(ROWS)["uri"] != xcom.push(ROWS)["uri"]
        assert len(xcom.s3.keys()) == 2

    def test_a_refused_value_leaves_nothing(self, xcom):
        with pytest.raises(ValueNotStorable):
            xcom.push({"frame": trips(), "bad": object()})
        assert xcom.rows == {}
        assert xcom.s3.keys() == []


class TestOtherToolsReadIt:
    def test_pandas_and_pyarrow(self, xcom):
        import io

        import pyarrow.parquet as pq

        data = lies_at(xcom, xcom.push(trips()))
        pd.testing.assert_frame_equal(
            pd.read_parquet(io.BytesIO(data))[["vendor_id", "fare"]], trips()
        )
        assert pq.read_table(io.BytesIO(data)).column("fare").to_pylist() == [9.5, 7.0]

    def test_json(self, xcom):
        assert json.loads(lies_at(xcom, xcom.push(ROWS))) == ROWS

    def test_compressed_json(self, xcom):
        import pyarrow as pa

        record = xcom.push(ROWS * 100)
        assert record["uri"].endswith(".json.zst")
        with pa.CompressedInputStream(pa.BufferReader(lies_at(xcom, record)), "zstd") as stream:
            assert json.loads(stream.read()) == ROWS * 100

    def test_numpy(self, xcom):
        import io

        import numpy as np

        data = lies_at(xcom, xcom.push(np.arange(3)))
        assert np.load(io.BytesIO(data), allow_pickle=False).tolist() == [0, 1, 2]


class TestWrittenPastTheBackend:
    @pytest.mark.parametrize("value", [
        1, "a", None, [1], {"a": 1}, "s3://airflow-xcoms/xcom/a.json", {"__id__": "mine"},
        {"$xcom": ["tuple", [1]]}, {"uri": "s3://airflow-xcoms/xcom/a.json"},
    ])  # fmt: skip
    def test_it_comes_back_as_airflow_gives_it(self, xcom, supervisor, value):
        supervisor.put(value, key="return_value", **WHERE)
        assert xcom.pull() == value

    def test_what_airflows_serializer_wrote(self, xcom, supervisor):
        from datetime import UTC, datetime

        from airflow.sdk.serde import serialize

        moment = datetime(2026, 11, 22, tzinfo=UTC)
        supervisor.put(serialize(moment), key="return_value", **WHERE)
        assert xcom.pull() == moment


class TestPull:
    def test_what_was_never_pushed_is_none(self, xcom):
        assert xcom.pull("nothing") is None

    def test_without_a_map_index(self, xcom):
        xcom.push(trips())
        assert len(xcom.backend.get_one(key="return_value", **WHERE)) == 2

    def test_a_prior_run_only_when_asked_for(self, xcom):
        xcom.push(ROWS, run_id="manual__1")
        assert xcom.pull() is None
        assert xcom.pull(include_prior_dates=True) == ROWS

    def test_an_object_that_is_gone_is_named(self, xcom):
        import obstore

        record = xcom.push(ROWS)
        obstore.delete(xcom.s3.client, xcom.s3.keys()[0])
        with pytest.raises(ObjectMissing) as error:
            xcom.pull()
        for part in (record["uri"], f"dag_id={DAG}", f"task_id={TASK}", "return_value"):
            assert part in str(error.value)


class TestKeptInTheDatabase:
    """What clients without this backend read."""

    def test_json_over_the_threshold(self, xcom, configure):
        configure(keep_in_database="other/* trips/load/return_*")
        assert xcom.push(ROWS) == ROWS
        assert xcom.push(ROWS, key="more")["__id__"] == "xcom_store/1"

    def test_a_validation(self, xcom, configure):
        configure(keep_in_database="*")
        result = {"success": True, "expectation_type": "expect_x", "kwargs": {}}
        assert xcom.push(result) == result

    @pytest.mark.parametrize(
        ("value", "threshold", "bound"),
        [(["x" * 70_000], 1_024, "66 kB"), ((1, 2), 1_024, "66 kB"), (["x" * 100_000], 99_000, "99 kB")],
        ids=["too large", "not JSON", "larger than a high threshold"],
    )  # fmt: skip
    def test_anything_else_warns(self, xcom, configure, caplog, value, threshold, bound):  # noqa: PLR0917
        configure(keep_in_database="trips/*", threshold=threshold)
        assert xcom.push(value)["__id__"] == "xcom_store/1"
        assert "meant for clients without this backend" in caplog.text
        assert f"or over {bound}." in caplog.text
        assert xcom.pull() == value


class TestReadByAirflowItself:
    """What scheduler and API server read from the database, with Airflow's own code."""

    @pytest.fixture(params=READ_BY_AIRFLOW)
    def key(self, request):
        return request.param

    @staticmethod
    def as_airflow_reads_it(xcom, key):
        from airflow.models.xcom import XComModel

        row = type("Row", (), {"value": json.loads(xcom.rows[DAG, RUN, TASK, -1, key])})
        return XComModel.deserialize_value(row)

    @pytest.mark.parametrize("threshold", [0, 100, 1_024])
    def test_it_reads_what_was_pushed(self, xcom, configure, key, threshold):
        configure(threshold=threshold)
        xcom.push(READ_BY_AIRFLOW[key], key=key)
        assert self.as_airflow_reads_it(xcom, key) == READ_BY_AIRFLOW[key]
        assert xcom.pull(key) == READ_BY_AIRFLOW[key]
        assert xcom.s3.keys() == []

    def test_also_by_the_asynchronous_call(self, xcom, configure, key):
        configure(threshold=0)
        asyncio.run(xcom.backend.aset(key, READ_BY_AIRFLOW[key], **WHERE))
        assert self.as_airflow_reads_it(xcom, key) == READ_BY_AIRFLOW[key]

    @pytest.mark.parametrize("options", [
        {"url": None}, {"offload": False}, {"threshold": "many"},
    ], ids=str)  # fmt: skip
    def test_whatever_is_set(self, xcom, configure, options):
        configure(**options)
        xcom.push(READ_BY_AIRFLOW["skipmixin_key"], key="skipmixin_key")
        found = self.as_airflow_reads_it(xcom, "skipmixin_key")
        assert found == READ_BY_AIRFLOW["skipmixin_key"]

    @pytest.mark.parametrize("value", [{"skipped": ("a", "b")}, {"skipped": {"a"}}, None], ids=str)
    def test_what_is_not_json_has_the_form_that_airflow_gives_it(self, xcom, value):
        from airflow.sdk.bases.xcom import BaseXCom

        assert xcom.push(value, key="skipmixin_key") == BaseXCom.serialize_value(value)
        assert xcom.pull("skipmixin_key") == value

    def test_a_record_cannot_be_smuggled_in(self, xcom):
        record = xcom.push(ROWS, task_id="other")
        with pytest.raises(AttributeError, match="__id__"):
            xcom.push(record, key="skipmixin_key")

    def test_other_keys_are_as_ever(self, xcom, configure):
        configure(threshold=0)
        for key in ("skipmixin", "my_skipmixin_key", "link", "Skipmixin_Key"):
            assert xcom.push("a", key=key)["__id__"] == "xcom_store/1"


class TestNoBucket:
    @pytest.fixture(autouse=True)
    def no_bucket(self, xcom, configure):
        configure(url=None)

    def test_small_values_work(self, xcom):
        xcom.push((1, "a"))
        assert xcom.pull() == (1, "a")

    @pytest.mark.parametrize("value", [ROWS, trips()], ids=["list", "frame"])
    def test_a_large_one_says_what_to_set(self, xcom, value):
        with pytest.raises(ConfigurationError, match="Set AIRFLOW__XCOM_STORE__URL to"):
            xcom.push(value)


class TestSwitchedOff:
    def test_what_was_written_stays_readable(self, xcom, configure):
        xcom.push(ROWS, key="rows")
        xcom.push((1, 2), key="inline")
        configure(offload=False)
        assert xcom.pull("rows") == ROWS
        assert xcom.pull("inline") == (1, 2)

    def test_new_values_are_airflows_own_and_in_the_database(self, xcom, configure):
        from airflow.sdk.bases.xcom import BaseXCom

        configure(offload=False)
        xcom.push(ROWS)
        xcom.push((1, 2), key="tuple")
        stored = json.loads(xcom.rows[DAG, RUN, TASK, -1, "tuple"])
        assert BaseXCom.deserialize_value(type("Row", (), {"value": stored})) == (1, 2)
        assert xcom.pull() == ROWS
        assert xcom.s3.keys() == []

    @pytest.mark.parametrize("value", [trips(), b"x", 1 + 2j], ids=["frame", "bytes", "complex"])
    def test_what_airflow_cannot_hold_is_refused(self, xcom, configure, value):
        configure(offload=False)
        with pytest.raises(ValueNotStorable, match="offload is False"):
            xcom.push(value)

    def test_a_retry_still_deletes_what_was_written(self, xcom, configure):
        xcom.push(ROWS)
        configure(offload=False)
        xcom.delete()
        assert xcom.s3.keys() == []


def test_a_value_of_another_task_is_not_followed(xcom, supervisor):
    supervisor.put(xcom.push(ROWS, task_id="other"), key="return_value", **WHERE)
    with pytest.raises(AccessDenied, match="not an object of"):
        xcom.pull()


class TestTheLog:
    """One line for what a person asked for, with what it was and where it lies."""

    def lines(self, caplog):
        return [r.getMessage() for r in caplog.records if r.levelname == "INFO"]

    @pytest.mark.parametrize("which", [{"map_index": -1}, {"map_index": None}], ids=str)
    def test_of_one_value(self, xcom, caplog, which):
        caplog.set_level("INFO")
        uri = xcom.push(ROWS)["uri"]
        xcom.backend.get_one(key="return_value", **WHERE, **which)
        pushed, pulled = self.lines(caplog)
        assert pushed.startswith("XCom push: list, 50 items, 1.4 kB, ")
        assert pulled.startswith("XCom pull: list, 50 items, 1.4 kB, ")
        assert pulled.endswith(uri)

    def test_of_all_values_of_a_task_that_has_one(self, xcom, caplog):
        xcom.push(ROWS)
        caplog.set_level("INFO")
        caplog.clear()
        assert xcom.backend.get_all(key="return_value", **WHERE) == [ROWS]
        (line,) = self.lines(caplog)
        assert line.startswith("XCom pull: list, 50 items")

    def test_of_many_values(self, xcom, caplog):
        for index in range(3):
            xcom.push(ROWS, map_index=index)
        caplog.set_level("INFO")
        caplog.clear()
        assert xcom.backend.get_all(key="return_value", **WHERE) == [ROWS] * 3
        (line,) = self.lines(caplog)
        assert line.startswith("XCom pull: 3 values of dag_id=")

    def test_a_label_cannot_forge_a_line(self, xcom, caplog):
        caplog.set_level("INFO")
        xcom.push(pd.DataFrame({"a\nXCom push: forged\x1b[2J": [1]}))
        (line,) = self.lines(caplog)
        assert line.isprintable()
