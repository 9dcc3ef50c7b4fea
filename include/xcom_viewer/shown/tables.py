"""Tables, their columns and figures, and charts of them, as a reader describes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from annotated_types import MaxLen

PAGE_ROWS = 50
PAGE_COLUMNS = 30
MAX_BARS = 16
MAX_LEVELS = 200
"""Of a row index; columns are shown besides."""
MAX_PROFILED = 1_000
"""Columns of a profile."""
MAX_POINTS = 1_000
MAX_TICKS = 8


@dataclass(frozen=True)
class HistogramBar:
    """One bar of a histogram: its values, how many, and its height from 0 to 1."""

    label: str
    count: int
    height: float


@dataclass
class Figures:
    """Of one column; None is unknown, or has no meaning for the type.

    Attributes:
        rows: that were read; `nulls`, `least` and `greatest` may know of more.
        top: frequent values with how often they occur, most frequent first.
        exact: names of the figures that hold for all rows of the table.
    """

    rows: int
    nulls: int | None = None
    nulls_of: int = 0
    distinct: int | None = None
    least: str | None = None
    greatest: str | None = None
    mean: str | None = None
    top: list[tuple[str, int]] = field(default_factory=list)
    bars: Annotated[list[HistogramBar], MaxLen(MAX_BARS)] = field(default_factory=list)
    exact: list[str] = field(default_factory=list)

    @property
    def nulls_percent(self) -> str:
        """The share of missing values."""
        if not self.nulls or not self.nulls_of:
            return "0%"
        share = 100 * self.nulls / self.nulls_of
        return "<0.1%" if share < 0.05 else f"{share:.3g}%"


@dataclass
class ColumnView:
    """One column of a page.

    Attributes:
        family: `number`, `text`, `time`, `bool` or `other`: what it looks like.
        position: among all columns of the file, as a chart is asked for it.
        figures: None where none of it was read.
        cells: of the rows shown; None where they are too large.
    """

    label: str
    dtype: str
    family: str
    is_index: bool = False
    position: int = 0
    figures: Figures | None = None
    cells: Annotated[list[str | None], MaxLen(PAGE_ROWS)] | None = None


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
    columns: Annotated[list[ColumnView], MaxLen(PAGE_COLUMNS + MAX_LEVELS)]
    rows_read: int
    rows_read_words: str
    first_row: int
    readable_rows: int
    row_labels: Annotated[list[str], MaxLen(PAGE_ROWS)] = field(default_factory=list)
    first_column: int = 0
    compression: str = ""
    notes: list[str] = field(default_factory=list)
    unread: str = ""

    def __post_init__(self) -> None:
        """Refuse columns of different lengths."""
        lengths = {len(one.cells) for one in self.columns if one.cells is not None}
        if len(lengths | ({len(self.row_labels)} if lengths and self.row_labels else set())) > 1:
            raise ValueError("columns of different lengths")

    @property
    def rows_shown(self) -> int:
        """How many rows are on this page."""
        return max((len(column.cells or ()) for column in self.columns), default=0)

    @property
    def is_whole(self) -> bool:
        """Whether the figures hold for all rows."""
        return self.rows_read == self.rows

    @property
    def for_charts(self) -> list[ColumnView]:
        """The columns that an axis can have, those of floats first: they are worth a look."""
        found = [column for column in self.columns if column.family in ("number", "time")]
        return sorted(found, key=lambda column: (column.is_index, not _is_float(column.dtype)))


@dataclass
class Profile:
    """What the end of a table's file knows of all its rows.

    Attributes:
        rows: None if the file does not say.
        columns: the first ones, index levels before the others.
        columns_total: with the index levels.
    """

    rows: int | None
    columns: Annotated[list[ColumnView], MaxLen(MAX_PROFILED)]
    columns_total: int


@dataclass
class Axis:
    """One axis of a chart; ticks are at positions from 0 to 1."""

    label: str
    ticks: Annotated[list[tuple[float, str]], MaxLen(MAX_TICKS)]


@dataclass
class Chart:
    """Two columns of a sample of rows, as points from 0 to 1 on each axis, in the rows' order.

    Attributes:
        sample: which rows.
        left_out: how many of them have no point, for a value that is missing or infinite.
    """

    x: Axis
    y: Axis
    points: Annotated[list[tuple[float, float]], MaxLen(MAX_POINTS)]
    sample: str
    left_out: int = 0


def _is_float(dtype: str) -> bool:
    return dtype.lower().startswith(("float", "double"))
