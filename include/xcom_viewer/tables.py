"""What a page shows of a table, whatever file it is in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from include.xcom_viewer import cells, statistics

if TYPE_CHECKING:
    from include.xcom_store.codecs.frames.describe import Meaning
    from include.xcom_viewer.statistics import Figures

PAGE_ROWS = 20
PAGE_COLUMNS = 30
MAX_UNPACKED_BYTES = 32 * 1024 * 1024
"""What a preview may unpack."""
MAX_CELLS = 2_000_000


@dataclass
class ColumnView:
    """One column of a page.

    Attributes:
        family: `number`, `text`, `time`, `bool` or `other`: what it looks like.
        figures: None where none of it was read.
        cells: of the rows shown; None where they are too large.
    """

    label: str
    dtype: str
    family: str
    is_index: bool = False
    figures: Figures | None = None
    cells: list[str | None] | None = None


@dataclass
class TablePage:
    """A table, of which one page of rows and one of columns is shown.

    Attributes:
        rows: of the whole table; None if the file does not say.
        rows_read: whose figures are shown.
        first_row: position of the first row shown.
        readable_rows: how many can be paged through here.
        row_labels: of the rows shown, where the index is just numbers.
        first_column: position of the first column shown, index levels not counted.
        rows_read_words: which rows the figures are of.
        notes: what a reader should know of the columns.
        unread: what of the rows, if there are more than can be shown.
    """

    rows: int | None
    columns_total: int
    columns: list[ColumnView]
    rows_read: int
    rows_read_words: str
    first_row: int
    readable_rows: int
    row_labels: list[str] = field(default_factory=list)
    first_column: int = 0
    compression: str = ""
    notes: list[str] = field(default_factory=list)
    unread: str = ""

    @property
    def rows_shown(self) -> int:
        """How many rows are on this page."""
        return max((len(column.cells or ()) for column in self.columns), default=0)

    @property
    def is_whole(self) -> bool:
        """Whether the figures hold for all rows."""
        return self.rows_read == self.rows


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
        column.figures = statistics.Figures(len(data), data.null_count, len(data))
