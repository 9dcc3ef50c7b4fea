"""One pandas column or index as an Arrow array, and exactly back.

Arrow and Parquet change much without a word: seconds become milliseconds, categories that do not
occur vanish, object columns become strings. So each column has a recipe, kept in the file's
metadata, that says what was there:

| recipe | dtypes | Arrow data |
|---|---|---|
| `numpy`    | bool, int, uint, float, datetime64, timedelta64 | as they are |
| `pandas`   | Int64 …, boolean, period, interval | as pandas' own Arrow protocol has them |
| `zoned`, `string`, `arrow` | datetimes with a zone, str, Arrow-backed | likewise |
| `codes`    | category, a MultiIndex's level | the values, if flat, few texts as codes; or codes |
| `object`   | object (see `frame_objects`)                    | one type, or JSON documents |
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, NamedTuple

from include.s3_xcom import document
from include.s3_xcom.codecs import frame_objects
from include.s3_xcom.errors import ValueNotStorable

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_IN_EACH_GROUP = 1_000
"""Up to so many text categories are written as codes: it is faster, but each group has them all."""


class Column(NamedTuple):
    """A column ready to be written.

    Attributes:
        recipe: JSON; what `restore` needs beside the Arrow data.
        type: the Arrow type.
        rows: returns the Arrow array of rows start to stop.
    """

    recipe: dict[str, Any]
    type: Any
    rows: Callable[[int, int], Any]


def plan(values: Any, name: str) -> Column:
    """Decide how a pandas Series or flat Index is written.

    Raises:
        ValueNotStorable: names the column and what in it cannot be kept exactly.
    """
    import numpy as np
    import pandas as pd

    dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        codes, ordered = values.array.codes, bool(dtype.ordered)
        return plan_codes(codes, dtype.categories, name, ordered=ordered)
    if isinstance(dtype, np.dtype) and dtype.hasobject:
        array, documents = frame_objects.to_arrow(values.to_numpy(), name)
        return _column({"object": documents}, array)
    recipe = _recipe(dtype, name)
    return _column(recipe, values.to_numpy() if "numpy" in recipe else values.array, name)


def restore(recipe: dict[str, Any], chunks: Any) -> Any:
    """Return the array that `plan` was given, from its recipe and a pyarrow ChunkedArray."""
    import numpy as np
    import pandas as pd

    ((kind, detail), *_) = recipe.items()
    if kind == "numpy":
        return to_numpy(chunks).astype(detail, copy=False)
    if kind == "object":
        return frame_objects.from_arrow(chunks, documents=detail)
    if kind == "arrow":
        return pd.arrays.ArrowExtensionArray(chunks)
    if kind == "codes":
        codes, categories = restore_codes(recipe, chunks)
        dtype = pd.CategoricalDtype(categories, ordered=recipe["ordered"])
        return pd.Categorical.from_codes(codes, dtype=dtype, validate=False)
    if kind == "zoned":
        made: Any = pd.DatetimeTZDtype(detail[0], document.read(detail[1]))
    elif kind == "string":
        made = pd.StringDtype(detail[0], na_value=pd.NA if detail[1] else np.nan)
    else:
        made = pd.api.types.pandas_dtype({"pandas": detail}[kind])
    return made.__from_arrow__(chunks)


def plan_codes(codes: Any, categories: Any, name: str, *, ordered: bool) -> Column:
    """Write codes into an Index, -1 for missing: a categorical column, a MultiIndex's level."""
    import pyarrow as pa

    recipe = {"codes": codes.dtype.str, "categories": pack(categories, name), "ordered": ordered}
    values = plan(categories, name)
    text = pa.types.is_large_string(values.type)
    if not (text or pa.types.is_primitive(values.type)):
        return _column(recipe, codes)
    table = values.rows(0, len(categories))
    as_codes = text and len(categories) <= MOST_IN_EACH_GROUP

    def rows(start: int, stop: int) -> Any:
        part = codes[start:stop]
        part = pa.array(part, mask=part < 0)
        return pa.DictionaryArray.from_arrays(part, table) if as_codes else table.take(part)

    return Column({**recipe, "flat": True}, rows(0, 0).type, rows)


def restore_codes(recipe: dict[str, Any], chunks: Any) -> tuple[Any, Any]:
    """Return the codes and the Index that `plan_codes` was given."""
    import pyarrow as pa
    import pyarrow.compute as pc

    categories = unpack(recipe["categories"])
    if recipe.get("flat"):
        table = plan(categories, "").rows(0, len(categories))

        def find(values: Any) -> Any:
            if pa.types.is_dictionary(values.type):
                return find(values.dictionary).take(values.indices)
            return pc.index_in(values, value_set=table)

        chunks = pa.chunked_array(map(find, chunks.chunks), pa.int32()).fill_null(-1)
    return to_numpy(chunks).astype(recipe["codes"], copy=False), categories


def pack(index: Any, name: str) -> dict[str, Any]:
    """Return a flat Index as JSON: categories, levels and labels go into the file's metadata."""
    import pyarrow as pa

    column = plan(index, name)
    batch = pa.record_batch([column.rows(0, len(index))], ["values"])
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(sink, batch.schema, options=options) as stream:
        stream.write_batch(batch)
    data = base64.b64encode(sink.getvalue()).decode("ascii")
    return {"recipe": column.recipe, "data": data, "name": document.Writer().write(index.name)}


def unpack(packed: dict[str, Any]) -> Any:
    """Return the Index that `pack` was given."""
    import pyarrow as pa

    with pa.ipc.open_stream(base64.b64decode(packed["data"], validate=True)) as stream:
        chunks = stream.read_all().column(0)
    return as_index(restore(packed["recipe"], chunks), document.read(packed["name"]))


def as_index(array: Any, name: Any) -> Any:
    """Return an Index of exactly the array's dtype, where pandas would infer another."""
    import pandas as pd

    return pd.Index(array, dtype=array.dtype, name=name, tupleize_cols=False, copy=False)


def to_numpy(chunks: Any) -> Any:
    """Return a ChunkedArray, which nobody else uses, as one numpy array that may be written to."""
    import numpy as np

    array = chunks.to_numpy()
    if array.flags.writeable:
        return array
    # A view of the only chunk, which Arrow never lets anyone write to. Where the memory was
    # allocated by Arrow for this chunk (is_mutable), and not borrowed, no copy is needed.
    memory = chunks.chunk(0).buffers()[1] if array.size else None
    if memory is None or not memory.is_mutable:
        return array.copy()
    offset = array.ctypes.data - memory.address
    return np.frombuffer(memory, array.dtype, array.size, offset)


def _recipe(dtype: Any, name: str) -> dict[str, Any]:
    import numpy as np
    import pandas as pd

    if isinstance(dtype, np.dtype):
        return {"numpy": dtype.str}
    if isinstance(dtype, pd.DatetimeTZDtype):
        return {"zoned": [dtype.unit, document.Writer().write(dtype.tz)]}
    if isinstance(dtype, pd.StringDtype):
        return {"string": [dtype.storage, dtype.na_value is pd.NA]}
    if isinstance(dtype, pd.ArrowDtype):
        return {"arrow": True}
    text = str(dtype)
    if hasattr(dtype, "__from_arrow__") and pd.api.types.pandas_dtype(text) == dtype:
        return {"pandas": text}
    raise ValueNotStorable(
        f"column {name} has dtype {dtype}, which would not come back. Convert it first, for "
        "example with .sparse.to_dense() or .astype(object)."
    )


def _column(recipe: dict[str, Any], array: Any, name: str = "") -> Column:
    """Return a column of an array that pyarrow converts by itself; NaN stays NaN."""
    import pyarrow as pa

    def rows(start: int, stop: int) -> Any:
        part = array[start:stop]
        part = part if isinstance(part, pa.Array) else pa.array(part, from_pandas=False)
        part = part.combine_chunks() if isinstance(part, pa.ChunkedArray) else part
        return part.storage if isinstance(part, pa.ExtensionArray) else part

    try:
        return Column(recipe, rows(0, 0).type, rows)
    except (pa.ArrowException, TypeError) as error:
        raise ValueNotStorable(
            f"column {name} has dtype {array.dtype}, which Arrow does not have ({error}). "
            "Convert it; a complex column for example into its .real and .imag."
        ) from error
