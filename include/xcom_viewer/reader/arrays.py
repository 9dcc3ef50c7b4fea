"""The beginning of a numpy file: shape, dtype, figures and the first values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from include.xcom_store.codecs import npy
from include.xcom_store.codecs.frames.describe import Meaning
from include.xcom_store.errors import ObjectCorrupt
from include.xcom_viewer.pipe import BUDGET_BYTES
from include.xcom_viewer.reader import cells, pictures, statistics
from include.xcom_viewer.shown.values import Array

if TYPE_CHECKING:
    from include.xcom_viewer.reader.remote import Source
    from include.xcom_viewer.shown.tables import Figures

HEAD_BYTES = 16 * 1024
"""Read at first: the whole header of all but arrays of a thousand fields."""
SHOWN_ROWS, SHOWN_COLUMNS = 20, 12
MAX_CELL_CHARACTERS = 80


def preview(source: Source) -> Array:
    """Return the beginning of an array.

    Raises:
        ObjectCorrupt: it is not a numpy file of this backend.
    """
    import numpy as np

    shape, order, dtype, start = _header(source)
    size = int(np.prod(shape, dtype=object))
    # A longlong is named by one more byte.
    if source.size - start - size * dtype.itemsize not in (0, 1):
        raise ObjectCorrupt(f"an array of shape {shape}, {dtype}, has another size.")
    # Of a large array, little less than all that may be read: the header is read, too.
    left = BUDGET_BYTES - max(HEAD_BYTES, start)
    count = size if source.size <= HEAD_BYTES else min(size, left // dtype.itemsize)
    values = np.frombuffer(source.read(start, start + count * dtype.itemsize), dtype, count)
    fortran = order == "F"
    try:
        rows = _rows(values, shape, fortran=fortran)
    except SystemError as error:  # letters that Unicode has not
        raise ObjectCorrupt(f"the array has a value that is none ({error}).") from error
    return Array(
        shape=list(shape),
        dtype=str(dtype),
        order="column by column (Fortran)" if order == "F" and len(shape) > 1 else "",
        size=size,
        read=count,
        figures=_figures(values),
        rows=rows,
        pictures=pictures.of_array(values, shape, fortran=fortran),
    )


def _header(source: Source) -> tuple[tuple[int, ...], str, Any, int]:
    head = source.read(0, min(HEAD_BYTES, source.size))
    if (size := min(npy.header_size(head), source.size)) > len(head):
        head += source.read(len(head), size)
    try:
        return npy.read_header(head)
    except Exception as error:  # numpy's parser of Python raises what it likes
        raise ObjectCorrupt(f"the object is not a readable numpy file ({error}).") from error


def _figures(values: Any) -> Figures | None:
    import numpy as np
    import pyarrow as pa

    if values.dtype.kind not in "biuf" or values.dtype.itemsize > 8:
        return None
    small = values.dtype.kind == "b" or values.dtype.str[1:] == "f2"
    native = values.astype(np.float32 if small else values.dtype.newbyteorder("="), copy=False)
    column = cells.numbers(native, pa.from_numpy_dtype(native.dtype))
    return statistics.of(
        pa.chunked_array([column]), Meaning(nan_is_missing=native.dtype.kind == "f")
    )


def _rows(values: Any, shape: tuple[int, ...], *, fortran: bool) -> list[list[str]]:
    if len(shape) == 2 and shape[1] and not fortran:
        rows = min(SHOWN_ROWS, len(values) // shape[1])
        corner = values[: rows * shape[1]].reshape(rows, shape[1])[:, :SHOWN_COLUMNS]
        return [[cells.shorten(str(value), MAX_CELL_CHARACTERS) for value in row] for row in corner]
    return [[cells.shorten(str(value), MAX_CELL_CHARACTERS)] for value in values[:SHOWN_ROWS]]
