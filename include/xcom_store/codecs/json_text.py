"""Documents (see `documents`) as UTF-8 JSON, compressed from 64 KiB on.

`values` writes what no codec takes as a document, `ge_result` its results.
"""

from __future__ import annotations

from typing import Any

from include.xcom_store import documents
from include.xcom_store.codecs.base import Data, Encoded, Sink

NAME = "python-json"
COMPRESS_FROM_BYTES = 64 * 1024
"""Below, the request costs more than the bytes, and plain text is readable by anything."""
MAX_TEXT_BYTES = 4 * 1024**3
"""An object that unpacks to more is not one of ours."""
PIECE_BYTES = 1024 * 1024
"""Unpacked at once: what is read into is reserved before."""
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


def encode(text: bytes, compression: str, summary: str = "") -> Encoded:
    if compression == "none" or len(text) < COMPRESS_FROM_BYTES:
        return Encoded("json", lambda sink: sink.write(text), summary)

    def write_compressed(sink: Sink) -> None:
        import pyarrow as pa

        with pa.CompressedOutputStream(pa.PythonFile(sink, "w"), "zstd") as stream:
            stream.write(text)

    return Encoded("json.zst", write_compressed, summary)


def decode(data: Data, _type_name: str = "") -> Any:
    """Return the document, parsed."""
    text = unpack(data, MAX_TEXT_BYTES)
    if len(text) > MAX_TEXT_BYTES:
        raise ValueError(f"the JSON unpacks to more than {MAX_TEXT_BYTES:,} bytes")
    return documents.load(text)


def unpack(data: Data, max_bytes: int) -> Data | bytearray:
    """Return the text of a document; one of more than `max_bytes` is cut soon after these."""
    if data[:4] != _ZSTD_MAGIC:
        return data
    import pyarrow as pa

    text = bytearray()
    with pa.CompressedInputStream(pa.BufferReader(data), "zstd") as stream:
        while len(text) <= max_bytes and (piece := stream.read(PIECE_BYTES)):
            text += piece
    return text
