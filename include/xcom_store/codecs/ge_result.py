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

from include.xcom_store import document
from include.xcom_store.codecs import json_text

if TYPE_CHECKING:
    from include.xcom_store.codecs.base import Encoded

NAME = "great_expectations"


def accepts(value: Any, _least: int) -> bool:
    if "great_expectations" not in sys.modules:
        return False
    from great_expectations.checkpoint.checkpoint import CheckpointResult
    from great_expectations.core import (
        ExpectationSuiteValidationResult,
        ExpectationValidationResult,
    )

    results = (CheckpointResult, ExpectationSuiteValidationResult, ExpectationValidationResult)
    return isinstance(value, results)


def to_dict(result: Any) -> dict[str, Any]:
    """Return a result's JSON as a dict."""
    if not hasattr(result, "run_results"):
        return dict(result.to_json_dict())
    summary = result.describe_dict()
    return {
        "name": result.name,
        "success": result.success,
        "run_id": result.run_id.to_json_dict(),
        "statistics": summary["statistics"],
        "run_results": {
            str(identifier): validation.to_json_dict()
            for identifier, validation in result.run_results.items()
        },
    }


def encode(value: Any, compression: str) -> Encoded:
    content = to_dict(value)
    # As a document: a NaN that was observed in the data must survive, too.
    text = document.dump(document.Writer().write(content))
    return json_text.encode_text(text, compression, describe(content))


def decode(data: bytes | bytearray, type_name: str) -> Any:
    return document.read(json_text.decode(data, type_name))


def describe(content: Any) -> str:
    """Return the verdict of a dict of the shape of a validation result, else an empty string."""
    if type(content) is not dict or type(content.get("success")) is not bool:
        return ""
    counts = [
        (part["successful_expectations"], part["evaluated_expectations"])
        for part in _statistics(content)
        if type(part.get("successful_expectations")) is int
        and type(part.get("evaluated_expectations")) is int
    ]
    if not counts:
        return ""
    met, total = (sum(column) for column in zip(*counts, strict=True))
    validations = f" in {len(counts)} validations" if len(counts) > 1 else ""
    return f"{met} of {total} expectations met{validations}"


def _statistics(content: dict[str, Any]) -> list[dict[str, Any]]:
    parts = content.get("validation_results", content.get("run_results", [content]))
    parts = list(parts.values()) if isinstance(parts, dict) else parts
    found = [part.get("statistics") for part in parts if isinstance(part, dict)]
    return [statistics for statistics in found if isinstance(statistics, dict)]
