"""Validation results as sentences: the shapes that Great Expectations has, and what only looks so."""

from __future__ import annotations

import datetime as dt

import pytest

pytest.importorskip("include.xcom_viewer", reason="the viewer was deleted")
from include.xcom_viewer.reader import conditions, expectations


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


def is_compared(name, operator, parameter):
    column = {"name": name}
    return {"type": "comparison", "column": column, "operator": operator, "parameter": parameter}


def is_null(name, value):
    return {"type": "nullity", "column": {"name": name}, "is_null": value}


def group(word, *parts):
    return {"type": word, "conditions": [*parts]}


WEEK = [is_compared("day", ">=", "2019-01-01"), is_compared("day", "<", "2019-01-08T00:00:00")]


@pytest.mark.parametrize(
    ("condition", "wanted"),
    [
        (group("and", *WEEK), "day >= 2019-01-01 and day < 2019-01-08T00:00:00"),
        (group("or", group("and", WEEK[0], is_null("tip", True)), is_null("fare", False)),
         "(day >= 2019-01-01 and tip is missing) or fare is not missing"),
        (group("and", group("and", *WEEK), group("or", is_compared("a", "==", 2_000.0), WEEK[0])),
         "day >= 2019-01-01 and day < 2019-01-08T00:00:00 and (a == 2000.0 or day >= 2019-01-01)"),
        (is_compared("a", "IN", ["x", 1]), 'a in ["x", 1]'),
        (is_compared("a", "NOT_IN", [*range(20)]), "a not in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, …]"),
        (is_compared("a", "!=", "1 or b"), 'a != "1 or b"'),
        (is_compared("a or b", "!=", "5"), '"a or b" != "5"'),
        (group("and", {"type": "pass_through", "pass_through_filter": "a > 1"}, WEEK[0]),
         "(a > 1) and day >= 2019-01-01"),
        ({"type": "pass_through", "pass_through_filter": 'b == "x"'}, 'b == "x"'),
        ('col("a") > 1', 'col("a") > 1'),
    ],
    ids=str,
)  # fmt: skip
def test_row_conditions(condition, wanted):
    kwargs = {"column": "c", "row_condition": condition}
    found = expectations.sentence("expect_column_values_to_be_null", kwargs)
    assert found == f"c: every value is missing, where {wanted}"


def nested(depth):
    return group("and", nested(depth - 1)) if depth else WEEK[0]


@pytest.mark.parametrize("condition", [
    WEEK[0] | {"negated": True}, WEEK[0] | {"operator": "LIKE"}, WEEK[0] | {"operator": ["IN"]},
    WEEK[0] | {"parameter": {"a": 1}}, WEEK[0] | {"parameter": [1]}, WEEK[0] | {"parameter": None},
    WEEK[0] | {"operator": "IN"}, is_compared("a", "IN", [[1]]), is_compared("a", "IN", 5),
    WEEK[0] | {"column": "day"}, WEEK[0] | {"column": {"name": 5}},
    WEEK[0] | {"column": {"name": "a", "table": "t"}}, is_null("a", 1),
    is_null("a", True) | {"but": 1}, group("and"), group("and", WEEK[0], {"type": "new"}),
    group("or", WEEK[0], 5), group("not", WEEK[0]), group("and", *WEEK) | {"but": 1},
    {"type": "and", "conditions": {"0": WEEK[0]}}, {"type": "pass_through"},
    {"type": ["and"], "conditions": WEEK}, nested(11), nested(200), {"type": "and"}, [5], 5,
], ids=lambda condition: str(condition)[:80])  # fmt: skip
def test_a_row_condition_of_another_shape_is_shown_as_it_is(condition):
    assert conditions.text(condition) is None
    kwargs = {"column": "c", "row_condition": condition}
    found = expectations.sentence("expect_column_values_to_be_null", kwargs)
    assert found == f"c: every value is missing, where {expectations.brief(condition)}"


def test_a_long_row_condition_is_cut():
    many = group("or", *[is_compared("x" * 9_000, "==", "y" * 9_000)] * 3_000)
    found = conditions.text(many)
    assert len(found) == conditions.MAX_CHARACTERS
    assert found.endswith("…")
    assert conditions.text(nested(10)) == "day >= 2019-01-01"


@pytest.mark.filterwarnings("ignore:.*row conditions:DeprecationWarning")  # as strings
def test_row_conditions_are_those_of_great_expectations():
    make = pytest.importorskip("great_expectations.expectations.row_conditions")
    from great_expectations.expectations import core

    a, b = make.Column("a"), make.Column("b")
    dated = a > dt.date(2019, 1, 1)

    def stored(condition, **more):
        made = core.ExpectColumnValuesToBeNull(column="c", row_condition=condition, **more)
        return made.configuration.to_json_dict()["kwargs"]["row_condition"]

    found = [
        stored(dated & (a <= 2.5) & b.is_not_null()),
        stored((dated & b.is_null()) | b.is_in(["x"])),
        stored('col("a") > 1', condition_parser="great_expectations"),
        stored("a > 1 and b > 2", condition_parser="pandas"),
    ]
    assert [conditions.text(one) for one in found] == [
        "a > 2019-01-01 and a <= 2.5 and b is not missing",
        '(a > 2019-01-01 and b is missing) or b in ["x"]',
        "a > 1",
        "a > 1 and b > 2",
    ]


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
    assert (between.count, between.samples) == ("1 of 4", ["3.0"])
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
