"""What a page shows of a table, whatever file it is in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from include.xcom_viewer.reader import cells, statistics
from include.xcom_viewer.shown.tables import Figures

if TYPE_CHECKING:
    from include.xcom_store.codecs.frames.describe import Meaning
    from include.xcom_viewer.shown.tables import ColumnView

MAX_UNPACKED_BYTES = 32 * 1024 * 1024
"""What a preview may unpack."""
MAX_CELLS = 2_000_000


def family(kind: Any) -> str:
    """Return what an Arrow type looks like."""
    import pyarrow as pa

    types = pa.types
    if types.is_dictionary(kind):
        kind = kind.value_type
    if statistics.is_number(kind):
        return "number"
    if types.is_boolean(kind):
        return "bool"
    if types.is_temporal(kind):
        return "time"
    is_text = types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)
    return "text" if is_text else "other"


def fill(column: ColumnView, data: Any, start: int, stop: int, meaning: Meaning) -> None:
    """Compute a column's figures over all of `data`, and the cells of rows start to stop."""
    import pyarrow as pa

    try:
        column.figures = statistics.of(data, meaning)
        column.cells = cells.texts(data.slice(start, stop - start), meaning)
    except pa.ArrowNotImplementedError:  # of a few types Arrow has the data and no functions
        column.figures = Figures(len(data), data.null_count, len(data))
