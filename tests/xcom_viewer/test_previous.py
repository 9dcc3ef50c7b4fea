"""A value beside that of the previous run: which run that is, and what is marked."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest

pytest.importorskip("obstore")
pytest.importorskip("include.xcom_viewer", reason="the viewer was deleted")
import numpy as np
import obstore
import pandas as pd

from include.xcom_viewer import preview, previous
from include.xcom_viewer.pipe import BUDGET_BYTES
from include.xcom_viewer.shown import tables
from tests.xcom_viewer.browser_dags import validation
from tests.xcom_viewer.conftest import OTHER_DAG
from tests.xcom_viewer.memory import READERS, ViewerInMemory
from tests.xcom_viewer.test_pages import state, text

EARLIER, LATER = "2026-11-21 10:00:00.000000", "2026-11-23 10:00:00.000000"


def compared(before, now, leaf=None):
    """What is compared of two values, as a page has it."""
    memory = ViewerInMemory()
    rows = [memory.push(value) for value in (before, now)]
    body = previous.compare(READERS, lambda: memory, rows[1], rows[0], leaf)
    return body.content.changes


def column(changes, label):
    return next(found for found in changes.columns if found.label == label)


def marked(changes):
    """By label, what of the columns is marked."""
    return {
        one.label: one.state
        or [
            name
            for name in ("dtype", "missing", "least", "greatest")
            if getattr(one, name).is_changed
        ]
        for one in changes.columns
        if one.is_changed
    }


# ------------------------------------------------------------------------------ which run it is


def test_it_is_the_latest_before_with_the_same_task_map_index_and_key(viewer):
    def frame(rows):
        return pd.DataFrame({"a": range(rows)})

    viewer.push(frame(10))
    for rows, where in enumerate([
        {"run_id": "later", "run_after": LATER},
        {"run_id": "other DAG", "run_after": EARLIER, "dag_id": OTHER_DAG},
        {"run_id": "other task", "run_after": EARLIER, "task_id": "other"},
        {"run_id": "other index", "run_after": EARLIER, "map_index": 0},
        {"run_id": "other key", "run_after": EARLIER, "key": "other"},
    ], 20):  # fmt: skip
        viewer.push(frame(rows), **where)
    answer = viewer.get("previous", "trips_only")
    assert state(answer) == "no-previous"
    assert "No earlier run of this DAG" in text(answer)
    viewer.push(frame(3), run_id="long ago", run_after="2026-01-01 00:00:00.000000")
    viewer.push(frame(4), run_id="before", run_after=EARLIER)
    answer = viewer.get("previous", "trips_only")
    assert "Rows 10 was 4 (+6, +150%)" in text(answer)
    assert "the latest earlier run that has this value: before , written" in text(answer)
    assert "Rows 20 was 10" in text(viewer.get("previous", "trips_only", run_id="later"))


def test_of_runs_of_the_same_moment_it_is_the_one_made_before(viewer):
    for number, run in enumerate(["one", "two", "three"], 1):
        viewer.push(pd.DataFrame({"a": range(number)}), run_id=run)
    assert "Rows 3 was 2" in text(viewer.get("previous", run_id="three"))
    assert state(viewer.get("previous", run_id="one")) == "no-previous"


def test_the_card_asks_for_it(viewer):
    viewer.push(pd.DataFrame({"a": [1]}))
    viewer.push(validation(True), key="judged")
    viewer.push([1] * 2_000, key="list")
    viewer.push({"part": pd.DataFrame({"a": [1]})}, key="parts")

    def keys(page, **query):
        return re.findall(r'href="previous\?[^"]*key=(\w+)', viewer.get(page, **query).text)

    def all_keys():
        return keys("task"), keys("value", key="judged"), keys("value", key="parts", leaf=0)

    viewer.push(5, run_id="later", run_after=LATER)
    viewer.push(5, run_id="before", run_after=EARLIER, dag_id=OTHER_DAG)
    assert all_keys() == ([], [], [])  # of the first run of its DAG
    viewer.push(5, run_id="before", run_after=EARLIER)
    assert all_keys() == (["return_value", "judged"], ["judged"], ["parts"])


def test_a_reference_of_the_run_before_is_bound_to_its_own_task_instance(viewer):
    """Who may edit an earlier row reads nobody else's object by it."""
    secret = viewer.push(pd.DataFrame({"secret": [1]}), dag_id=OTHER_DAG)
    own = viewer.push(pd.DataFrame({"a": [1]}), run_id="before", run_after=EARLIER)
    viewer.push(pd.DataFrame({"a": [1]}))
    assert state(viewer.get("previous")) is None
    viewer.table(own | {"uri": secret["uri"]}, run_id="before")
    answer = viewer.get("previous")
    assert state(answer) == "no-previous"
    assert "secret" not in answer.text


def test_what_became_of_the_value_before(viewer):
    before = viewer.push(pd.DataFrame({"a": [1]}), run_id="before", run_after=EARLIER)
    viewer.push(pd.DataFrame({"a": [1]}))
    obstore.put(viewer.s3.client, viewer.key(before), b"x" * before["bytes"])
    assert "The value of before cannot be read" in text(viewer.get("previous"))
    obstore.delete(viewer.s3.client, viewer.key(before))
    assert "The value of before cannot be read" in text(viewer.get("previous"))
    assert (
        "data-nothing" not in viewer.get("previous", view="card").text
    )  # this run's can still be downloaded
    viewer.push([1] * 2_000, run_id="before")
    assert "The value of before cannot be read: it is neither" in text(viewer.get("previous"))
    viewer.push(validation(True), run_id="before")
    assert "In before it is of another kind" in text(viewer.get("previous"))


def test_what_is_no_table_has_no_comparison(viewer):
    for value in ([1] * 2_000, 5, b"x" * 2_000):
        viewer.push(value, run_id="before", run_after=EARLIER)
        viewer.push(value)
        assert state(viewer.get("previous")) == "no-preview"


def test_a_part_is_compared_with_the_part_of_the_same_keys(viewer):
    frame = pd.DataFrame({"a": [1]})
    viewer.push({"x": frame, "y": frame}, run_id="before", run_after=EARLIER)
    viewer.push({"new": frame, "y": pd.DataFrame({"a": [1, 2]})})
    assert "Rows 2 was 1" in text(viewer.get("previous", leaf=1))
    answer = viewer.get("previous", leaf=0)
    assert state(answer) == "no-previous"
    assert "this value has no part new" in text(answer)


def test_markup_is_text(viewer):
    hostile = "<script>alert(1)</script>"
    viewer.push(pd.DataFrame({hostile: [1]}), run_id="before", run_after=EARLIER)
    viewer.push(pd.DataFrame({f"{hostile}2": [2]}))
    answer = viewer.get("previous")
    assert hostile in text(viewer.get("previous"))
    assert hostile not in answer.text


# ---------------------------------------------------------------------------- frames


def test_changes_of_a_frame_are_marked():
    rows = 2_000
    before = pd.DataFrame(
        {
            "same": range(rows), "id": range(rows), "fare": np.linspace(1, 2, rows),
            "zone": ["a"] * rows, "kind": np.arange(rows, dtype="int64"), "old": 1,
        }
    )  # fmt: skip
    now = before.drop(columns="old").assign(
        id=before["id"] + 5,
        fare=before["fare"].where(before.index % 4 > 0),
        zone=before["zone"].where(before.index % 2 > 0),
        kind=before["kind"].astype("float64") + 7,
        fresh=1,
    )
    changes = compared(before, now)
    assert marked(changes) == {
        "id": ["least", "greatest"], "fare": ["missing", "least"], "zone": ["missing"],
        "kind": ["dtype"], "fresh": "new", "old": "gone",
    }  # fmt: skip
    assert column(changes, "zone").missing == ("0%", "50%", True)
    assert column(changes, "id").greatest == ("1999", "2004", True)
    assert column(changes, "kind").dtype == ("int64", "float64", True)
    assert (changes.rows, changes.grown) == (("2,000", "2,000", False), "")
    assert not changes.is_reordered
    assert compared(before, before[["id", "same", "fare", "zone", "kind", "old"]]).is_reordered


@pytest.mark.parametrize(("before", "now", "least"), [
    (pd.Series(pd.to_datetime(["2026-03-29 00:30"]).tz_localize("UTC").tz_convert("Europe/Berlin")),
     pd.Series(pd.to_datetime(["2026-03-29 01:30"]).tz_localize("UTC").tz_convert("Europe/Berlin")),
     ("2026-03-29 01:30:00+0100", "2026-03-29 03:30:00+0200", True)),
    (pd.Series(pd.to_datetime(["2026-10-25 00:30"]).tz_localize("UTC").tz_convert("Europe/Berlin")),
     pd.Series(pd.to_datetime(["2026-10-25 01:30"]).tz_localize("UTC").tz_convert("Europe/Berlin")),
     ("2026-10-25 02:30:00+0200", "2026-10-25 02:30:00+0100", True)),
    # Of another zone, the same moment: the type is marked, and not its text.
    (pd.Series(pd.to_datetime(["2026-10-25 00:30"]).tz_localize("UTC").tz_convert("Europe/Berlin")),
     pd.Series(pd.to_datetime(["2026-10-25 00:30"]).tz_localize("UTC")),
     ("2026-10-25 02:30:00+0200", "2026-10-25 00:30:00Z", False)),
    (pd.Series([Decimal("-0.10"), Decimal("12345678901234567890.12")]),
     pd.Series([Decimal("-0.11"), Decimal("12345678901234567890.12")]), ("-0.10", "-0.11", True)),
    (pd.Series([2**63 - 1]), pd.Series([2**63 - 2]), (str(2**63 - 1), str(2**63 - 2), True)),
    (pd.Series([0.0]), pd.Series([-0.0]), ("0.0", "0.0", False)),
    (pd.Series([np.nan, 1.5]), pd.Series([np.nan]), ("1.5", None, False)),
    # Statistics of text may be cut short, so text has no least.
    (pd.Series(["x" * 5_000]), pd.Series(["y" * 5_000]), (None, None, False)),
    (pd.Series(pd.Categorical(["b", "a"])), pd.Series(pd.Categorical(["c"])), (None, None, False)),
])  # fmt: skip
def test_least_of_zones_decimals_and_long_numbers(before, now, least):
    [found] = compared(before.to_frame("a"), now.to_frame("a")).columns
    assert found.least == least


def test_missing_of_every_kind_is_that_of_pandas():
    """Also of floats, texts and categories, which Parquet's own statistics do not tell."""
    rows = np.arange(3_000)
    frame = pd.DataFrame({
        "float": np.where(rows % 3, 1.0, np.nan), "float16": np.where(rows % 3, 1.0, np.nan).astype("f2"),
        "text": pd.Series("x", rows).where(rows % 3 > 0), "moment": pd.Timestamp("2026"),
        "object": pd.Series([None, 1, "x"] * 1_000, dtype=object), "masked": pd.array([1, None, 3] * 1_000, "Int8"),
        "choice": pd.Categorical(["a", None, "b"] * 1_000), "codes": pd.cut(rows % 3, [0, 1, 2]),
        "period": pd.PeriodIndex(["2026", None, "2027"] * 1_000, freq="Y"), "nested": [[1], [], [2]] * 1_000,
    })  # fmt: skip
    frame.loc[frame.index % 2 == 0, "moment"] = pd.NaT
    levels = pd.MultiIndex.from_arrays([rows, ["a", None, "b"] * 1_000], names=["i", "j"])
    memory = ViewerInMemory()
    stored = memory.locate(memory.push(frame.set_index(levels)))
    profile = preview.of_object(READERS, memory, stored, previous.PROFILE).content
    found = {one.label: one.figures.nulls for one in profile.columns}
    expected = {label: frame[label].isna().sum() for label in frame}
    assert found == expected | {"i": 0, "j": 1_000}
    assert all(one.figures.nulls_of == 3_000 for one in profile.columns)


def test_a_share_that_reads_the_same_is_marked_where_the_count_differs():
    before = pd.DataFrame({"a": np.arange(100_000.0)})
    now = before.copy()
    before.loc[:0, "a"], now.loc[:20, "a"] = np.nan, np.nan
    [column] = compared(before, now).columns
    assert (column.missing.before, column.missing.now, column.missing.is_changed) == (
        "<0.1%", "<0.1%", True,
    )  # fmt: skip


def test_columns_of_the_same_name_are_told_apart():
    before = pd.DataFrame([[1, 2, 3]], columns=["a", "a", "b"])
    now = pd.DataFrame([[1, 5, 3]], columns=["a", "a", "b"])
    changes = compared(before, now)
    assert [one.is_changed for one in changes.columns] == [False, True, False]
    assert [one.state for one in compared(before, now.iloc[:, 1:]).columns] == ["", "", "gone"]


def test_a_very_wide_frame_is_compared_up_to_a_limit():
    wide = tables.MAX_PROFILED + 200
    before = pd.DataFrame(np.zeros((3, wide)), columns=[f"c{n}" for n in range(wide)])
    changes = compared(before, before[before.columns[::-1]])
    assert changes.not_compared == 200
    assert not [one for one in changes.columns if one.state]  # they may be among the others
    assert len(changes.columns) == tables.MAX_PROFILED - 200


def test_only_the_ends_of_large_files_are_read():
    memory = ViewerInMemory()
    frame = pd.DataFrame({f"c{n}": np.random.default_rng(n).random(400_000) for n in range(4)})
    rows = [memory.push(frame), memory.push(frame + 1)]
    memory.asked.clear()
    body = previous.compare(READERS, lambda: memory, rows[1], rows[0], None)
    assert len(marked(body.content.changes)) == 4
    assert body.bytes_read == sum(memory.asked) < 200_000 < BUDGET_BYTES
    assert not body.checked


def test_tables_of_arrow_have_rows_and_types():
    pa, pl = pytest.importorskip("pyarrow"), pytest.importorskip("polars")
    before, now = pa.table({"a": [1], "b": ["x"]}), pa.table({"a": [1.5, 2.5], "b": ["x", "y"]})
    changes = compared(before, now)
    assert (changes.rows, marked(changes)) == (("1", "2", True), {"a": ["dtype"]})
    assert column(changes, "b").missing == (None, None, False)
    changes = compared(pl.DataFrame({"a": [1]}), pd.DataFrame({"a": [1]}))
    assert column(changes, "a").missing == (None, "0%", False)


# ---------------------------------------------------------------------------- validations


def test_of_a_validation_the_changed_verdicts_are_shown(viewer):
    viewer.push(validation(True), run_id="before", run_after=EARLIER)
    viewer.push(validation(False))
    shown = text(viewer.get("previous"))
    assert "Verdict failed was met" in shown
    assert "Expectations met 2 of 3 was 3 of 3 Verdicts unchanged 2" in shown
    assert "fails now passenger_count: each value is between 1 and 6" in shown
    assert "met 0% unexpected failed 15.8% unexpected" in shown
    assert "vendor_id" not in shown


def result(*expectations):
    """By column and limit, met or not."""
    return {"success": all(met for *_, met in expectations), "expectations": [
        {"expectation_type": "expect_column_values_to_be_between", "success": met,
         "kwargs": {"column": column, "max_value": limit, "batch_id": str(met)}, "result": {}}
        for column, limit, met in expectations
    ]}  # fmt: skip


def test_expectations_are_told_by_their_arguments():
    before = result(
        ("a", 1, True), ("b", 1, False), ("c", 1, True), ("d", 1, True), ("d", 1, False)
    )
    now = result(("a", 1, False), ("b", 1, True), ("c", 2, True), ("d", 1, True), ("d", 1, False))
    changes = compared(before, now)
    found = [(line.state, (line.now or line.before).sentence) for line in changes.lines]
    assert found == [
        ("fails now", "a: each value is at most 1"), ("new", "c: each value is at most 2"),
        ("gone", "c: each value is at most 1"), ("met now", "b: each value is at most 1"),
    ]  # fmt: skip
    assert changes.same == 2


def test_expectations_that_read_the_same_are_told_by_their_place():
    before = result(("a", 1, False), ("a", 1, True))
    now = result(("a", 1, True), ("a", 1, False))
    assert [line.state for line in compared(before, now).lines] == ["fails now", "met now"]


def test_the_same_suite_on_two_batches_is_told_by_its_place():
    def both(*met):
        parts = [result(("a", 1, one)) | {"suite_name": "s"} for one in met]
        return {"success": all(met), "validation_results": parts}

    [line] = compared(both(True, True), both(True, False)).lines
    assert (line.state, line.validation) == ("fails now", "s")


def test_a_long_validation_is_compared_up_to_a_limit():
    many = [(f"c{n}", 1, True) for n in range(3_300)]
    changes = compared(result(*many), result(*many[50:], ("x", 1, True)))
    assert (changes.not_compared, changes.lines) == (300, [])
