"""Arrow columns as text for people.

By Arrow itself, never by pandas: `to_numpy`, `to_pandas` and nanoseconds as Python objects would
import it, which costs the API server seconds and hundreds of megabytes.
"""

from __future__ import annotations

import re
from typing import Any

from include.xcom_store import documents
from include.xcom_store.codecs.frames.describe import Meaning
from include.xcom_store.errors import ObjectCorrupt
from include.xcom_store.sizes import size_text
from include.xcom_viewer.reader import trees

MAX_CHARACTERS = 300
MAX_SHOWN_BYTES = 32
MAX_ITEMS = 10
_WHOLE = re.compile(r"-?\d+")
_FRACTION = re.compile(r"(\.\d*?)0+(?=[+Z-]|$)")
_NUMPY_UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
# Frequencies of pandas whose ordinals numpy counts in the same way.
_PERIODS = {"D": "D", "M": "M", "Y-DEC": "Y", "h": "h", "min": "m", "s": "s", "ms": "ms"}
PLAIN = Meaning()


def texts(
    column: Any, meaning: Meaning = PLAIN, limit: int | None = MAX_CHARACTERS
) -> list[str | None]:
    """Return each cell's text, shortened; None for what is missing.

    Args:
        column: a pyarrow Array or ChunkedArray; only of the rows that are shown.
        meaning: of its cells, where a Parquet file of ours tells it.
        limit: characters of a text; None cuts nothing, and leaves JSON as it is.
    """
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if meaning.is_document and limit is not None:
        return [cell and shorten(_document(cell)) for cell in column.to_pylist()]
    if meaning.period:
        return [_period(cell, meaning.period) for cell in column.to_pylist()]
    if pa.types.is_duration(kind):
        numbers = column.cast(pa.int64()).to_pylist()
        return [None if n is None else _duration(n, kind.unit) for n in numbers]
    if _is_binary(kind):
        return [None if cell is None else _hexadecimal(cell, limit) for cell in column.to_pylist()]
    if pa.types.is_null(kind):
        return [None] * len(column)
    if pa.types.is_nested(kind):
        return [_nested(column.slice(row, 1), limit) for row in range(len(column))]
    cells = column.cast(pa.large_string()).to_pylist()
    if pa.types.is_timestamp(kind) or pa.types.is_time(kind):
        cells = [cell and _FRACTION.sub(_without_zeros, cell) for cell in cells]
    elif pa.types.is_floating(kind):
        cells = [cell and _float(cell) for cell in cells]
    return [cell if cell is None else shorten(cell, limit) for cell in cells]


def numbers(values: Any, kind: Any) -> Any:
    """Return numbers as an Arrow array of an integer or float type; `pa.array` imports pandas."""
    import numpy as np
    import pyarrow as pa

    data = np.array(values, kind.to_pandas_dtype())
    return pa.Array.from_buffers(kind, len(data), [None, pa.py_buffer(data)])


def shorten(text: str, limit: int | None = MAX_CHARACTERS) -> str:
    """Cut a text that is too long for a table."""
    return text if limit is None or len(text) <= limit else f"{text[:limit]}…"


def ordinal(number: int) -> str:
    """Return 2nd, 3rd, 11th …."""
    last = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number:,}{'th' if number % 100 in (11, 12, 13) else last}"


def _document(cell: str) -> str:
    try:
        return trees.brief(documents.load(cell.encode()), bare=True)
    except ObjectCorrupt:
        return cell


def _float(cell: str) -> str:
    """Return a float as Python writes it, but for its zeros: Arrow writes 40.0 as 40."""
    text = {"nan": "NaN", "-0": "0"}.get(cell, cell)
    return f"{text}.0" if _WHOLE.fullmatch(text) else text


def _without_zeros(match: re.Match[str]) -> str:
    return "" if match[1] == "." else match[1]


def _period(ordinal: int | None, frequency: str) -> str | None:
    import numpy as np

    if ordinal is None or frequency not in _PERIODS:
        return None if ordinal is None else f"period {ordinal}"
    unit: Any = _PERIODS[frequency]
    return str(np.datetime64(ordinal, unit))


def _duration(count: int, unit: str) -> str:
    per_second = _NUMPY_UNITS[unit]
    seconds, rest = divmod(count, per_second)
    days, seconds = divmod(seconds, 86_400)  # as pandas: -1 days +23:00:00
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    fraction = f".{rest:0{len(str(per_second)) - 1}}".rstrip("0") if rest else ""
    return f"{days} days {'+' * (days < 0)}{clock}{fraction}" if days else f"{clock}{fraction}"


def _is_binary(kind: Any) -> bool:
    import pyarrow as pa

    tests = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary)
    return any(test(kind) for test in tests)


def _hexadecimal(data: bytes, limit: int | None) -> str:
    if limit is None:
        return data.hex()
    more = "…" if len(data) > MAX_SHOWN_BYTES else ""
    return f"{data[:MAX_SHOWN_BYTES].hex(' ')}{more} ({size_text(len(data))})"


def _nested(one: Any, limit: int | None) -> str | None:
    """Return the text of the only cell of an array of lists, structs or maps."""
    import pyarrow as pa

    if one.null_count:
        return None
    array = one.chunk(0) if hasattr(one, "chunk") else one
    if pa.types.is_struct(array.type):
        parts = zip(array.type, array.flatten(), strict=True)
        items = [f"{field.name}: {texts(part, PLAIN, limit)[0]}" for field, part in parts]
        return shorten(f"{{{', '.join(items)}}}", limit)
    if pa.types.is_map(array.type):
        # Its keys and items are those of the whole array, of which this may be a slice.
        first, last = (array.offsets[end].as_py() for end in (0, 1))
        last = last if limit is None else min(last, first + MAX_ITEMS)
        keys, values = (texts(part[first:last], PLAIN, limit) for part in (array.keys, array.items))
        pairs = (f"{key}: {value}" for key, value in zip(keys, values, strict=True))
        return shorten(f"{{{', '.join(pairs)}}}", limit)
    inner = array.flatten()
    most = len(inner) if limit is None else MAX_ITEMS
    more = ", …" if len(inner) > most else ""
    items = [str(text) for text in texts(inner[:most], PLAIN, limit)]
    return shorten(f"[{', '.join(items)}{more}]", limit)
