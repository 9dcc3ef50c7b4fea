"""bytes and bytearray, as they are."""

from __future__ import annotations

from include.xcom_store.codecs.base import Data, Encoded

NAME = "python-bytes"


def accepts(value: object) -> bool:
    return type(value) in (bytes, bytearray)


def encode(value: bytes | bytearray, _compression: str) -> Encoded:
    size = len(value)
    return Encoded("bin", lambda sink: sink.write(value), f"{size:,} bytes", size)


def decode(data: Data, type_name: str) -> bytes | bytearray:
    return bytearray(data) if type_name == "bytearray" else bytes(data)
