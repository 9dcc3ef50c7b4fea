"""Rich values as bytes: one short module per format, one table at the foot of this one.

A codec module has

- `NAME`: what references and documents call it; it decides how an object is read, for ever. By one
  rule: the library whose values it takes, a dash, the format of the bytes.
- `accepts(value)`: whether it takes this value. It imports nothing: where a library was never
  imported, no value can be of its types.
- `encode(value, compression)`: an `Encoded`; raises `ValueNotStorable` for what would change.
- `decode(data, type_name)`: the value from the object's bytes.

To add a codec, write such a module, add it to `_MODULES`, and add a line to the round-trip table in
tests/xcom_store/cases.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from include.xcom_store.codecs import (
    arrow,
    arrow_stream,
    binary,
    frames,
    ge_result,
    json_text,
    npy,
    polars_frame,
)
from include.xcom_store.errors import ObjectCorrupt

if TYPE_CHECKING:
    from include.xcom_store.codecs.base import Codec


MIN_LEAF_BYTES = 64 * 1024
"""Inside another value, bytes from this size on get an object of their own."""
JSON_TYPES = {type(None), bool, int, float, str, list, dict}  # what most XComs are


def find(value: Any, min_bytes: int = MIN_LEAF_BYTES) -> Codec | None:
    """Return the first codec that takes the value; None for what is written as a document.

    Of bytes, only those of `min_bytes` and more are an object.
    """
    kind = type(value)
    if kind in JSON_TYPES or (kind in (bytes, bytearray) and len(value) < min_bytes):
        return None
    return next((codec for codec in CODECS.values() if codec.accepts(value)), None)


def decoder(name: str) -> Any:
    """Return what reads the objects of a codec; documents (`python-json`) are parsed only.

    Raises:
        ObjectCorrupt: this version does not have it.
    """
    known: dict[str, Any] = {**CODECS, json_text.NAME: json_text}
    if name not in known:
        raise ObjectCorrupt(
            f"the object was written with codec {name!r}, which this version does not have (it has "
            f"{', '.join(known)}). Deploy the version that wrote it."
        )
    return known[name].decode


# `arrow` cannot write what `arrow_stream` takes.
_MODULES: tuple[Codec, ...]
_MODULES = (frames, polars_frame, arrow_stream, arrow, npy, binary, ge_result)
CODECS: dict[str, Codec] = {module.NAME: module for module in _MODULES}
"""First that accepts wins on write, the stored name decides on read."""
