"""What a Parquet file's footer knows of all rows, in the place of what was read of some.

Exact are missing values, as this backend has counted them, and least and greatest, where every row
group has them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from include.xcom_viewer.reader import cells, statistics

if TYPE_CHECKING:
    from include.xcom_store.codecs.frames.describe import Field
    from include.xcom_viewer.shown.tables import Figures


def complete(
    figures: Figures, metadata: Any, positions: list[int], arrow: Any, field: Field
) -> None:
    """Replace what the footer knows better.

    Args:
        figures: of the rows that were read, if any were.
        metadata: the file's.
        positions: of the column's chunks in each row group; a nested column has several.
        arrow: the column's type.
        field: what the frame says of the column.
    """
    if field.missing is not None:
        figures.nulls, figures.nulls_of = field.missing, metadata.num_rows
        figures.exact.append("nulls")
    if field.words is not None or not statistics.has_range(arrow, field.meaning):
        return
    [position] = positions
    groups = range(metadata.num_row_groups)
    found = [metadata.row_group(group).column(position).statistics for group in groups]
    if not all(found):
        return
    ends = [one for one in found if one.has_min_max]
    silent = any(one.num_values and not one.has_min_max for one in found)
    if not ends or (silent and not field.meaning.nan_is_missing):
        return
    least = min(_end(one, "min", arrow) for one in ends)
    if isinstance(least, bytes):  # float16, as pyarrow 26 gives it
        return
    greatest = max(_end(one, "max", arrow) for one in ends)
    figures.least, figures.greatest = (_text(end, arrow, field) for end in (least, greatest))
    figures.exact += ["least", "greatest"]


def _end(found: Any, name: str, arrow: Any) -> Any:
    # Its moments come as Python's, of which nanoseconds need pandas; raw they are numbers.
    return getattr(found, name if statistics.is_number(arrow) else f"{name}_raw")


def _text(end: Any, arrow: Any, field: Field) -> str | None:
    import pyarrow as pa

    if pa.types.is_decimal(arrow):
        return str(end)
    number = cells.numbers([end], statistics.storage(arrow))
    return cells.texts(number.cast(arrow), field.meaning)[0]
