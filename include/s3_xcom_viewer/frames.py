"""The beginning of a Parquet file of ours: its footer, and the row groups a page needs.

Figures are of the row groups that fit into the budget, in order, and never fewer than the first,
which is small by design (1,000 rows). Missing values, least and greatest are of all rows where the
footer has them for each row group; NaN it does not count, and of long texts it says nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from include.s3_xcom.errors import ObjectCorrupt, S3XComError
from include.s3_xcom_viewer import cells, labels, statistics, tables
from include.s3_xcom_viewer.bucket import BUDGET, TooLarge
from include.s3_xcom_viewer.tables import Column, Table

if TYPE_CHECKING:
    from include.s3_xcom_viewer.bucket import ObjectFile
    from include.s3_xcom_viewer.labels import Field, Frame
    from include.s3_xcom_viewer.statistics import Figures

_READ_WITH_CARE = "BYTE_ARRAY"
STREAM_BUFFER = 1024 * 1024
"""Bytes of one column that are read at once, where the whole file is."""


class Part(NamedTuple):
    """Row groups that are read together: their numbers, and which rows of the table they are."""

    groups: list[int]
    first_row: int
    rows: int


def preview(source: ObjectFile, first_row: int, first_column: int) -> Table:
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
    metadata = file.metadata
    frame = labels.describe(file.schema_arrow)
    levels = [field for field in frame.fields if field.is_index]
    columns = [field for field in frame.fields if not field.is_index]
    first_column = min(first_column, max(0, len(columns) - 1))
    chosen = levels + columns[first_column : first_column + tables.PAGE_COLUMNS]
    chunks = _chunks(metadata, {field.name for field in chosen})
    budget = BUDGET - source.bytes_read
    readable = [field for field in chosen if _fits(metadata, {0: chunks[field.name]}, budget)]
    readable = _together(metadata, readable, chunks, budget)
    wanted = [index for field in readable for index in chunks[field.name]]
    head = _head(metadata, wanted, budget)
    first_row = min(first_row, max(0, metadata.num_rows - 1))
    part = head if first_row < head.rows else _around(metadata, wanted, first_row, head, budget)
    if first_row >= part.first_row + part.rows:
        first_row = 0
    data = file.read_row_groups(part.groups, columns=[field.name for field in readable])
    types = {field.name: field.type for field in file.schema_arrow}
    start = first_row - part.first_row
    stop = min(start + tables.PAGE_ROWS, part.rows)
    table = Table(
        rows=metadata.num_rows,
        columns_total=len(columns),
        columns=[
            _column(
                field,
                data,
                range(start, stop),
                metadata=metadata,
                chunks=chunks[field.name],
                arrow=types[field.name],
            )
            for field in chosen
        ],
        rows_read=part.rows,
        first_row=first_row,
        readable_rows=_readable_rows(metadata, wanted, budget),
        row_labels=_row_labels(frame, first_row, stop - start),
        first_column=first_column,
        compression=_compression(metadata),
    )
    _add_notes(table, part, len(chosen) - len(readable))
    table.bytes_read = source.bytes_read
    return table


def open_file(source: ObjectFile, *, streamed: bool = False) -> Any:
    """Open a Parquet file; texts are read as dictionaries.

    Args:
        source: the object.
        streamed: to read all of it, page by page, and not single row groups at once.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(pa.PythonFile(source, "r"))
        texts = [
            file.metadata.row_group(0).column(i).path_in_schema
            for i in range(file.metadata.num_columns)
            if file.metadata.row_group(0).column(i).physical_type == _READ_WITH_CARE
        ]
        # As dictionaries, which take no more memory than what is in the file.
        return pq.ParquetFile(
            pa.PythonFile(source, "r"),
            metadata=file.metadata,
            read_dictionary=texts,
            pre_buffer=not streamed,
            buffer_size=STREAM_BUFFER if streamed else 0,
        )
    except (S3XComError, TooLarge):
        raise
    except (pa.ArrowException, OSError, IndexError) as error:
        raise ObjectCorrupt(f"the object is not a readable Parquet file ({error}).") from error


def _chunks(metadata: Any, names: set[str]) -> dict[str, list[int]]:
    """Return the positions of each column's chunks in a row group; nested ones have several."""
    group = metadata.row_group(0)
    found: dict[str, list[int]] = {name: [] for name in names}
    for position in range(metadata.num_columns):
        # No name of ours holds a dot.
        name = group.column(position).path_in_schema.partition(".")[0]
        if name in found:
            found[name].append(position)
    return found


def _size(metadata: Any, group: int, wanted: list[int]) -> tuple[int, int]:
    """Return the bytes of some chunks of a row group: in the file, and unpacked."""
    columns = [metadata.row_group(group).column(position) for position in wanted]
    return (
        sum(column.total_compressed_size for column in columns),
        sum(column.total_uncompressed_size for column in columns),
    )


def _fits(metadata: Any, wanted: dict[int, list[int]], budget: int) -> bool:
    """Tell whether chunks, by row group, can be read within the limits."""
    sizes = [_size(metadata, group, chunks) for group, chunks in wanted.items()]
    held = sum(metadata.row_group(group).num_rows * len(chunks) for group, chunks in wanted.items())
    packed, unpacked = (sum(column) for column in zip(*sizes, strict=True))
    return bool(packed <= budget and unpacked <= tables.MAX_MEMORY and held <= tables.MAX_CELLS)


def _together(
    metadata: Any, fields: list[Field], chunks: dict[str, list[int]], budget: int
) -> list[Field]:
    """Return the first columns of which the first row group can be read at once."""
    taken: list[Field] = []
    wanted: list[int] = []
    for field in fields:
        if _fits(metadata, {0: wanted + chunks[field.name]}, budget):
            taken.append(field)
            wanted += chunks[field.name]
    return taken


def _head(metadata: Any, wanted: list[int], budget: int) -> Part:
    """Return the row groups from the first on that can be read at once."""
    groups = [0]
    while groups[-1] + 1 < metadata.num_row_groups and _fits(
        metadata, dict.fromkeys([*groups, groups[-1] + 1], wanted), budget
    ):
        groups.append(groups[-1] + 1)
    return Part(groups, 0, sum(metadata.row_group(group).num_rows for group in groups))


def _around(metadata: Any, wanted: list[int], row: int, head: Part, budget: int) -> Part:
    """Return the row group with this row if it can be read, else the head."""
    first = 0
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group).num_rows
        if row < first + rows:
            if _fits(metadata, {group: wanted}, budget):
                return Part([group], first, rows)
            break
        first += rows
    return head


def _readable_rows(metadata: Any, wanted: list[int], budget: int) -> int:
    """Return how many rows can be paged through, row group by row group, from the first."""
    rows = 0
    for group in range(metadata.num_row_groups):
        if not _fits(metadata, {group: wanted}, budget):
            break
        rows += metadata.row_group(group).num_rows
    return rows


def _column(
    field: Field, data: Any, rows: range, *, metadata: Any, chunks: list[int], arrow: Any
) -> Column:
    import pyarrow as pa

    words = labels.categories(field.recipe)
    column = Column(field.label, field.dtype, _family(field, arrow), field.is_index)
    if field.name in data.column_names:
        values = data.column(field.name)
        values = values if words is None else decode(values, words)
        tables.fill(column, values, rows.start, rows.stop, field.recipe)
    figures = column.figures = column.figures or statistics.Figures(0)
    if not pa.types.is_nested(arrow) and words is None:
        _from_footer(figures, metadata, chunks[0], arrow, field)
    return column


def _family(field: Field, arrow: Any) -> str:
    if "codes" in field.recipe or field.recipe.get("object") is True:
        return "text"
    if field.dtype.startswith("period["):
        return "time"
    return tables.family(arrow)


def decode(codes: Any, words: list[str | None]) -> Any:
    """Return the categories' texts in the place of codes, -1 for missing."""
    import pyarrow as pa

    texts = [None if code < 0 else words[code] for code in codes.to_pylist()]
    return pa.chunked_array([cells.strings(texts)])


def _from_footer(figures: Figures, metadata: Any, position: int, arrow: Any, field: Field) -> None:
    """Put what the footer knows of all rows in the place of what was read of some."""
    groups = [
        metadata.row_group(number).column(position) for number in range(metadata.num_row_groups)
    ]
    found = [group.statistics for group in groups]
    if not all(one is not None and one.has_null_count for one in found):
        return
    if not statistics.nan_is_missing(arrow, field.recipe):  # of which it has not heard
        figures.nulls = sum(one.null_count for one in found)
        figures.nulls_of = metadata.num_rows
        figures.exact.add("nulls")
    ends = [one for one in found if one.has_min_max]
    unknown = [one for one in found if not one.has_min_max and one.num_values]
    if not ends or (unknown and not statistics.nan_is_missing(arrow, field.recipe)):
        return
    if not statistics.has_range(arrow, field.recipe):
        return
    figures.least = _text(min(_end(one, "min", arrow) for one in ends), arrow, field)
    figures.greatest = _text(max(_end(one, "max", arrow) for one in ends), arrow, field)
    figures.exact |= {"least", "greatest"}


def _end(found: Any, name: str, arrow: Any) -> Any:
    # Its moments come as Python's, of which nanoseconds need pandas; raw they are numbers.
    return getattr(found, name if statistics.is_number(arrow) else f"{name}_raw")


def _text(end: Any, arrow: Any, field: Field) -> str | None:
    import pyarrow as pa

    if pa.types.is_decimal(arrow):
        return str(end)
    return cells.texts(cells.numbers([end], statistics.storage(arrow)).cast(arrow), field.recipe)[0]


def _row_labels(frame: Frame, first_row: int, rows: int) -> list[str]:
    if frame.rows_from is None:
        return []
    start, step = frame.rows_from
    return [str(start + step * row) for row in range(first_row, first_row + rows)]


def _compression(metadata: Any) -> str:
    if not metadata.num_columns:
        return ""
    return str(metadata.row_group(0).column(0).compression).lower()


def _add_notes(table: Table, part: Part, left_out: int) -> None:
    if left_out:
        table.notes.append(
            f"{left_out} of the columns here are too large to preview; the download has them."
        )
    if table.rows is not None and table.readable_rows < table.rows:
        table.notes.append(
            f"Rows from {table.readable_rows:,} on lie in parts of the file that are too large to "
            "read for a page; the download has them."
        )
    if part.first_row:
        table.notes.append(
            f"Figures are of the rows {part.first_row:,} to {part.first_row + part.rows - 1:,}, "
            "where this page is."
        )
