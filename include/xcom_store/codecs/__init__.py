"""Rich values as objects in S3: one short module a format, one table at the foot of this one.

A codec module has

- `NAME`: what references and documents call it; it decides how an object is read, for ever.
- `accepts(value, least)`: whether it takes this value. It imports nothing: where a library was
  never imported, no value can be of its types.
- `encode(value, compression)`: an `Encoded`; raises `ValueNotStorable` for what would change.
- `decode(data, type_name)`: the value from the object's bytes.

To add a type, write such a module, add it to `CODECS`, and add a line to the round-trip table in
tests/xcom_store/cases.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from include.xcom_store.codecs import arrow, binary, frames, ge_result, json_text, npy, polars_frame

if TYPE_CHECKING:
    from include.xcom_store.codecs.base import Codec

LEAST_LEAF = 64 * 1024
"""Bytes; inside another value, bytes from this size on get an object of their own."""


def find(value: Any, least: int = LEAST_LEAF) -> Codec | None:
    """Return the first codec that takes the value, or None."""
    return next((codec for codec in CODECS.values() if codec.accepts(value, least)), None)


_MODULES: tuple[Codec, ...] = (frames, polars_frame, arrow, npy, binary, ge_result, json_text)
CODECS: dict[str, Codec] = {module.NAME: module for module in _MODULES}
"""First that accepts wins on write, the stored name decides on read."""
