"""bytes and bytearray, as they are. Small ones inside another value stay in it, as Base64."""

from __future__ import annotations

from typing import Any

from include.xcom_store.codecs.base import Encoded

NAME = "binary"


def accepts(value: Any, least: int) -> bool:
    return type(value) in (bytes, bytearray) and len(value) >= least


def encode(value: bytes | bytearray, _compression: str) -> Encoded:
    return Encoded("bin", lambda sink: sink.write(value), f"{len(value):,} bytes")


def decode(data: bytes | bytearray, type_name: str) -> bytes | bytearray:
    return bytearray(data) if type_name == "bytearray" else bytes(data)
