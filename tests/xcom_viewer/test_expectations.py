"""Validation results as sentences: the shapes that Great Expectations has, and what only looks so."""

from __future__ import annotations

import pytest

pytest.importorskip("include.xcom_viewer", reason="the viewer was deleted")
from include.xcom_viewer.reader import expectations


@pytest.mark.parametrize(
    ("kind", "kwargs", "wanted"),
    [
        ("expect_column_values_to_be_between", {"column": "a", "min_value": 1.0, "max_value": 2000},
         "a: each value is between 1 and 2,000"),
        ("expect_column_values_to_be_between", {"column": "a", "min_value": 1, "strict_min": True},
         "a: each value is more than 1"),
        ("expect_column_values_to_be_between",
         {"column": "a", "min_value": 0, "max_value": 1.5, "strict_max": True},
         "a: each value is between 0 and 1.5 (1.5 excluded)"),
        ("expect_column_values_to_be_in_set", {"column": "a", "value_set": ["x", 1], "mostly": 0.95},
         'a: each value is one of ["x", 1], for at least 95% of the values'),
        ("expect_column_values_to_not_be_null", {"column": "a", "row_condition": "b > 1"},
         "a: no value is missing, where b > 1"),
        ("expect_table_row_count_to_be_between", {"max_value": 3, "batch_id": "x"},
         "the number of rows is at most 3"),
        ("expect_column_values_to_be_in_set", {"column": "a"},
         "a: column values to be in set"),
        ("expect_my_own_thing", {"column": "a", "level": 3, "none": None, "batch_id": "x"},
         "a: my own thing (level 3)"),
    ],
)  # fmt: skip
def test_sentences(kind, kwargs, wanted):
    assert expectations.sentence(kind, kwargs) == wanted


@pytest.fixture(scope="module")
def result():
    gx = pytest.importorskip("great_expectations")
    import pandas as pd

    frame = pd.DataFrame({"a": [1, 2, 3, None], "b": ["x", "y", "z", ""]})
    context = gx.get_context(mode="ephemeral")
    asset = context.data_sources.add_pandas("p").add_dataframe_asset("a")
    batch = asset.add_batch_definition_whole_dataframe("b").get_batch({"dataframe": frame})
    make = gx.expectations
    suite = gx.ExpectationSuite(name="demo", expectations=[
        make.ExpectColumnValuesToNotBeNull(column="b"),
        make.ExpectColumnValuesToBeBetween(column="a", min_value=0, max_value=2),
        make.ExpectColumnValuesToBeInSet(column="b", value_set=["x", "y"]),
        make.ExpectTableRowCountToBeBetween(min_value=1, max_value=3),
        make.ExpectColumnValuesToBeBetween(column="not there", min_value=0),
    ])  # fmt: skip
    return batch.validate(suite)


@pytest.mark.parametrize("shape", ["describe_dict", "to_json_dict", "checkpoint", "run results"])
def test_the_shapes(result, shape):
    described, whole = result.describe_dict(), result.to_json_dict()
    content = {
        "describe_dict": described,
        "to_json_dict": whole,
        "checkpoint": {"success": False, "statistics": {}, "validation_results": [described] * 2},
        "run results": {"success": False, "run_results": {"one": whole, "two": whole}},
    }[shape]
    verdict = expectations.read(content)
    times = 2 if shape in ("checkpoint", "run results") else 1
    assert (verdict.success, verdict.met, verdict.failed) == (False, times, 4 * times)
    lines = verdict.validations[0].lines
    assert [line.success for line in lines] == [False] * 4 + [True]
    by_sentence = {line.sentence: line for line in lines}
    between = by_sentence["a: each value is between 0 and 2"]
    assert (between.count, between.samples) == ("1 of 4", ["3"])
    assert round(between.percent) == 33
    assert by_sentence['b: each value is one of ["x", "y"]'].samples == ["z", "(empty)"]
    assert by_sentence["the number of rows is between 1 and 3"].observed == "4"
    assert by_sentence["not there: each value is at least 0"].error


@pytest.mark.parametrize("content", [
    {}, {"success": 1}, {"success": True}, {"success": True, "expectations": "x"},
    {"success": True, "expectations": [1]}, {"success": True, "validation_results": []},
    {"success": True, "validation_results": [1]}, {"success": True, "results": None}, [], 5, None,
], ids=str)  # fmt: skip
def test_what_is_none(content):
    assert expectations.read(content) is None


def test_a_single_expectation(result):
    [verdict] = [expectations.read(one.to_json_dict()) for one in result.results[:1]]
    assert len(verdict.validations[0].lines) == 1


@pytest.mark.parametrize(
    "kwargs", [None, [], "x", {"column": None}, {"mostly": "x", "min_value": {}}]
)
@pytest.mark.parametrize("found", [None, [], 5, {"observed_value": {"$xcom": ["float", "nan"]}},
                                   {"unexpected_percent": "x", "partial_unexpected_list": [None]}])  # fmt: skip
def test_odd_results_do_not_break_the_page(kwargs, found):
    part = {"success": False, "expectation_type": 5, "kwargs": kwargs, "result": found,
            "exception_info": {"a": {"b": "c"}}}  # fmt: skip
    assert expectations.read({"success": False, "expectations": [part]}).failed == 1
