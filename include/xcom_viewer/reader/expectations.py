"""Results of Great Expectations as sentences, without Great Expectations.

Three shapes are known: what the provider's operators push (`describe_dict()` of a validation or of
a checkpoint), and what this backend makes of result objects (`codecs/ge_result.py`).
"""

from __future__ import annotations

from typing import Any

from include.xcom_viewer.reader import conditions
from include.xcom_viewer.reader.trees import brief
from include.xcom_viewer.shown.verdicts import Line, Validation, Verdict

MAX_LINES = 300
"""Of a validation on a page."""
MAX_COMPARED = 3_000
"""Of a validation that is compared with another."""
MAX_SAMPLES = 12


def read(content: Any, most: int = MAX_LINES, *, failed_first: bool = True) -> Verdict | None:
    """Return the verdict of a dict in the shape of a result; None if it is something else.

    Args:
        content: the dict.
        most: expectations of each validation that are described.
        failed_first: and the others after them, not in the order of the validation.
    """
    if not isinstance(content, dict) or type(content.get("success")) is not bool:
        return None
    parts = content.get("validation_results", content.get("run_results"))
    if parts is None:
        parts = [content]
    if isinstance(parts, list):
        parts = dict(enumerate(parts))
    named = parts.items() if isinstance(parts, dict) else []
    validations = [_validation(name, part, most, failed_first=failed_first) for name, part in named]
    found = [validation for validation in validations if validation is not None]
    if not found or len(found) != len(validations):
        return None
    met = sum(validation.met for validation in found)
    total = sum(len(validation.lines) + validation.hidden for validation in found)
    return Verdict(content["success"], found, met, total - met)


def _validation(name: str | int, part: Any, most: int, *, failed_first: bool) -> Validation | None:
    if not isinstance(part, dict) or type(part.get("success")) is not bool:
        return None
    results = part.get("expectations", part.get("results"))
    if results is None and ("expectation_config" in part or "expectation_type" in part):
        results = [part]
    if not isinstance(results, list) or not all(isinstance(result, dict) for result in results):
        return None
    lines = [_line(result) for result in results]
    if failed_first:
        lines.sort(key=lambda line: line.success)
    title = part.get("suite_name") or ("" if isinstance(name, int) else name)
    return Validation(
        name=str(title),
        success=part["success"],
        lines=lines[:most],
        met=sum(line.success for line in lines),
        hidden=max(0, len(lines) - most),
    )


def _line(result: dict[str, Any]) -> Line:
    config = _dict(result.get("expectation_config")) or result
    kind = str(config.get("type") or config.get("expectation_type") or "expectation")
    kwargs = _dict(config.get("kwargs"))
    found = _dict(result.get("result"))
    line = Line(result.get("success") is True, sentence(kind, kwargs), kind)
    line.severity = str(config.get("severity") or "")
    if "observed_value" in found:
        line.observed = _words(found["observed_value"])
    percent = found.get("unexpected_percent")
    if isinstance(percent, (int, float)) and 0 <= percent <= 100:
        line.percent = float(percent)
    if isinstance(found.get("unexpected_count"), int) and isinstance(
        found.get("element_count"), int
    ):
        line.count = f"{found['unexpected_count']:,} of {found['element_count']:,}"
    line.samples = _samples(found)
    line.error = _error(result.get("exception_info"))
    if not (line.success or found or line.error):
        line.error = "It could not be computed: is the column there, and of a fitting type?"
    return line


def _dict(value: Any) -> dict[str, Any]:
    """Return a dict, of what may be anything that a task has pushed."""
    return value if isinstance(value, dict) else {}


def _samples(found: dict[str, Any]) -> list[str]:
    listed = found.get("partial_unexpected_list")
    if not isinstance(listed, list):
        return []
    # Great Expectations counts within this list, of 20 by default, and not within the data.
    return list(dict.fromkeys(_words(one) for one in listed))[:MAX_SAMPLES]


def _words(value: Any) -> str:
    """Return a value as part of a sentence."""
    return f"{value:,}" if type(value) is int else brief(value, bare=True) or "(empty)"


def _argument(value: Any) -> str:
    """Return an argument of an expectation: Great Expectations makes 1.0 of a bound of 1."""
    is_whole = type(value) is float and value.is_integer() and abs(value) < 1e15
    return _words(int(value) if is_whole else value)


def _error(info: Any) -> str:
    if not isinstance(info, dict):
        return ""
    if "exception_message" in info:
        return str(info["exception_message"] or "") if info.get("raised_exception") else ""
    messages = [_error(inner) for inner in info.values()]  # one by metric
    return next(filter(None, messages), "")


def sentence(kind: str, kwargs: dict[str, Any]) -> str:
    """Return an expectation as a sentence.

    Args:
        kind: for example `expect_column_values_to_be_between`.
        kwargs: its arguments.
    """
    words = {name: _argument(value) for name, value in kwargs.items()}
    words["between"] = _between(kwargs)
    known = _SENTENCES.get(kind)
    try:
        text = known.format_map(words) if known else _generic(kind, kwargs)
    except KeyError:
        text = _generic(kind, kwargs)
    mostly = kwargs.get("mostly")
    if isinstance(mostly, (int, float)) and 0 <= mostly < 1:
        text += f", for at least {100 * mostly:g}% of the values"
    condition = kwargs.get("row_condition")
    where = conditions.text(condition) or words.get("row_condition", "")
    return f"{text}, where {where}" if condition else text


def _generic(kind: str, kwargs: dict[str, Any]) -> str:
    about = str(kwargs.get("column", ""))
    text = kind.removeprefix("expect_").replace("_", " ")
    skipped = {"column", "batch_id", "mostly", "row_condition", "condition_parser"}
    rest = ", ".join(
        f"{name} {brief(value)}"
        for name, value in kwargs.items()
        if name not in skipped and value is not None
    )
    return f"{about + ': ' if about else ''}{text}{f' ({rest})' if rest else ''}"


def _between(kwargs: dict[str, Any]) -> str:
    low, high = kwargs.get("min_value"), kwargs.get("max_value")
    if low is None and high is None:
        return "anything"
    least, most = _argument(low), _argument(high)
    strict_low, strict_high = kwargs.get("strict_min"), kwargs.get("strict_max")
    if high is None:
        return f"{'more than' if strict_low else 'at least'} {least}"
    if low is None:
        return f"{'less than' if strict_high else 'at most'} {most}"
    ends = [end for end, strict in ((least, strict_low), (most, strict_high)) if strict]
    return f"between {least} and {most}" + (f" ({' and '.join(ends)} excluded)" if ends else "")


_SENTENCES = {
    "expect_column_distinct_values_to_be_in_set": "{column}: distinct values are among {value_set}",
    "expect_column_distinct_values_to_contain_set": "{column}: values include all of {value_set}",
    "expect_column_distinct_values_to_equal_set": "{column}: distinct values are {value_set}",
    "expect_column_max_to_be_between": "{column}: the greatest value is {between}",
    "expect_column_mean_to_be_between": "{column}: the mean is {between}",
    "expect_column_median_to_be_between": "{column}: the median is {between}",
    "expect_column_min_to_be_between": "{column}: the least value is {between}",
    "expect_column_pair_values_a_to_be_greater_than_b": "{column_A} is greater than {column_B}",
    "expect_column_pair_values_to_be_equal": "{column_A} is equal to {column_B}",
    "expect_column_proportion_of_unique_values_to_be_between": (
        "{column}: the share of unique values is {between}"
    ),
    "expect_column_stdev_to_be_between": "{column}: the standard deviation is {between}",
    "expect_column_sum_to_be_between": "{column}: the sum is {between}",
    "expect_column_to_exist": "{column}: the column exists",
    "expect_column_unique_value_count_to_be_between": (
        "{column}: the number of unique values is {between}"
    ),
    "expect_column_value_lengths_to_be_between": "{column}: the length of the text is {between}",
    "expect_column_value_lengths_to_equal": "{column}: the length of the text is {value}",
    "expect_column_values_to_be_between": "{column}: each value is {between}",
    "expect_column_values_to_be_in_set": "{column}: each value is one of {value_set}",
    "expect_column_values_to_be_in_type_list": "{column}: each value is of a type of {type_list}",
    "expect_column_values_to_be_null": "{column}: every value is missing",
    "expect_column_values_to_be_of_type": "{column}: each value is of type {type_}",
    "expect_column_values_to_be_unique": "{column}: every value is unique",
    "expect_column_values_to_match_regex": "{column}: each value matches {regex}",
    "expect_column_values_to_not_be_in_set": "{column}: no value is one of {value_set}",
    "expect_column_values_to_not_be_null": "{column}: no value is missing",
    "expect_column_values_to_not_match_regex": "{column}: no value matches {regex}",
    "expect_compound_columns_to_be_unique": "{column_list}: every combination is unique",
    "expect_table_column_count_to_be_between": "the number of columns is {between}",
    "expect_table_column_count_to_equal": "the number of columns is {value}",
    "expect_table_columns_to_match_ordered_list": "the columns are {column_list}, in this order",
    "expect_table_columns_to_match_set": "the columns are {column_set}",
    "expect_table_row_count_to_be_between": "the number of rows is {between}",
    "expect_table_row_count_to_equal": "the number of rows is {value}",
}
