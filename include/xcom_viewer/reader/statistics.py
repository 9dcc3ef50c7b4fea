"""Figures of a column: missing, distinct, least, greatest, mean, frequent values, a histogram.

Computed by Arrow over the rows that were read. What a Parquet file's footer knows of all rows takes
the place of what only some rows say (`frames`); each figure tells over how many rows it holds.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from include.xcom_viewer.reader import cells
from include.xcom_viewer.reader.cells import PLAIN
from include.xcom_viewer.shown.tables import MAX_BARS, Figures, HistogramBar

if TYPE_CHECKING:
    from include.xcom_store.codecs.frames.describe import Meaning

MAX_FREQUENT = 3


def of(column: Any, meaning: Meaning = PLAIN) -> Figures:
    """Return the figures of a pyarrow ChunkedArray.

    Args:
        column: all rows that were read.
        meaning: of its cells; says what counts as missing and what is text.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_float16(column.type):
        column = column.cast(pa.float32())  # of which Arrow knows more
    if meaning.nan_is_missing:
        column = pc.if_else(pc.is_nan(column), pa.nulls(1, column.type)[0], column)
    found = Figures(len(column), column.null_count, len(column))
    if pa.types.is_nested(column.type) or pa.types.is_null(column.type):
        return found
    counts = pc.value_counts(
        column.unify_dictionaries() if pa.types.is_dictionary(column.type) else column
    )
    values, times = counts.field("values"), counts.field("counts")
    present = pc.is_valid(values)
    values, times = values.filter(present), times.filter(present)
    found.distinct = _distinct(values)
    if has_range(column.type, meaning):
        _range(found, column, meaning)
        found.bars = _histogram(column, meaning)
        if is_number(column.type) and not meaning.period:
            mean = pc.mean(column.cast(pa.float64(), safe=False)).as_py()
            found.mean = None if mean is None else _rounded(mean)
    else:
        _frequent(found, values, times, meaning)
    return found


def _rounded(number: float) -> str:
    """Return a mean: six digits, and all of those before the point."""
    if 1e6 <= abs(number) < 1e15:
        return f"{number:.1f}".removesuffix(".0")
    return f"{number:.6g}"


def has_range(kind: Any, meaning: Meaning) -> bool:
    """Tell whether a column's least and greatest value, and a histogram, have a meaning."""
    import pyarrow as pa

    if meaning.is_category or meaning.is_document:
        return False
    return is_number(kind) or bool(pa.types.is_temporal(kind) and not pa.types.is_interval(kind))


def is_number(kind: Any) -> bool:
    """Tell whether an Arrow type is one of numbers."""
    import pyarrow as pa

    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )


def _distinct(values: Any) -> int:
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_floating(values.type):
        values = pc.unique(pc.add(values, cells.numbers([0.0], values.type)[0]))  # -0.0 is 0.0
    return len(values)


def storage(kind: Any) -> Any:
    """Return the Arrow type of numbers that a type of moments or durations is stored as."""
    import pyarrow as pa

    if not pa.types.is_temporal(kind):
        return kind
    return pa.int32() if kind.bit_width == 32 else pa.int64()


def _range(found: Figures, column: Any, meaning: Meaning) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc

    ends = pc.min_max(column.cast(storage(column.type)))  # not every kernel knows every moment
    for name, end in (("least", ends["min"]), ("greatest", ends["max"])):
        if end.is_valid:
            one = pa.nulls(1, end.type).fill_null(end).cast(column.type)
            setattr(found, name, cells.texts(one, meaning)[0])


def _frequent(found: Figures, values: Any, times: Any, meaning: Meaning) -> None:
    import pyarrow.compute as pc

    order = pc.sort_indices(times, sort_keys=[("", "descending")])[:MAX_BARS]
    counts = times.take(order).to_pylist()
    if not counts or (counts[0] == 1 and len(values) > MAX_FREQUENT):
        return  # all differ: none is frequent
    texts = [text or "" for text in cells.texts(values.take(order), meaning)]
    found.top = list(zip(texts, counts, strict=True))[:MAX_FREQUENT]
    found.bars = [
        HistogramBar(cells.shorten(text, 40), count, count / counts[0])
        for text, count in zip(texts, counts, strict=True)
    ]


def _histogram(column: Any, meaning: Meaning) -> list[HistogramBar]:
    import numpy as np

    numbers = _numbers(column)
    if not len(numbers):
        return []
    low, high = numbers.min().item(), numbers.max().item()
    width = high - low
    if not math.isfinite(width):
        return []
    if not width:
        return [HistogramBar(edge(low, column.type, meaning), len(numbers), 1.0)]
    if isinstance(width, int):
        step = width // MAX_BARS + 1  # as many whole numbers in each bin
        ends = [low + step * number for number in range(width // step + 2)]
        offsets = numbers.astype(np.uint64) - np.uint64(low % 2**64)  # which may be beyond int64
        counts = np.bincount((offsets // np.uint64(step)).astype(int)).tolist()
    else:
        ends = [low + width / MAX_BARS * number for number in range(MAX_BARS)] + [high]
        # From 0 to 1: bins of large numbers that differ by little are not distinct otherwise.
        counts = np.histogram((numbers - low) / width, MAX_BARS, (0, 1))[0].tolist()
    shown = [edge(end, column.type, meaning) for end in ends]
    return [
        HistogramBar(f"{start} to {end}", count, count / max(counts))
        for count, start, end in zip(counts, shown, shown[1:], strict=False)
    ]


def _numbers(column: Any) -> Any:
    """Return what of a column is present and finite as numpy, without pandas (see `cells`)."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    whole = (pa.types.is_integer(kind) and kind != pa.uint64()) or pa.types.is_temporal(kind)
    column = column.cast(storage(kind))
    column = column.cast(pa.int64() if whole else pa.float64(), safe=False).drop_null()
    if not whole:
        column = column.filter(pc.is_finite(column))
    dtype = np.int64 if whole else np.float64
    parts = [
        np.frombuffer(chunk.buffers()[1], dtype)[chunk.offset : chunk.offset + len(chunk)]
        for chunk in column.chunks
        if len(chunk)
    ]
    return np.concatenate(parts) if parts else np.empty(0, dtype)


def edge(place: float, kind: Any, meaning: Meaning = PLAIN) -> str:
    """Return the text of a place on a scale of a type; of numbers, four digits.

    The scale of moments and durations ends where the type does: a bin or an axis may reach further.
    """
    import numpy as np
    import pyarrow as pa

    if not (pa.types.is_temporal(kind) or meaning.period):
        return f"{place:.4g}"
    stored = storage(kind)
    limits = np.iinfo(stored.to_pandas_dtype())
    within = min(max(round(place), int(limits.min)), int(limits.max))
    return cells.texts(cells.numbers([within], stored).cast(kind), meaning)[0] or ""
