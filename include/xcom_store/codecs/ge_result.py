"""Great Expectations results as the JSON that Great Expectations makes of them.

The one conversion of this backend: they come back as the dict of that JSON, so that the task that
reads them needs no Great Expectations.

| result | dict |
|--------|------|
| `CheckpointResult` | name, success, run_id, statistics, run_results by identifier |
| `ExpectationSuiteValidationResult`, `ExpectationValidationResult` | `to_json_dict()` |
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from include.xcom_store import documents
from include.xcom_store.codecs import json_text

if TYPE_CHECKING:
    from include.xcom_store.codecs.base import Data, Encoded

NAME = "great_expectations-json"


def accepts(value: Any) -> bool:
    if "great_expectations" not in sys.modules:
        return False
    from great_expectations import core
    from great_expectations.checkpoint.checkpoint import CheckpointResult

    results = (core.ExpectationSuiteValidationResult, core.ExpectationValidationResult)
    return isinstance(value, (CheckpointResult, *results))


def to_dict(result: Any) -> dict[str, Any]:
    """Return a result's JSON as a dict."""
    if not hasattr(result, "run_results"):
        return dict(result.to_json_dict())
    runs = result.run_results.items()
    return {
        "name": result.name,
        "success": result.success,
        "run_id": result.run_id.to_json_dict(),
        "statistics": result.describe_dict()["statistics"],
        "run_results": {str(identifier): run.to_json_dict() for identifier, run in runs},
    }


def encode(value: Any, compression: str) -> Encoded:
    content = to_dict(value)
    # As a document: a NaN that was observed in the data must survive, too.
    text = documents.dump(documents.Writer().write(content))
    return json_text.encode(text, compression, describe(content))


def decode(data: Data, type_name: str) -> Any:
    return documents.read(json_text.decode(data, type_name))


def describe(content: Any) -> str:
    """Return the verdict of a dict in the shape of a result, else an empty string.

    The shapes are those of `to_dict` and of `describe_dict()`, which the provider's operators push.
    """
    if type(content) is not dict or type(content.get("success")) is not bool:
        return ""
    if type(content.get("expectation_type")) is str and "kwargs" in content:
        return f"{content['success']:d} of 1 expectations met"
    parts = content.get("validation_results", content.get("run_results", [content]))
    parts = [*parts.values()] if type(parts) is dict else parts
    counts = []
    for part in parts if type(parts) is list else []:
        match part:
            case {
                "statistics": {
                    "successful_expectations": int(met), "evaluated_expectations": int(total)
                }
            } if 0 <= met <= total < 2**63:  # fmt: skip
                counts.append((met, total))
    if not counts:
        return ""
    met, total = map(sum, zip(*counts, strict=True))
    validations = f" in {len(counts)} validations" if len(counts) > 1 else ""
    return f"{met} of {total} expectations met{validations}"
