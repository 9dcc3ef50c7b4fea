"""Two columns of a table as the points of a chart, from a sample of the rows that may be read."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from include.xcom_store.codecs import frames as frame_codec
from include.xcom_viewer.reader import arrow_tables, cells, frames, statistics
from include.xcom_viewer.shown import NoPreview
from include.xcom_viewer.shown.tables import MAX_POINTS, Axis, Chart

if TYPE_CHECKING:
    from include.xcom_store.codecs.frames.describe import Field
    from include.xcom_viewer.reader.remote import Source

TIME_TICKS, NUMBER_TICKS = 2, 6


def chart(source: Source, codec: str, x: int | None, y: int) -> Chart:
    """Return a chart of a table.

    Args:
        source: the object.
        codec: that wrote it.
        x: position of the column across; None for the rows' numbers.
        y: position of the column upwards.

    Raises:
        NoPreview: one of them has neither numbers nor moments, or there is no such column.
        TooLarge, ObjectCorrupt: see `frames.preview`.
    """
    read = frames if codec == frame_codec.NAME else arrow_tables
    try:
        fields, columns, words = read.two_columns(source, [y if x is None else x, y])
    except IndexError as error:
        raise NoPreview("there is no such column") from error
    rows = len(columns[1])
    step = max(1, -(-rows // MAX_POINTS))
    taken = range(0, rows, step)
    pairs = list(zip(fields, columns, strict=True))
    upward = _Values(*pairs[1], taken)
    across = _Rows(taken) if x is None else _Values(*pairs[0], taken)
    points = [
        (one, other)
        for one, other in zip(across.numbers, upward.numbers, strict=True)
        if one is not None and other is not None
    ]
    ends = [_ends([point[side] for point in points]) for side in (0, 1)]
    return Chart(
        across.axis(*ends[0]),
        upward.axis(*ends[1]),
        [(_place(one, *ends[0]), _place(other, *ends[1])) for one, other in points],
        words if step == 1 else f"every {cells.ordinal(step)} of {words}",
        len(taken) - len(points),
    )


class _Rows:
    """The numbers of rows, as an axis."""

    label = "row"

    def __init__(self, taken: range) -> None:
        self.numbers: list[float | None] = [float(row) for row in taken]

    def axis(self, low: float, high: float) -> Axis:
        """Return the axis from the least to the greatest."""
        return Axis(self.label, _ticks(low, high, self.text))

    def text(self, number: float) -> str:
        return f"{number:,.10g}"


class _Values(_Rows):
    """A column's numbers or moments, as an axis; what is missing or not finite is None."""

    def __init__(self, field: Field, column: Any, taken: range) -> None:
        import pyarrow as pa

        self._kind, self._meaning, self.label = column.type, field.meaning, field.label
        if not statistics.has_range(self._kind, self._meaning):
            raise NoPreview(f"column {field.label!r} has no place on an axis")
        some = column.take(cells.numbers(taken, pa.int64())).cast(statistics.storage(self._kind))
        self.numbers = [
            number if number is not None and math.isfinite(number) else None
            for number in some.cast(pa.float64(), safe=False).to_pylist()
        ]

    def axis(self, low: float, high: float) -> Axis:
        """Return the axis; of moments its ticks are at even distances, of numbers at round ones."""
        if statistics.is_number(self._kind) and not self._meaning.period:
            return super().axis(low, high)
        step = (high - low) / TIME_TICKS
        places = [low + step * number for number in range(TIME_TICKS + 1)]
        texts = [statistics.edge(place, self._kind, self._meaning) for place in places]
        return Axis(self.label, [(n / TIME_TICKS, text) for n, text in enumerate(texts)])


def _ends(numbers: list[float]) -> tuple[float, float]:
    """Return where an axis begins and ends."""
    low, high = (min(numbers), max(numbers)) if numbers else (0.0, 1.0)
    if low == high:
        around = max(abs(low) / 1000, 0.5)
        return low - around, high + around
    if not math.isfinite(high - low):
        raise NoPreview(f"from {low:g} to {high:g} is too far for an axis")
    return low, high


def _place(number: float, low: float, high: float) -> float:
    return min(1.0, max(0.0, (number - low) / (high - low)))


def _ticks(low: float, high: float, text: Any) -> list[tuple[float, str]]:
    """Return ticks at multiples of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / NUMBER_TICKS
    power = 10.0 ** math.floor(math.log10(rough)) if rough > 0 else 0.0
    if not power or not math.isfinite(high / power):
        return []
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first, last = math.ceil(low / step), math.floor(high / step)
    found = [number * step for number in range(first, last + 1)][: NUMBER_TICKS + 1]
    return [(_place(number, low, high), text(number)) for number in found]
