"""Documents (see `include.xcom_store.document`) as UTF-8 JSON; from 64 KB on compressed with zstd.

Takes no value by itself: everything without a codec of its own is made a document.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from include.xcom_store import document
from include.xcom_store.codecs.base import Encoded

if TYPE_CHECKING:
    from include.xcom_store.codecs.base import Sink

NAME = "json"
COMPRESS_FROM = 64 * 1024
"""Bytes. Below, the request costs more than the bytes, and plain text is readable by anything."""
MAX_TEXT = 4 * 1024**3
"""Bytes. An object that unpacks to more is not one of ours."""
PIECE = 1024 * 1024
"""Bytes unpacked at once: what is read into is reserved before."""
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


def accepts(_value: Any, _least: int) -> bool:
    return False


def encode(value: Any, compression: str) -> Encoded:
    return encode_text(document.dump(value), compression)


def encode_text(text: bytes, compression: str, summary: str = "") -> Encoded:
    """Encode JSON text that is already there."""
    if compression == "none" or len(text) < COMPRESS_FROM:
        return Encoded("json", lambda sink: sink.write(text), summary)

    def write_compressed(sink: Sink) -> None:
        import pyarrow as pa

        with pa.CompressedOutputStream(pa.PythonFile(sink, "w"), "zstd") as stream:
            stream.write(text)

    return Encoded("json.zst", write_compressed, summary)


def decode(data: bytes | bytearray, _type_name: str) -> Any:
    if data[:4] != _ZSTD_MAGIC:
        return document.load(data)
    import pyarrow as pa

    text = bytearray()
    with pa.CompressedInputStream(pa.BufferReader(data), "zstd") as stream:
        while piece := stream.read(PIECE):
            text += piece
            if len(text) > MAX_TEXT:
                raise ValueError(f"the JSON unpacks to more than {MAX_TEXT:,} bytes")
    return document.load(text)
