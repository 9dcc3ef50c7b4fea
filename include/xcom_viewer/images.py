"""Which bytes are images that browsers show, told from how they begin; nothing is decoded."""

from __future__ import annotations

MAX_BYTES = 4 * 1024 * 1024
"""Of an image that a page shows."""
SVG = "image/svg+xml"
_BEGINNINGS = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}


def media_type(head: bytes) -> str | None:
    """Return the media type of bytes that begin so; None for what is no image."""
    for beginning, found in _BEGINNINGS.items():
        if head.startswith(beginning):
            return found
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    text = head[:256].lstrip(b"\xef\xbb\xbf \t\r\n")
    is_svg = text.startswith(b"<svg") or (text.startswith(b"<?xml") and b"<svg" in text)
    return SVG if is_svg else None
