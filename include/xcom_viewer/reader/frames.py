"""The beginning of a Parquet file of ours: its footer, and the row groups that a page needs.

Figures are of the row groups that may be read at once, from the first on, which is small by design
(1,000 rows). What the footer knows of all rows takes their place (`footer`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from include.xcom_store.codecs.frames.describe import describe
from include.xcom_store.errors import ObjectCorrupt
from include.xcom_viewer.pipe import BUDGET_BYTES
from include.xcom_viewer.reader import footer, tables
from include.xcom_viewer.shown import TooLarge
from include.xcom_viewer.shown.tables import (
    MAX_LEVELS,
    MAX_PROFILED,
    PAGE_COLUMNS,
    PAGE_ROWS,
    ColumnView,
    Figures,
    Profile,
    TablePage,
)

if TYPE_CHECKING:
    from include.xcom_store.codecs.frames.describe import Field, Frame
    from include.xcom_viewer.reader.remote import Source

STREAM_BUFFER_BYTES = 16 * 1024 * 1024
"""Of all columns together, read at once where the whole file is read."""


class RowGroups(NamedTuple):
    """Row groups that are read together, and which rows of the table they are."""

    numbers: list[int]
    first_row: int
    rows: int


def preview(source: Source, first_row: int, first_column: int) -> TablePage:
    """Return a page of a frame.

    Args:
        source: the object.
        first_row: of the rows to show.
        first_column: of the columns to show.

    Raises:
        TooLarge: not even the footer can be read within the budget.
        ObjectCorrupt: it is not a Parquet file of this backend.
    """
    file = open_file(source)
    frame = describe(file)
    levels = [field for field in frame.fields if field.is_index]
    columns = [field for field in frame.fields if not field.is_index]
    first_column = min(first_column, max(0, len(columns) - 1))
    chosen = levels[:MAX_LEVELS] + columns[first_column : first_column + PAGE_COLUMNS]
    chunks = _Chunks(file.metadata, chosen)
    groups = chunks.row_groups(first_row)
    if not groups.first_row <= first_row < groups.first_row + groups.rows:
        first_row = 0
    data = _data(file, groups, chunks)
    rows = range(first_row, min(first_row + PAGE_ROWS, groups.first_row + groups.rows))
    table = TablePage(
        rows=file.metadata.num_rows,
        columns_total=len(columns),
        columns=[
            _column(field, data, rows, groups, chunks, position=frame.fields.index(field))
            for field in chosen
        ],
        rows_read=groups.rows,
        rows_read_words=_words(groups, file.metadata.num_rows),
        first_row=first_row,
        readable_rows=chunks.readable_rows(),
        row_labels=_row_labels(frame, rows),
        first_column=first_column,
        compression=chunks.compression,
    )
    if left_out := len(chosen) - len(chunks.readable):
        table.notes.append(f"{left_out} of these columns are too large to preview.")
    if table.readable_rows < file.metadata.num_rows:
        table.unread = (
            f"Rows from {table.readable_rows + 1:,} on lie in parts of the file that are too large "
            "to read for a page; the download has them."
        )
    return table


def profile(source: Source) -> Profile:
    """Return what the footer of a frame's file tells; no rows are read.

    Raises as `preview` does.
    """
    file = open_file(source)
    fields = describe(file).fields
    chosen = fields[:MAX_PROFILED]
    schema, places = file.metadata.schema.to_arrow_schema(), _positions(file.metadata, chosen)
    columns = []
    for position, field in enumerate(chosen):
        arrow, figures = schema.field(field.name).type, Figures(0)
        footer.complete(figures, file.metadata, places[field.name], arrow, field)
        family = _family(field, arrow)
        columns.append(
            ColumnView(field.label, field.dtype, family, field.is_index, position, figures)
        )
    return Profile(file.metadata.num_rows, columns, len(fields))


def two_columns(source: Source, positions: list[int]) -> tuple[list[Field], list[Any], str]:
    """Return two columns of the first rows, as much as may be read, and which rows they are of.

    Raises as `preview` does.
    """
    file = open_file(source)
    fields = describe(file).fields
    chosen = [fields[position] for position in positions]
    chunks = _Chunks(file.metadata, list({field.name: field for field in chosen}.values()))
    if any(field not in chunks.readable for field in chosen):
        raise TooLarge
    groups = chunks.row_groups(0)
    data = _data(file, groups, chunks)
    columns = [field.to_show(data.column(field.name)) for field in chosen]
    return chosen, columns, _words(groups, file.metadata.num_rows)


def open_file(source: Source, *, streamed: bool = False) -> Any:
    """Open a Parquet file; texts are read as dictionaries.

    Args:
        source: the object.
        streamed: to read all of it, page by page, and not single row groups at once.

    Raises:
        ObjectCorrupt: it is not a Parquet file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_metadata(source.file())
        group = metadata.row_group(0)
        chunks = [group.column(position) for position in range(metadata.num_columns)]
        named = dict.fromkeys(one.path_in_schema.partition(".")[0] for one in chunks)
        if [*named] != (names := metadata.schema.to_arrow_schema().names):
            raise KeyError(f"{names} are {[*named]}")
        texts = [one.path_in_schema for one in chunks if one.physical_type == "BYTE_ARRAY"]
        return pq.ParquetFile(
            source.file(),
            metadata=metadata,
            read_dictionary=texts,  # takes no more memory than what is in the file
            pre_buffer=not streamed,
            buffer_size=STREAM_BUFFER_BYTES // max(16, len(chunks)) if streamed else 0,
        )
    except (pa.ArrowInvalid, OSError, LookupError, UnicodeDecodeError) as error:
        raise ObjectCorrupt(f"the object is not a readable Parquet file ({error}).") from error


def rows_of_cells(metadata: Any, cells: int) -> int:
    """Return of how many rows no column has more than its share of so many cells, at least 1.

    Raises:
        TooLarge: there may be a row that alone has more than a page may hold.
    """
    most = 1
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        for chunk in map(group.column, range(metadata.num_columns)):
            most = max(most, int(chunk.num_values) // max(1, int(group.num_rows)))
    if most > tables.MAX_CELLS:
        raise TooLarge
    return max(1, cells // (most * max(1, int(metadata.num_columns))))


def _data(file: Any, groups: RowGroups, chunks: _Chunks) -> Any:
    """Return the readable columns of some row groups."""
    import pyarrow as pa

    names = [field.name for field in chunks.readable]
    try:
        data = file.read_row_groups(groups.numbers, columns=names, use_threads=False)
        data.validate(full=True)
    except (pa.ArrowInvalid, OSError) as error:
        raise ObjectCorrupt(f"a part of the Parquet file is damaged ({error}).") from error
    if data.num_rows != groups.rows and names:
        raise ObjectCorrupt(f"the Parquet file has {data.num_rows:,} rows, not {groups.rows:,}.")
    return data


def _positions(metadata: Any, chosen: list[Field]) -> dict[str, list[int]]:
    """Return by column name where its chunks are in each row group; a nested one has several."""
    found: dict[str, list[int]] = {field.name: [] for field in chosen}
    first = metadata.row_group(0)
    for position in range(metadata.num_columns):
        # No name of ours holds a dot.
        name = first.column(position).path_in_schema.partition(".")[0]
        if name in found:
            found[name].append(position)
    return found


class _Chunks:
    """The chunks of the chosen columns, and what of them may be read.

    Attributes:
        positions: see `_positions`.
        readable: the columns of which the first row group may be read, all at once.
    """

    def __init__(self, metadata: Any, chosen: list[Field]) -> None:
        self.metadata = metadata
        self.schema = metadata.schema.to_arrow_schema()
        self.positions = _positions(metadata, chosen)
        self.readable: list[Field] = []
        self._wanted: list[int] = []
        for field in chosen:
            wanted = self._wanted + self.positions[field.name]
            if self._fits([0], wanted):
                self.readable.append(field)
                self._wanted = wanted

    @property
    def compression(self) -> str:
        if not self.metadata.num_columns:
            return ""
        return str(self.metadata.row_group(0).column(0).compression).lower()

    def row_groups(self, row: int) -> RowGroups:
        """Return the row groups to read for a page from this row on; the first ones if need be."""
        groups = [0]
        while groups[-1] + 1 < self.metadata.num_row_groups and self._fits(
            [*groups, groups[-1] + 1], self._wanted
        ):
            groups.append(groups[-1] + 1)
        head = RowGroups(groups, 0, sum(map(self._rows, groups)))
        first = 0
        for group in range(self.metadata.num_row_groups):
            if head.rows <= row < first + self._rows(group):
                fits = self._fits([group], self._wanted)
                return RowGroups([group], first, self._rows(group)) if fits else head
            first += self._rows(group)
        return head

    def readable_rows(self) -> int:
        """Return how many rows can be paged through, from the first on."""
        rows = 0
        for group in range(self.metadata.num_row_groups):
            if not self._fits([group], self._wanted):
                break
            rows += self._rows(group)
        return rows

    def _rows(self, group: int) -> int:
        return int(self.metadata.row_group(group).num_rows)

    def _fits(self, groups: list[int], wanted: list[int]) -> bool:
        found = [
            self.metadata.row_group(group).column(position)
            for group in groups
            for position in wanted
        ]
        sizes = [
            (chunk.num_values, chunk.total_compressed_size, chunk.total_uncompressed_size)
            for chunk in found
        ]
        if any(number < 0 for size in sizes for number in size):
            raise ObjectCorrupt("the Parquet file has parts of less than nothing.")
        # Of a list, the values count: a million zeros take a few bytes.
        values, packed, unpacked = map(sum, zip(*sizes, strict=True)) if sizes else (0, 0, 0)
        return bool(
            max(values, len(wanted) * sum(map(self._rows, groups))) <= tables.MAX_CELLS
            and packed <= BUDGET_BYTES
            and unpacked <= tables.MAX_UNPACKED_BYTES
        )


def _column(
    field: Field, data: Any, rows: range, groups: RowGroups, chunks: _Chunks, *, position: int
) -> ColumnView:
    arrow = chunks.schema.field(field.name).type
    column = ColumnView(field.label, field.dtype, _family(field, arrow), field.is_index, position)
    if field in chunks.readable:
        values = field.to_show(data.column(field.name))
        first = groups.first_row
        tables.fill(column, values, rows.start - first, rows.stop - first, field.meaning)
    column.figures = column.figures or Figures(0)
    if field.has_more:  # the last word stands for many
        column.figures.distinct, column.figures.top = None, []
    footer.complete(column.figures, chunks.metadata, chunks.positions[field.name], arrow, field)
    return column


def _family(field: Field, arrow: Any) -> str:
    if field.meaning.is_category or field.meaning.is_document:
        return "text"
    return "time" if field.meaning.period else tables.family(arrow)


def _row_labels(frame: Frame, rows: range) -> list[str]:
    if frame.rows_from is None:
        return []
    start, step = frame.rows_from
    return [str(start + step * row) for row in rows]


def _words(groups: RowGroups, total: int) -> str:
    if groups.rows == total:
        return "all rows"
    if not groups.first_row:
        return f"the first {groups.rows:,} rows"
    return f"the rows {groups.first_row + 1:,} to {groups.first_row + groups.rows:,}"
