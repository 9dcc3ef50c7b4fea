"""Arrays that look like images, as PNG: grey, RGB or RGBA, of bytes or of floats."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

MIN_SIDE, MAX_SIDE = 16, 512
"""Smaller ones are tables; of larger ones every second, third … pixel is shown."""


def of_array(values: Any, shape: tuple[int, ...], *, fortran: bool) -> tuple[str, str]:
    """Return a PNG in base64 and how it was made; nothing for what does not look like an image.

    Args:
        values: all of the array's, flat.
        shape: of the array.
        fortran: they lie column by column.
    """
    import numpy as np

    channels = shape[2] if len(shape) == 3 else 1
    is_image = len(shape) in (2, 3) and min(shape[:2]) >= MIN_SIDE and channels in (1, 3, 4)
    if not is_image or not (values.dtype == np.uint8 or values.dtype.kind == "f"):
        return "", ""
    step = -(-max(shape[:2]) // MAX_SIDE)
    pixels = values.reshape(shape, order="F" if fortran else "C")[::step, ::step]
    words = [f"every {step}th pixel in each direction"] if step > 1 else []
    if pixels.dtype != np.uint8:
        pixels, scaled = _bytes(pixels.astype(np.float32))
        words.append(scaled)
    return base64.b64encode(_png(pixels, channels)).decode(), "; ".join(words)


def _bytes(pixels: Any) -> tuple[Any, str]:
    """Return floats as bytes: 0 to 1 as they are, others from the least to the greatest."""
    import numpy as np

    finite = pixels[np.isfinite(pixels)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    if low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    width = high - low or 1.0
    scaled = np.nan_to_num((pixels - low) / width, nan=0.0, posinf=1.0, neginf=0.0)
    return (scaled.clip(0, 1) * 255).round().astype(
        np.uint8
    ), f"black is {low:.4g}, white {high:.4g}"


def _png(pixels: Any, channels: int) -> bytes:
    import numpy as np

    height, width = pixels.shape[:2]
    lines = np.zeros((height, 1 + width * channels), np.uint8)  # the first byte: no filter
    lines[:, 1:] = pixels.reshape(height, width * channels)
    header = struct.pack(">IIBBBBB", width, height, 8, {1: 0, 3: 2, 4: 6}[channels], 0, 0, 0)
    parts = (b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 6)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*part) for part in parts)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
