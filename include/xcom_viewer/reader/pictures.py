"""Arrays as PNG: as images, grey, RGB or RGBA, of bytes or of floats; matrices as heat maps."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

from include.xcom_viewer.reader import cells
from include.xcom_viewer.shown.values import Picture

MIN_SIDE, MAX_SIDE = 16, 512
"""Smaller ones are no images; of larger ones every second, third … pixel is shown."""
COLOURS = ("440154", "46327e", "365c8d", "277f8e", "1fa187", "4ac16d", "a0da39", "fde725")
"""From the least to the greatest: viridis, whose order the colour-blind see, too."""
NOTHING = (128, 128, 128)
"""What is missing or infinite in a heat map."""


def of_array(values: Any, shape: tuple[int, ...], *, fortran: bool) -> list[Picture]:
    """Return an array as an image, and a matrix of numbers as a heat map; nothing for others.

    Args:
        values: the array's, flat; of a large one the first.
        shape: of the array.
        fortran: they lie column by column.
    """
    import numpy as np

    if len(shape) not in (2, 3) or not len(values) or values.dtype.kind not in "biuf":
        return []
    is_matrix = len(shape) == 2 and min(shape) > 1 and values.dtype != np.uint8
    if len(values) < int(np.prod(shape, dtype=object)):
        rows = len(values) // shape[1]
        if not is_matrix or fortran or rows < 2:
            return []
        part = values[: rows * shape[1]].reshape(rows, shape[1])
        return [_heat_map(part, [f"the first {rows:,} of {shape[0]:,} rows"])]
    pixels = values.reshape(shape, order="F" if fortran else "C")
    channels = shape[2] if len(shape) == 3 else 1
    is_image = min(shape[:2]) >= MIN_SIDE and channels in (1, 3, 4)
    found = []
    if is_image and (values.dtype == np.uint8 or values.dtype.kind == "f"):
        found.append(_image(pixels, channels))
    return [*found, _heat_map(pixels, [])] if is_matrix else found


def _image(pixels: Any, channels: int) -> Picture:
    step = -(-max(pixels.shape[:2]) // MAX_SIDE)
    words = [f"every {cells.ordinal(step)} pixel in each direction"] if step > 1 else []
    pixels, scaled = _bytes(pixels[::step, ::step])
    return _picture("Image", png(pixels, channels), words + scaled)


def _picture(title: str, data: bytes, words: list[str]) -> Picture:
    return Picture(title, base64.b64encode(data).decode(), "; ".join(words))


def _heat_map(pixels: Any, words: list[str]) -> Picture:
    import numpy as np

    steps = [-(-side // MAX_SIDE) for side in pixels.shape]
    for step, name in zip(steps, ("row", "column"), strict=True):
        words += [f"every {cells.ordinal(step)} {name}"] * (step > 1)
    numbers = pixels[:: steps[0], :: steps[1]].astype(np.float64)
    finite = np.isfinite(numbers)
    low, high = (numbers[finite].min(), numbers[finite].max()) if finite.any() else (0.0, 1.0)
    with np.errstate(all="ignore"):
        share = (numbers / 2 - low / 2) / ((high / 2 - low / 2) or 1.0)  # halves never overflow
    indexes = np.where(finite, 1 + np.nan_to_num(share).clip(0, 1) * 254, 0).astype(np.uint8)
    stops = np.array([[*bytes.fromhex(colour)] for colour in COLOURS], float)
    places = np.linspace(0, len(COLOURS) - 1, 255)
    parts = [np.interp(places, range(len(COLOURS)), stops[:, part]) for part in range(3)]
    palette = np.vstack([NOTHING, np.stack(parts, 1).round()]).astype(np.uint8)
    scale = [f"violet is {low:.4g}, yellow {high:.4g}"]
    if not finite.all():
        scale.append("grey is missing or infinite")
    return _picture("Heat map", png(palette[indexes], 3), words + scale)


def _bytes(pixels: Any) -> tuple[Any, list[str]]:
    """Return floats as bytes: 0 to 1 as they are, others from the least to the greatest."""
    import numpy as np

    if pixels.dtype == np.uint8:
        return pixels, []
    pixels = pixels.astype(np.float32)
    finite = pixels[np.isfinite(pixels)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    if low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    width = high - low or 1.0
    scaled = np.nan_to_num((pixels - low) / width, nan=0.0, posinf=1.0, neginf=0.0)
    grey = (scaled.clip(0, 1) * 255).round().astype(np.uint8)
    return grey, [f"black is {low:.4g}, white {high:.4g}"]


def png(pixels: Any, channels: int) -> bytes:
    """Return bytes of shape (h, w) or (h, w, channels) as a PNG."""
    import numpy as np

    height, width = pixels.shape[:2]
    lines = np.zeros((height, 1 + width * channels), np.uint8)  # the first byte: no filter
    lines[:, 1:] = pixels.reshape(height, width * channels)
    header = struct.pack(">IIBBBBB", width, height, 8, {1: 0, 3: 2, 4: 6}[channels], 0, 0, 0)
    parts = (b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 6)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*part) for part in parts)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
