"""pandas DataFrame and Series as Parquet, exactly: dtypes, index, column labels, attrs.

A bare Index is a frame of no columns, a bare array (Categorical, pd.array …) one of one column.

Parquet, because DuckDB, Spark, Athena, polars and pandas read it. The columns carry the frame's own
names where these are strings; index levels follow as `__index_0__` …. What Parquet cannot say is in
the file's metadata under `xcom_store` (see `columns`; `describe` tells people).
What cannot be kept is refused by name.

A frame is written while it is being converted, row group by row group, so a push needs little
memory besides the frame. Row groups hold 200,000 rows (with 50,000 a pull takes twice as long); in
all but small frames the first one has 1,000, which lets a viewer show rows without reading
megabytes.
"""

from __future__ import annotations

import base64
import sys
from collections import Counter
from contextlib import suppress
from mmap import MADV_DONTNEED, PAGESIZE, mmap
from typing import TYPE_CHECKING, Any

from include.xcom_store import documents
from include.xcom_store.codecs.base import Data, Encoded
from include.xcom_store.errors import ValueNotStorable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from include.xcom_store.codecs.base import Sink

NAME = "pandas-parquet"
METADATA = b"xcom_store"
MORE = "…"
"""Stands for all categories that are too many to be shown."""
GROUP_ROWS = 200_000
FIRST_GROUP_ROWS = 1_000
ONE_GROUP_CELLS = 250_000
"""Some megabytes. A frame of so many cells is one row group, as two take longer."""
DICTIONARY_BYTES = 4 * 1024 * 1024
"""Of one column. With Parquet's usual 1 MiB, 20,000 addresses are written twice: as a dictionary,
then, as it is too large, one by one. Saves 3% of the bytes."""
BUFFER_BYTES = 1024 * 1024
"""Gathered before they go on to the sink: Parquet is written in hundreds of small pieces, each of
which would be hashed and sent by itself. Saves 1% of a push of 1M rows, 9% of one of 100,000."""
GIVEN_BACK_BYTES = 64 * 1024
"""Of a column in a row group, on the average, that are given back once read."""
READ_CELLS = 2_000_000
"""Some tens of megabytes, read at once, whatever they are (see `_batches`)."""


def accepts(value: Any) -> bool:
    pandas: Any = sys.modules.get("pandas")
    if not pandas:
        return False
    kinds = (pandas.DataFrame, pandas.Series, pandas.Index, pandas.api.extensions.ExtensionArray)
    return isinstance(value, kinds)


def encode(value: Any, compression: str) -> Encoded:
    """Encode a DataFrame or a Series; what would change is refused, by the column's name."""
    import pyarrow as pa

    from include.xcom_store.codecs.frames.columns import (
        pack,
        plan,
        plan_index,
        shown,
        write_document,
    )

    frame, kind = _as_frame(value)
    index, levels = plan_index(frame.index, "the index")
    titles = [f"column {label!r}" for label in frame.columns]
    if kind != "DataFrame" and titles:
        titles = [f"the {kind}"]
    columns = [plan(one, title) for (_, one), title in zip(frame.items(), titles, strict=True)]
    recipe = {
        "of": kind,
        "index": index,
        "labels": pack(frame.columns, "the column labels"),
        "columns": [column.recipe for column in columns],
        "attrs": write_document(getattr(value, "attrs", {}), "attrs"),
        "unique_labels": not frame.flags.allows_duplicate_labels,
    }
    columns += levels
    index_dtypes = getattr(frame.index, "dtypes", [frame.index.dtype])
    recipe["shown"] = {
        "labels": shown(frame.columns) + shown(frame.index.names)[: len(levels)],
        "dtypes": [str(dtype) for dtype in [*frame.dtypes, *index_dtypes][: len(columns)]],
    }
    titles += [f"level {level} of the index" for level in range(len(levels))]
    names = _names(frame.columns, len(levels))
    schema = pa.schema([(name, c.type) for name, c in zip(names, columns, strict=True)])

    def table(start: int, stop: int) -> Any:
        return pa.Table.from_arrays([c.rows(start, stop) for c in columns], schema=schema)

    def write(sink: Sink) -> None:
        try:
            options = {"compression": compression, **writer_options(table(0, FIRST_GROUP_ROWS))}
            tables = (table(*bounds) for bounds in _row_groups(*frame.shape))
            _write(tables, schema, recipe, columns, sink, **options)
        except Exception as error:
            if sink.failure is None:  # it is the value's, not the store's
                culprit = _culprit(columns, titles, len(frame))
                raise ValueNotStorable(f"Parquet cannot hold {culprit}: {error}") from error
            raise

    # Of a small frame it takes longer to find out than all else here.
    size = int(frame.memory_usage().sum()) if len(frame) > GROUP_ROWS else 0
    return Encoded("parquet", write, _summary(frame, kind), size)


def _culprit(columns: list[Any], titles: list[str], rows: int) -> str:
    """Return which column cannot be written, tried one by one."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    for column, title in zip(columns, titles, strict=True):
        with suppress(Exception):
            pq.write_table(pa.table([column.rows(0, rows)], ["a"]), pa.MockOutputStream())
            continue
        return f"{title}, of the Arrow type {column.type}"
    return "this frame"


def _write(tables: Any, schema: Any, recipe: Any, columns: Any, sink: Sink, **options: Any) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    missing = [column.missing_objects for column in columns]
    with (
        pa.BufferedOutputStream(pa.PythonFile(sink, "w"), BUFFER_BYTES) as file,
        pq.ParquetWriter(file, schema, **options) as writer,
    ):
        for table in tables:
            writer.write_table(table)
            for number, column in enumerate(columns):
                missing[number] += column.missing(table.column(number))
        # Not as metadata of the schema, where Parquet would keep it twice.
        about = documents.dump(recipe | {"missing": missing})
        writer.add_key_value_metadata({METADATA: about})


def writer_options(first_rows: Any) -> dict[str, Any]:
    """Return how Parquet is to be written, by a table of the first rows.

    No dictionary for a column whose first thousand values all differ: with it, encoding takes 50%
    more time and gives 13% more bytes. No statistics of text, with which it takes 13% more, and 22%
    where all is text: queries are narrowed by times and numbers, and how many cells are missing is
    in our own metadata. Encodings are those that every engine reads, of which
    DELTA_LENGTH_BYTE_ARRAY is not one.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    options: dict[str, Any] = {"dictionary_pagesize_limit": DICTIONARY_BYTES}
    kinds = {field.name: field.type for field in first_rows.schema}
    if first_rows.num_rows < FIRST_GROUP_ROWS or any(map(pa.types.is_nested, kinds.values())):
        return options  # a nested column's parts have other names
    flat = [name for name, kind in kinds.items() if pa.types.is_primitive(kind)]
    texts = [name for name, kind in kinds.items() if pa.types.is_large_string(kind)]
    different = {
        name
        for name in (*flat, *texts)
        if pc.count_distinct(first_rows.column(name)).as_py() == FIRST_GROUP_ROWS
    }
    options["use_dictionary"] = [name for name in kinds if name not in different]
    options["write_statistics"] = [name for name in kinds if name not in texts]
    return options


def decode(data: Data, _type_name: str) -> Any:
    """Return the value; what an `mmap` then holds is undefined (see `_give_back`)."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    from include.xcom_store.codecs.frames.columns import restore_index, unpack

    with pq.ParquetFile(pa.BufferReader(data)) as file:
        recipe, schema = read_metadata(file.metadata)
        width = len(recipe["columns"])
        levels = range(width, len(schema))
        index = restore_index(recipe["index"], _read(file, schema, levels) if levels else [])
        columns = _read_columns(file, schema, recipe["columns"], index, data)
    frame = pd.DataFrame(columns, index=index, columns=range(width), copy=False)
    frame.columns = unpack(recipe["labels"])
    value: Any = frame
    if recipe["of"] == "Series":
        value = frame.iloc[:, 0].rename(frame.columns[0])
    elif recipe["of"] == "Index":
        return frame.index
    elif recipe["of"] == "array":
        return frame.iloc[:, 0].array if width else frame.index.array
    value = value.set_flags(allows_duplicate_labels=not recipe["unique_labels"])
    value.attrs = documents.read(recipe["attrs"])  # last, for pandas makes copies of them
    return value


def _read(file: Any, schema: Any, numbers: range | list[int]) -> list[Any]:
    """Return columns of a file, of the types that were written: Parquet has fewer."""
    from include.xcom_store.codecs.frames.columns import as_written

    fields = [schema.field(number) for number in numbers]
    table = file.read(columns=[field.name for field in fields])
    return [as_written(table.column(field.name), field.type) for field in fields]


def _read_columns(
    file: Any, schema: Any, recipes: list[Any], index: Any, data: Data
) -> dict[int, Any]:
    import pandas as pd
    import pyarrow as pa

    from include.xcom_store.codecs.frames.columns import restore

    columns: dict[int, Any] = {}
    for batch in _batches(recipes, file.metadata, schema.names):
        if columns:
            pa.default_memory_pool().release_unused()  # or it keeps what the last batch took
        chunked = _read(file, schema, batch)
        if not isinstance(data, bytes):
            _give_back(data, file.metadata, {schema.field(number).name for number in batch})
        for number in reversed(batch):  # what has been converted is let go
            array = restore(recipes[number], chunked.pop())
            # With its dtype said: pandas would make `str` of an object column of strings.
            columns[number] = pd.Series(array, index=index, dtype=array.dtype, copy=False)
    return columns


def _give_back(data: mmap, metadata: Any, names: set[str]) -> None:
    """Let the system have the memory of columns that have been read; its content is lost.

    Without it, a pull needs the file's size more at the moment when it needs most.
    """
    if len(data) < GIVEN_BACK_BYTES * metadata.num_row_groups * metadata.num_columns:
        return  # of small pieces, little lies on pages of its own
    for chunk in _chunks(metadata):
        if chunk.path_in_schema.partition(".")[0] in names:
            start = max(0, chunk.dictionary_page_offset or chunk.data_page_offset)
            end = min(len(data), start + chunk.total_compressed_size)  # whatever the file says
            first = -(-start // PAGESIZE) * PAGESIZE
            if (count := end // PAGESIZE * PAGESIZE - first) > 0:
                with suppress(OSError):  # memory that is locked
                    data.madvise(MADV_DONTNEED, first, count)


def read_metadata(metadata: Any) -> tuple[dict[str, Any], Any]:
    """Return a frame's recipe, and the Arrow schema it was written with, from a file's metadata."""
    import pyarrow as pa

    stored = metadata.metadata
    schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(stored[b"ARROW:schema"])))
    return documents.load(stored[METADATA]), schema


def _as_frame(value: Any) -> tuple[Any, str]:
    """Return the frame that is written for a value, and what it stands for."""
    import pandas as pd

    if type(value) is pd.DataFrame:
        return value, "DataFrame"
    if type(value) is pd.Series:
        name = pd.Index([value.name], dtype=object, tupleize_cols=False)
        return value.to_frame(0).set_axis(name, axis=1), "Series"
    if isinstance(value, pd.Index):
        return pd.DataFrame(index=value), "Index"
    if isinstance(value, pd.api.extensions.ExtensionArray):
        frame = pd.Series(value, copy=False).to_frame(0)
        if getattr(value, "freq", None) is not None:  # which no column has
            frame = pd.DataFrame(index=pd.Index(value))
        if type(frame.iloc[:, 0].array if frame.shape[1] else frame.index.array) is type(value):
            return frame, "array"
    base = "Series" if isinstance(value, pd.Series) else "DataFrame"
    if not isinstance(value, (pd.Series, pd.DataFrame)):
        base = "array"
    raise ValueNotStorable(
        f"a {type(value).__module__}.{type(value).__qualname__} would come back as a plain "
        f"pandas.{base}. Return that."
    )


def _row_groups(rows: int, columns: int) -> Iterator[tuple[int, int]]:
    """Yield the bounds of the row groups; one empty group for no rows."""
    start, stop = 0, rows if rows * columns <= ONE_GROUP_CELLS else min(FIRST_GROUP_ROWS, rows)
    while True:
        yield start, stop
        start, stop = stop, min(stop + GROUP_ROWS, rows)
        if start >= rows:
            return


def _batches(recipes: list[dict[str, Any]], metadata: Any, names: list[str]) -> list[list[int]]:
    """Return which columns to read at once: many, so that all cores work, but not all.

    What is converted goes first, bit by bit, while there is little else in memory; then text,
    whose reading takes up to twice its size, the larger half of it first; then what stays as it is
    read.
    """
    some = READ_CELLS // max(metadata.num_rows, 1)
    if len(recipes) <= some:
        return [[*range(len(recipes))]]
    parts: list[list[int]] = [[], [], []]
    for number, recipe in enumerate(recipes):
        _tag, kind, *_ = recipe.get("dtype", {}).get(documents.TAG, ["", "named"])
        parts[{"named": 0, "string": 1}.get(kind, 2)].append(number)
    converted, text, kept = parts
    step = max(some, 2)  # one column would keep one core busy
    few = [converted[start : start + step] for start in range(0, len(converted), step)]
    text.sort(key=_sizes(metadata, names).__getitem__, reverse=True)
    halves = [half for part in (text, kept) for half in _halves(part)]
    return [batch for batch in (*few, *halves) if batch]


def _halves(numbers: list[int]) -> tuple[list[int], list[int]]:
    middle = -(-len(numbers) // 2)
    return numbers[:middle], numbers[middle:]


def _sizes(metadata: Any, names: list[str]) -> list[int]:
    """Return columns' bytes in the file, before compression; 0 for nested ones."""
    sizes: Counter[str] = Counter()
    for chunk in _chunks(metadata):
        sizes[chunk.path_in_schema] += chunk.total_uncompressed_size
    return [sizes[name] for name in names]


def _chunks(metadata: Any) -> Iterator[Any]:
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        yield from map(group.column, range(metadata.num_columns))


def _names(labels: Any, levels: int) -> list[str]:
    """Return the Parquet columns' names: the labels, where they are text and differ.

    More than in case: DuckDB reads `a` where `A` is asked for, and Spark neither.
    """
    names = [
        label if _is_name(label) else f"column_{number}" for number, label in enumerate(labels)
    ]
    names += [f"__index_{level}__" for level in range(levels)]
    if len({name.lower() for name in names}) == len(names):
        return names
    return [f"{number}_{name}" for number, name in enumerate(names)]


def _is_name(label: Any) -> bool:
    # A dot would make a path into a nested column of the name.
    return isinstance(label, str) and bool(label) and "." not in label and documents.is_safe(label)


def _summary(frame: Any, kind: str) -> str:
    if kind == "Index" or not frame.shape[1]:
        return (
            f"{len(frame):,} rows × 0 columns" if kind == "DataFrame" else f"{len(frame):,} items"
        )
    shown = zip(frame.columns[:50], frame.dtypes.iloc[:50], strict=True)
    columns = ", ".join(f"{label} {dtype}" for label, dtype in shown)
    return f"{len(frame):,} rows × {frame.shape[1]:,} columns: {columns}"
