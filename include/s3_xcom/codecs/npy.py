"""numpy arrays as `.npy`: dtype (structured and byte order included), shape and memory order.

Never with pickle: object arrays are refused, at push and at pull. Subclasses (matrix, masked and
record arrays) are refused, for they would come back as plain arrays.
"""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any

from include.s3_xcom.codecs.base import Encoded
from include.s3_xcom.errors import ValueNotStorable

if TYPE_CHECKING:
    from include.s3_xcom.codecs.base import Sink

NAME = "npy"


def accepts(value: Any, _least: int) -> bool:
    numpy: Any = sys.modules.get("numpy")
    return bool(numpy) and isinstance(value, numpy.ndarray)


def encode(value: Any, _compression: str) -> Encoded:
    import numpy as np

    if type(value) is not np.ndarray:
        raise ValueNotStorable(
            f"a {type(value).__module__}.{type(value).__qualname__} would come back as a plain "
            "numpy.ndarray. Return numpy.asarray(value), and its mask or fields beside it."
        )
    if value.dtype.hasobject:
        raise ValueNotStorable(
            f"a numpy array of dtype {value.dtype} holds Python objects, which only pickle could "
            "store. Give it a numeric or string dtype, or return a list."
        )
    try:
        str(value.dtype).encode("latin-1")
    except UnicodeEncodeError as error:
        raise ValueNotStorable(f"a field of {value.dtype} has a name beyond Latin-1.") from error
    if value.dtype.metadata:
        raise ValueNotStorable("a numpy dtype with metadata would lose it. Return it separately.")

    def write(sink: Sink) -> None:
        np.lib.format.write_array(sink, value, allow_pickle=False)

    return Encoded("npy", write, f"shape {value.shape}, {value.dtype}")


def decode(data: bytes | bytearray, _type_name: str) -> Any:
    import numpy as np

    # Not read_array(): it reserves what the header claims before it looks at the data.
    file = io.BytesIO(data)
    one = np.lib.format.read_magic(file) == (1, 0)
    read = np.lib.format.read_array_header_1_0 if one else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(file)
    if dtype.hasobject:
        raise ValueError("an array of Python objects")
    order: Any = "F" if fortran else "C"
    writable = data if isinstance(data, bytearray) else bytearray(data)
    return np.ndarray(shape, dtype, writable, offset=file.tell(), order=order)
