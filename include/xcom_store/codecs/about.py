"""What a record says about a value: its type, a short line for people, and what wrote it."""

from __future__ import annotations

import sys
from typing import Any

from include.xcom_store.codecs import ge_result

_UNITS: dict[type, str] = {str: "characters", bytes: "bytes", bytearray: "bytes", dict: "keys"}
_UNITS |= dict.fromkeys((list, tuple, set, frozenset), "items")


def summary(value: Any) -> str:
    """Return the verdict of a validation, the length of a container, or nothing."""
    unit = _UNITS.get(type(value))
    return ge_result.describe(value) or (f"{len(value):,} {unit}" if unit else "")


def versions() -> dict[str, str]:
    """Return the versions of the libraries in use that shape the bytes."""
    loaded = {name: sys.modules.get(name) for name in ("pandas", "polars", "pyarrow", "numpy")}
    return {name: str(module.__version__) for name, module in loaded.items() if module}
