"""Row conditions of Great Expectations as text, without Great Expectations.

    {"type": "comparison", "column": {"name": "fare"}, "operator": ">", "parameter": 0}
    {"type": "nullity", "column": {"name": "tip"}, "is_null": false}
    {"type": "and", "conditions": [{…}, {…}]}                                       and "or"
    {"type": "pass_through", "pass_through_filter": "fare > 0"}      pandas' or Spark's own

The shapes are those of `great_expectations.expectations.row_conditions`. A condition with anything
else in it is left to others: half of a condition would be a wrong one.
"""

from __future__ import annotations

import re
from typing import Any

from include.xcom_viewer.reader.trees import brief, cut

MAX_CHARACTERS = 1_000
MAX_DEPTH = 10
"""Of groups; Great Expectations makes two."""
_OPERATORS = ("==", "!=", "<", "<=", ">", ">=")
_LIST_OPERATORS = {"IN": "in", "NOT_IN": "not in"}
_NAME = re.compile(r"\w[\w.]*")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d([T ][\d:.]+(Z|[+-]\d\d:\d\d)?)?")


def text(condition: Any) -> str | None:
    """Return a condition such as `fare > 0 and tip is not missing`; None for another shape."""
    found = _text(condition, 0)
    return None if found is None else cut(found, MAX_CHARACTERS)


def _text(condition: Any, depth: int) -> str | None:
    match condition:
        case {"type": "and" | "or" as word, "conditions": [_, *_] as parts, **more}:
            if more or depth == MAX_DEPTH:
                return None
            texts = [_part(part, word, depth + 1) for part in parts]
            known = [one for one in texts if one is not None]
            return f" {word} ".join(known) if len(known) == len(texts) else None
        case {"type": "comparison", "column": column, "operator": sign, "parameter": value, **more}:
            name, compared = _name(column), _compared(sign, value)
            return None if more or not name or not compared else f"{name} {compared}"
        case {"type": "nullity", "column": column, "is_null": bool(is_null), **more}:
            name = _name(column)
            return None if more or not name else f"{name} is {'' if is_null else 'not '}missing"
        case {"type": "pass_through", "pass_through_filter": str(words), **more} if words:
            return None if more else words
    return None


def _part(condition: Any, word: str, depth: int) -> str | None:
    """Return a condition of a group, in brackets where they are needed."""
    found = _text(condition, depth)
    is_plain = found is None or condition["type"] in ("comparison", "nullity", word)
    return found if is_plain else f"({found})"


def _name(column: Any) -> str | None:
    match column:
        case {"name": str(name), **more} if not more:
            return name if _NAME.fullmatch(name) else brief(name)
    return None


def _compared(sign: Any, value: Any) -> str | None:
    if not isinstance(sign, str):
        return None
    if sign in _LIST_OPERATORS and isinstance(value, list) and all(map(_is_single, value)):
        return f"{_LIST_OPERATORS[sign]} {brief(value)}"
    if sign not in _OPERATORS or not _is_single(value):
        return None
    is_moment = isinstance(value, str) and _MOMENT.fullmatch(value)
    return f"{sign} {value if is_moment else brief(value)}"


def _is_single(value: Any) -> bool:
    return isinstance(value, (str, int, float))
