"""numpy arrays as `.npy`: dtype (structured and byte order included), shape and memory order.

Never with pickle: arrays of Python objects are documents (see `documents.data`), fields of objects
are refused, and so are both at pull. Subclasses (matrix, masked and record arrays) are refused
because they would come back as plain arrays; so are dtypes that numpy does not write in full
(metadata, `align=True`). The one flat dtype of that kind, longlong, which comes back as int64, is
named by one more byte after the values.
"""

from __future__ import annotations

import io
import sys
import threading
import warnings
from typing import Any, Literal

from include.xcom_store.codecs.base import Data, Encoded, Sink
from include.xcom_store.documents.data import is_objects, whole
from include.xcom_store.documents.tags import full_name
from include.xcom_store.errors import ValueNotStorable

NAME = "numpy-npy"
HEADER = 1024 * 1024
"""Bytes of a header that are read. With numpy's own limit, 10,000, it writes arrays of a thousand
fields that it then does not read."""

_PARSING = threading.Lock()
"""numpy parses a header with `ast`, which in CPython 3.11 may raise SystemError in two threads."""
_LONG = {"q": "q", "Q": "Q"}
"""The dtypes that are as wide as int64 and uint64 and are others."""


def accepts(value: Any) -> bool:
    numpy: Any = sys.modules.get("numpy")
    return bool(numpy) and isinstance(value, numpy.ndarray) and not is_objects(value)


def encode(value: Any, _compression: str) -> Encoded:
    import numpy as np

    dtype = value.dtype
    if type(value) is not np.ndarray:
        advice = "its .data and its .mask" if np.ma.isMaskedArray(value) else "numpy.array(value)"
        if isinstance(value, np.recarray):
            advice = "pandas.DataFrame(value)"
        raise ValueNotStorable(
            f"a {full_name(type(value))} would come back as a plain numpy.ndarray. Return {advice}."
        )
    if dtype.hasobject:
        raise ValueNotStorable(
            f"a numpy array of dtype {dtype} holds Python objects, which only pickle could store. "
            "Give it a numeric or string dtype, or return .tolist() of it."
        )
    char = dtype.char.encode() if dtype.char in _LONG else b""
    # The first version of the format has 16 bits for the length of the header.
    version = (1, 0) if _header_bytes(value) < 2**16 else (2, 0)

    def write(sink: Sink) -> None:
        np.lib.format.write_array(sink, value, version, allow_pickle=False)
        if char:
            sink.write(char)

    return Encoded("npy", write, f"shape {value.shape}, {dtype}", value.nbytes)


def _header_bytes(value: Any) -> int:
    """Return the length of the header, if numpy reads the same dtype back from it."""
    import numpy as np

    file, name = io.BytesIO(), f"a numpy array of the dtype {str(value.dtype)[:200]}"
    try:
        with warnings.catch_warnings(action="ignore"):  # numpy's own, of metadata
            header = np.lib.format.header_data_from_array_1_0(value)
        np.lib.format.write_array_header_2_0(file, header)
        back = _long(read_header(file.getvalue())[2], value.dtype.char)
        same = whole(back) == whole(value.dtype)
    except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
        raise ValueNotStorable(
            f"{name} cannot be read back from a file ({str(error)[:200]}). Return its fields one "
            "by one."
        ) from error
    if not same:
        raise ValueNotStorable(
            f"{name} would lose its metadata, its align=True or a longlong in a file. Return "
            "value.astype(a dtype without it)."
        )
    return file.tell()


def _long(dtype: Any, char: str) -> Any:
    import numpy as np

    return np.dtype(char).newbyteorder(dtype.byteorder) if char in _LONG else dtype


def decode(data: Data, _type_name: str) -> Any:
    import numpy as np

    shape, order, dtype, start = read_header(data)
    writable = bytearray(data) if isinstance(data, bytes) else data
    array = np.ndarray(shape, dtype, writable, offset=start, order=order)
    char = bytes(data[start + array.nbytes :]).decode()
    return array.view(_long(dtype, _LONG[char])) if char else array


def header_size(beginning: bytes) -> int:
    """Return where the values begin, from the first 12 bytes."""
    digits = 2 if beginning[6:7] == b"\1" else 4  # of the header's length, by the file's version
    return 8 + digits + int.from_bytes(beginning[8 : 8 + digits], "little")


def read_header(data: Data) -> tuple[tuple[int, ...], Literal["C", "F"], Any, int]:
    """Return shape, memory order, dtype, and where the values begin; `ValueError` if there is none.

    Not numpy's read_array(): it reserves what the header claims before it looks at the data.
    """
    import numpy as np

    file = io.BytesIO(memoryview(data)[:HEADER])
    one = np.lib.format.read_magic(file) == (1, 0)
    read = np.lib.format.read_array_header_1_0 if one else np.lib.format.read_array_header_2_0
    with _PARSING:
        shape, fortran, dtype = read(file, max_header_size=HEADER)
    if dtype.hasobject:
        raise ValueError("an array of Python objects")
    return shape, "F" if fortran else "C", dtype, file.tell()
