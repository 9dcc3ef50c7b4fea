"""One pandas column or index as Arrow arrays with a recipe in JSON, and exactly back.

Arrow and Parquet change much without an error: seconds become milliseconds, unused categories
vanish, objects become strings. So each column has a recipe, kept in the file's metadata, that says
what was there:

| recipe | dtypes | Arrow data |
|---|---|---|
| `dtype`  | of numpy, datetimes with a zone, str, Arrow-backed | unchanged, or its storage |
|          | Int64 …, boolean, period, interval | as in pandas' own Arrow protocol |
| `codes`  | category, a level of a MultiIndex | the values if each can be found again, else codes |
| `arrays` | object, its cells flat numpy arrays of one dtype (embeddings) | lists |
| `object` | object | one Arrow type if all cells fit it, else a JSON document per cell |

An index has the same recipe wherever it occurs: as row index, column labels, categories, or level
of a MultiIndex. The columns of a row index are columns of the file; any other index lives in the
metadata, its data inside its recipe (`pack`).

| recipe | index | columns |
|---|---|---|
| `range`  | RangeIndex | none: start, stop and step are all of it |
| `levels` | MultiIndex | one per level, as `codes`: a level's order decides how frames are sorted |
| `flat`   | any other, with its `freq` | one |
"""

from __future__ import annotations

import base64
import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from include.xcom_store import documents
from include.xcom_store.codecs.frames import MORE
from include.xcom_store.documents.tags import full_name
from include.xcom_store.errors import ValueNotStorable

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_IN_EACH_GROUP = 1_000
"""Up to this many text categories are written as codes: encoding takes less time and decoding half,
but each row group repeats all of them."""
TRIED_ROWS = 100
"""Of a column of an Arrow type that Parquet may not give back."""
MAX_SHOWN = 200
"""Characters of a label or a category, for people."""
COMPRESSED_BYTES = 4096
"""Of an index within a recipe. Compressing three categories takes 0.1 ms, as much as reading them,
and makes them longer; without, they take 5 µs."""
MOST_SHOWN = 10_000
"""Categories; of any others a page shows `MORE`."""


class Column(NamedTuple):
    """A column ready to be written.

    Attributes:
        recipe: JSON; what `restore` needs besides the Arrow data.
        type: the Arrow type.
        rows: returns the Arrow array of rows start to stop.
        missing_objects: cells that are missing to pandas, and have a document.
    """

    recipe: dict[str, Any]
    type: Any
    rows: Callable[[int, int], Any]
    missing_objects: int = 0

    def missing(self, chunks: Any) -> int:
        """Return how many cells of a ChunkedArray of it are missing: null, NaN of numpy, code -1.

        For people (see `describe`): Parquet's statistics count no NaN. Takes 4 to 9 ms of 1M × 20.
        """
        [(kind, detail)] = self.recipe.items()
        if kind == "codes" and not detail["values"]:
            return sum(int(np.count_nonzero(_numbers(chunk) < 0)) for chunk in chunks.chunks)
        is_float = pa.types.is_floating(self.type)
        if is_float and kind == "dtype" and detail[documents.TAG][0] == "numpy_dtype":
            return sum(int(np.count_nonzero(np.isnan(_numbers(chunk)))) for chunk in chunks.chunks)
        return int(chunks.null_count)


def plan(values: Any, name: str) -> Column:
    """Decide how a pandas Series or flat Index is written.

    Args:
        values: the Series or Index.
        name: what messages call it, for example `column 'a'`.

    Raises:
        ValueNotStorable: says what in it cannot be kept exactly.
    """
    dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        codes, ordered = values.array.codes, bool(dtype.ordered)
        return _plan_codes(codes, dtype.categories, name, ordered=ordered)
    if isinstance(dtype, np.dtype) and dtype.hasobject:
        return _plan_objects(values.to_numpy(), name)
    recipe = _recipe(dtype, name)
    if isinstance(dtype, np.dtype):
        # Arrow has no other byte order. To the same one is no copy.
        return _column(recipe, values.to_numpy().astype(dtype.newbyteorder("="), copy=False), name)
    column = _column(recipe, values.array, name)
    if isinstance(dtype, pd.ArrowDtype) and not _is_flat(dtype.pyarrow_dtype):
        _try_parquet(column, values.array, name)
    return column


def restore(recipe: dict[str, Any], chunks: Any) -> Any:
    """Return the array that `plan` was given, from its recipe and a pyarrow ChunkedArray."""
    [(kind, detail)] = recipe.items()
    if kind == "arrays":
        return _restore_arrays(np.dtype(detail), chunks)
    if kind == "object":
        cells = chunks.to_pylist()
        if detail:
            cells = [documents.read(documents.load(cell.encode())) for cell in cells]
        return np.fromiter(cells, dtype=object, count=len(cells))
    if kind == "codes":
        codes, categories = _restore_codes(detail, chunks)
        dtype = pd.CategoricalDtype(categories, ordered=detail["ordered"])
        return pd.Categorical.from_codes(codes, dtype=dtype, validate=False)
    dtype = documents.read({"dtype": detail}[kind])
    if isinstance(dtype, np.dtype):
        array = _to_numpy(chunks).astype(dtype, copy=False)
        return array if array.dtype.char == dtype.char else array.view(dtype)
    if not isinstance(dtype, pd.ArrowDtype):
        return dtype.__from_arrow__(chunks)
    if isinstance(made := dtype.pyarrow_dtype, pa.BaseExtensionType):
        parts = [pa.ExtensionArray.from_storage(made, chunk) for chunk in chunks.chunks]
        chunks = pa.chunked_array(parts, made)
    return pd.arrays.ArrowExtensionArray(chunks)


def plan_index(index: Any, what: str) -> tuple[dict[str, Any], list[Column]]:
    """Return an index's recipe and its columns.

    Raises:
        ValueNotStorable: names the index and what in it cannot be kept exactly.
    """
    known = next(kind for kind in type(index).__mro__ if vars(pd).get(kind.__name__) is kind)
    if type(index) is not known:
        raise ValueNotStorable(
            f"{what} is a {full_name(type(index))}, which would come back as a plain "
            f"pandas.{known.__name__}. Use that."
        )
    recipe = {"names": write_document(list(index.names), f"the names of {what}")}
    if isinstance(index, pd.RangeIndex):
        return recipe | {"range": [index.start, index.stop, index.step]}, []
    if isinstance(index, pd.MultiIndex):
        columns = [
            _plan_codes(codes, level, f"level {number} of {what}", ordered=False)
            for number, (codes, level) in enumerate(zip(index.codes, index.levels, strict=True))
        ]
        return recipe | {"levels": [column.recipe for column in columns]}, columns
    column = plan(index, what)
    has_freq = isinstance(index, (pd.DatetimeIndex, pd.TimedeltaIndex))  # of periods, the dtype has
    freq = write_document(index.freq if has_freq else None, f"the frequency of {what}")
    return recipe | {"flat": column.recipe, "freq": freq}, [column]


def restore_index(recipe: dict[str, Any], columns: list[Any]) -> Any:
    """Return the index that `plan_index` was given, from the ChunkedArrays of its columns."""
    names = documents.read(recipe["names"])
    if "range" in recipe:
        start, stop, step = recipe["range"]
        return pd.RangeIndex(start, stop, step, name=names[0])
    if "levels" in recipe:
        pairs = zip(recipe["levels"], columns, strict=True)
        found = [_restore_codes(level["codes"], chunks) for level, chunks in pairs]
        codes, levels = zip(*found, strict=True)
        return pd.MultiIndex(levels, codes, names=names, verify_integrity=False)
    array = restore(recipe["flat"], columns[0])
    # With its dtype said: pandas would infer another.
    index = pd.Index(array, dtype=array.dtype, name=names[0], tupleize_cols=False, copy=False)
    if recipe["freq"] is not None:
        index.freq = documents.read(recipe["freq"])
    return index


def pack(index: Any, what: str) -> dict[str, Any]:
    """Return an index's recipe with its data in it."""
    recipe, columns = plan_index(index, what)
    arrays = [column.rows(0, len(index)) for column in columns]
    if arrays:
        batch = pa.record_batch(arrays, list(map(str, range(len(arrays)))))
        compression = "zstd" if batch.nbytes >= COMPRESSED_BYTES else None
        sink, options = pa.BufferOutputStream(), pa.ipc.IpcWriteOptions(compression=compression)
        with pa.ipc.new_stream(sink, batch.schema, options=options) as stream:
            stream.write_batch(batch)
        recipe["data"] = base64.b64encode(sink.getvalue()).decode("ascii")
    return recipe


def unpack(recipe: dict[str, Any]) -> Any:
    """Return the index that `pack` was given."""
    if "data" not in recipe:
        return restore_index(recipe, [])
    with pa.ipc.open_stream(base64.b64decode(recipe["data"], validate=True)) as stream:
        return restore_index(recipe, stream.read_all().columns)


def _plan_codes(codes: Any, index: Any, name: str, *, ordered: bool) -> Column:
    """Plan codes into an index, -1 for missing."""
    detail = {"codes": codes.dtype.str, "ordered": ordered, "index": pack(index, name)}
    table = _table(index)
    if table is None:
        words = shown(index[:MOST_SHOWN]) + [MORE] * (len(index) > MOST_SHOWN)
        recipe = {"codes": detail | {"values": False, "shown": words}}
        return _column(recipe, codes, name)
    recipe = {"codes": detail | {"values": True}}
    is_text = pa.types.is_large_string(table.type)
    as_dictionary = is_text and len(table) <= MOST_IN_EACH_GROUP

    def rows(start: int, stop: int) -> Any:
        part = codes[start:stop]
        part = pa.array(part, mask=part < 0)
        return pa.DictionaryArray.from_arrays(part, table) if as_dictionary else table.take(part)

    return Column(recipe, rows(0, 0).type, rows)


def shown(labels: Any) -> list[str]:
    """Return labels or categories as people read them: who shows them has no pandas."""
    parts = [one if isinstance(labels, pd.MultiIndex) else (one,) for one in labels]
    texts = [" / ".join("" if one is None else str(one) for one in each) for each in parts]
    return [text[:MAX_SHOWN].encode(errors="replace").decode() for text in texts]


def _restore_codes(detail: dict[str, Any], chunks: Any) -> tuple[Any, Any]:
    """Return the codes and the index that `_plan_codes` was given."""
    index = unpack(detail["index"])
    if detail["values"]:
        table = _table(index)
        found = [_find(chunk, table) for chunk in chunks.chunks]
        chunks = pa.chunked_array(found, pa.int32()).fill_null(-1)
    return _to_numpy(chunks).astype(detail["codes"], copy=False), index


def _table(index: Any) -> Any | None:
    """Return a flat index's values as an Arrow array, if each can be found in it again."""
    column = plan(index, "")
    # The text of a document may differ from one process to the next: sets have no order.
    if column.recipe.get("object") or not column.recipe.get("codes", {"values": True})["values"]:
        return None
    table = column.rows(0, len(index))
    if pa.types.is_dictionary(table.type):
        table = table.dictionary_decode()
    try:
        found = _find(table, table)
    except pa.ArrowNotImplementedError:
        return None
    itself = found.equals(pa.array(np.arange(len(table), dtype="i4")))
    return table if itself and not table.null_count else None


def _find(values: Any, table: Any) -> Any:
    """Return the positions of values in a table, null for null."""
    if pa.types.is_dictionary(values.type):
        return _find(values.dictionary, table).take(values.indices)
    return pc.index_in(values, value_set=table)


_ARROW_TYPES: dict[Any, Any] = {
    str: pa.large_string(),
    bytes: pa.large_binary(),
    bool: pa.bool_(),
    int: pa.int64(),
    dt.date: pa.date32(),
    Decimal: None,  # of as many digits as are needed, up to 38
}


def _plan_objects(cells: Any, name: str) -> Column:
    """Plan cells of one exact type (None aside) as its Arrow type, which any engine reads."""
    kind, *others = {type(cell) for cell in cells if cell is not None} or [None]
    if kind is np.ndarray and not others and (dtype := _flat_arrays(cells)):
        array = pa.array(cells, type=pa.large_list(pa.from_numpy_dtype(dtype)), from_pandas=False)
        return _column({"arrays": dtype.str}, array, name)
    if kind in _ARROW_TYPES and not others:
        try:
            array = pa.array(cells, type=_ARROW_TYPES[kind], from_pandas=False)
            # Decimals come back with one exponent, and zero without a sign. Of those of more than
            # 38 digits DuckDB makes wrong numbers; polars and Spark do not read them.
            if kind is not Decimal or (
                pa.types.is_decimal128(array.type) and str(array.to_pylist()) == str([*cells])
            ):
                return _column({"object": False}, array, name)
        except (pa.ArrowException, TypeError, UnicodeError, OverflowError):
            pass  # an infinite Decimal, an int beyond 64 bits, a lone surrogate: as documents
    texts = [_document(cell, f"{name}, row {row}") for row, cell in enumerate(cells)]
    column = _column({"object": True}, pa.array(texts, type=pa.large_string()), name)
    return column._replace(missing_objects=int(pd.isna(cells).sum()))


def _document(cell: Any, where: str) -> str:
    return documents.dump(write_document(cell, where)).decode()


def write_document(part: Any, where: str) -> Any:
    """Return the document of a part of a frame; messages say where in the frame it is."""
    return documents.Writer(root=where).write(part)


def _flat_arrays(cells: Any) -> Any | None:
    """Return the one dtype of cells that are flat arrays of numbers; None if they are not."""
    arrays = [cell for cell in cells if cell is not None]
    dtype = arrays[0].dtype
    if dtype.kind not in "biuf" or dtype.itemsize > 8 or not dtype.isnative or dtype.char in "qQ":
        return None
    same = all(array.ndim == 1 and array.dtype.char == dtype.char for array in arrays)
    return dtype if same and not dtype.metadata else None


def _restore_arrays(dtype: Any, chunks: Any) -> Any:
    cells: list[Any] = []
    for chunk in chunks.chunks:
        ends = chunk.offsets.to_numpy()
        values = chunk.values.to_numpy(zero_copy_only=False).astype(dtype, copy=False)
        pairs = zip(ends[:-1], ends[1:], chunk.is_valid().to_pylist(), strict=True)
        cells += [values[start:stop].copy() if valid else None for start, stop, valid in pairs]
    return np.fromiter(cells, dtype=object, count=len(cells))


def _to_numpy(chunks: Any) -> Any:
    """Return a ChunkedArray, which nobody else uses, as one numpy array that may be written to."""
    array = chunks.to_numpy()
    if array.flags.writeable:
        return array
    # A view of the only chunk, which Arrow never lets anyone write to. Where Arrow allocated the
    # memory for this chunk (is_mutable) and did not borrow it, no copy is needed.
    memory = chunks.chunk(0).buffers()[1] if array.size else None
    if memory is None or not memory.is_mutable:
        return array.copy()
    offset = array.ctypes.data - memory.address
    return np.frombuffer(memory, array.dtype, array.size, offset)


def _recipe(dtype: Any, name: str) -> dict[str, Any]:
    if isinstance(dtype, np.dtype) or hasattr(dtype, "__from_arrow__"):
        return {"dtype": write_document(dtype, name)}
    raise ValueNotStorable(
        f"{name} has dtype {dtype}, which would not come back. Convert it first, for example with "
        f"{'.sparse.to_dense()' if isinstance(dtype, pd.SparseDtype) else 'astype(object)'}."
    )


def _numbers(array: Any) -> Any:
    """Return an Arrow array of numbers, none of them null, as numpy, without a copy."""
    return array.to_numpy(zero_copy_only=True)


def _column(recipe: dict[str, Any], array: Any, name: str) -> Column:
    """Return a column of an array that pyarrow converts by itself; NaN stays NaN."""

    def rows(start: int, stop: int) -> Any:
        part = array[start:stop]
        part = part if isinstance(part, pa.Array) else pa.array(part, from_pandas=False)
        part = part.combine_chunks() if isinstance(part, pa.ChunkedArray) else part
        return part.storage if isinstance(part, pa.ExtensionArray) else part

    try:
        return Column(recipe, rows(0, 0).type, rows)
    except (pa.ArrowException, TypeError) as error:
        is_complex = getattr(array.dtype, "kind", "") == "c"
        parts = "Return numpy.real() and numpy.imag() of it."
        advice = parts if is_complex else "Convert it with .astype()."
        raise ValueNotStorable(
            f"{name} has dtype {array.dtype}, which Arrow does not have ({error}). {advice}"
        ) from error


def _is_flat(kind: Any) -> bool:
    """Tell whether Parquet is known to give an Arrow type back."""
    if pa.types.is_decimal(kind) or isinstance(kind, pa.BaseExtensionType) or kind == pa.date64():
        return False
    return pa.types.is_primitive(kind) or kind in (pa.string(), pa.large_string(), pa.binary())


def _try_parquet(column: Column, values: Any, name: str) -> None:
    """Refuse a column that comes back changed, or not at all, tried with its first rows."""
    try:
        if "date64" in str(column.type):  # Parquet keeps its days, and it should have nothing else
            pa.array(values).validate(full=True)
        values = values[:TRIED_ROWS]
        sink = pa.BufferOutputStream()
        rows = column.rows(0, len(values))
        pq.write_table(pa.table([rows], ["a"]), sink)
        chunks = pq.read_table(pa.BufferReader(sink.getvalue())).column(0)
        back = restore(column.recipe, as_written(chunks, column.type))
        same = str(back.dtype) == str(values.dtype) and back.dtype == values.dtype
        # As text, in which NaN is like NaN.
        if not same or str(pa.array(back).to_pylist()) != str(pa.array(values).to_pylist()):
            raise ValueError(f"as {back.dtype}")
    except (pa.ArrowException, ValueError, TypeError, OSError, NotImplementedError) as error:
        raise ValueNotStorable(
            f"{name} has dtype {str(values.dtype)[:200]}, which Parquet does not give back "
            f"({str(error)[:200]}). Convert it, or return a pyarrow.Table."
        ) from error


def as_written(column: Any, kind: Any) -> Any:
    """Return what was read from Parquet, which has fewer types, as the type that was written."""
    if column.type == kind or not pa.types.is_dictionary(kind):
        return column.cast(kind)
    if not pa.types.is_dictionary(column.type):
        column = column.cast(kind.value_type).dictionary_encode()
    made = pa.DictionaryArray.from_arrays
    chunks = [
        made(chunk.indices.cast(kind.index_type), words, ordered=kind.ordered)
        for chunk in column.chunks
        for words in [chunk.dictionary.cast(kind.value_type)]
    ]
    return pa.chunked_array(chunks, kind).unify_dictionaries()
