"""What a reader answers: the contents of cards, as plain data. Both ends of the pipe know it.

A reader may have been taken over by what it read. So the server builds these from its answer field
by field, each checked for its type and lists for their length (`parse`); and a template escapes
whatever they hold.
"""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Annotated, Any

from annotated_types import MaxLen

MAX_ANSWER_BYTES = 4 * 1024 * 1024
PAGE_ROWS = 50
PAGE_COLUMNS = 30
MAX_BARS = 16
MAX_LEVELS = 200
"""Of a row index; columns are shown besides."""


class TooLarge(Exception):
    """A preview would have to read, or to hold in memory, more than it may."""


class NoPreview(Exception):
    """The value is of a type that nothing here can show."""


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
        figures: None where none of it was read.
        cells: of the rows shown; None where they are too large.
    """

    label: str
    dtype: str
    family: str
    is_index: bool = False
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


@dataclass(kw_only=True)
class Array:
    """An array, of which the first elements were read.

    Attributes:
        size: elements in all.
        read: elements in the figures.
        figures: for numbers, else None.
        rows: of texts; one value a row, or the corner of a matrix.
        picture: a PNG of it in base64, where it looks like an image; `picture_words` say how it
            was made.
    """

    shape: list[int]
    dtype: str
    order: str
    size: int
    read: int
    figures: Figures | None
    rows: list[list[str]]
    picture: str = ""
    picture_words: str = ""

    def __post_init__(self) -> None:
        """Refuse a picture that is no base64."""
        base64.b64decode(self.picture, validate=True)


@dataclass
class Node:
    """One value in a tree.

    Attributes:
        label: its key or position in what holds it.
        kind: of the value, as Python names it.
        text: of a single value, or a short description of one that holds others.
        hint: what is in it, for as long as it is folded.
        leaf: number of the object that holds it, for frames, arrays and large bytes.
        hidden: how many of its items are not shown.
    """

    label: str
    kind: str
    text: str = ""
    hint: str = ""
    children: list[Node] = field(default_factory=list)
    leaf: int | None = None
    hidden: int = 0
    is_open: bool = False


@dataclass
class Line:
    """One expectation.

    Attributes:
        percent: of the values, how many are unexpected; None where it does not count values.
        samples: unexpected values, with how often they occur.
    """

    success: bool
    sentence: str
    kind: str
    observed: str = ""
    percent: float | None = None
    count: str = ""
    samples: list[str] = field(default_factory=list)
    error: str = ""
    severity: str = ""


@dataclass
class Validation:
    """The expectations of one suite on one batch, failed ones first.

    Attributes:
        met: how many of all expectations are met.
        hidden: expectations that are not among the lines.
    """

    name: str
    success: bool
    lines: list[Line]
    met: int
    hidden: int = 0


@dataclass
class Verdict:
    """All of a result."""

    success: bool
    validations: list[Validation]
    met: int
    failed: int


@dataclass
class Text:
    """A text, or raw JSON; `hidden` counts the characters after it."""

    text: str
    hidden: int = 0


@dataclass
class Bytes:
    """The first bytes: offset, hexadecimal and characters of 16 a row.

    Attributes:
        is_image: they begin as an image does that browsers show (see `images`).
    """

    rows: list[tuple[str, str, str]]
    is_image: bool = False


@dataclass
class Leaves:
    """The values inside a document that are objects of their own, as the document has them.

    Attributes:
        paths: by position, the keys that lead to it.
    """

    found: list[dict[str, str | int]]
    paths: dict[int, list[str]] = field(default_factory=dict)


@dataclass
class Problem:
    """Why there is nothing to show: `too-large`, `no-preview`, `corrupt`, `stopped` or `failed`."""

    name: str
    detail: str = ""


KINDS: dict[str, type] = {
    "table": TablePage,
    "array": Array,
    "tree": Node,
    "expectations": Verdict,
    "text": Text,
    "raw": Text,
    "bytes": Bytes,
    "leaves": Leaves,
    "problem": Problem,
}
"""By the name that stands before an answer; those of cards name the template, too."""


def dump(kind: str, content: Any) -> bytes:
    """Return an answer; what Unicode does not have, such as half a surrogate pair, becomes `?`."""
    text = json.dumps(asdict(content), ensure_ascii=False, separators=(",", ":"))
    return f"{kind}\n{text}".encode(errors="replace")


def parse(answer: bytes) -> tuple[str, Any]:
    """Return the kind and the content of an answer.

    Raises:
        ValueError: it is none of `KINDS`, or a field is of another type.
    """
    kind, _, text = answer.partition(b"\n")
    return kind.decode(), _schema(kind.decode()).validate_json(text, strict=True)


@cache
def _schema(kind: str) -> Any:
    from pydantic import TypeAdapter  # takes readers, which do not need it, a tenth of a second

    if kind not in KINDS:
        raise ValueError(f"{kind[:80]!r} is no kind of answer")
    return TypeAdapter(KINDS[kind])
