"""Object columns: cells that are arbitrary Python values.

Where all cells (but None) are str, bytes, bool, int, date, or Decimals of one exponent, the column
is written as that Arrow type, and any engine reads it. Else each cell is a JSON document.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from include.s3_xcom import document
from include.s3_xcom.errors import ValueNotStorable


def to_arrow(cells: Any, name: str) -> tuple[Any, bool]:
    """Return a numpy array of objects as an Arrow array, and whether it holds documents.

    Raises:
        ValueNotStorable: names the column, the row and the cell's type.
    """
    import pyarrow as pa

    kind = _one_type(cells)
    if kind is not None:
        try:
            return pa.array(cells, type=kind, from_pandas=False), False
        except (pa.ArrowException, UnicodeError, OverflowError):
            pass  # an int beyond 64 bits, a lone surrogate: as documents, then
    texts = [_document(cell, f"column {name}, row {row}") for row, cell in enumerate(cells)]
    return pa.array(texts, type=pa.large_string()), True


def from_arrow(chunks: Any, *, documents: bool) -> Any:
    """Return the numpy array that `to_arrow` was given."""
    import numpy as np

    cells = chunks.to_pylist()
    if documents:
        cells = [document.read(document.load(cell.encode())) for cell in cells]
    return np.fromiter(cells, dtype=object, count=len(cells))


def _one_type(cells: Any) -> Any | None:
    import pyarrow as pa

    kinds = set(map(type, cells)) - {type(None)}
    if kinds == {Decimal}:
        return _decimal_type([cell.as_tuple() for cell in cells if cell is not None])
    arrow = {
        str: pa.large_string(),
        bytes: pa.large_binary(),
        bool: pa.bool_(),
        int: pa.int64(),
        dt.date: pa.date32(),
    }
    return arrow.get(kinds.pop()) if len(kinds) == 1 else None


def _decimal_type(numbers: list[Any]) -> Any | None:
    """Return a decimal type that keeps every digit and exponent, if there is one."""
    import pyarrow as pa

    exponent = numbers[0].exponent
    if not isinstance(exponent, int) or exponent > 0:  # infinite, NaN, or 1E+3
        return None
    if any(number.exponent != exponent for number in numbers):
        return None
    if any(number.sign and not any(number.digits) for number in numbers):  # a negative zero
        return None
    digits = max(-exponent, 1, *(len(number.digits) for number in numbers))
    return pa.decimal256(digits, -exponent) if digits <= 76 else None


def _document(cell: Any, where: str) -> str:
    try:
        return document.dump(document.Writer().write(cell)).decode()
    except ValueNotStorable as error:
        raise ValueNotStorable(f"{where}: {error}") from error
