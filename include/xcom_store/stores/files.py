"""The two ends of a stream: a sink that hashes, and an object as a file that can be read from."""

from __future__ import annotations

import hashlib
import io
import mmap
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from include.xcom_store.errors import ValueNotStorable

if TYPE_CHECKING:
    from collections.abc import Callable

PUT_PART_BYTES = 5 * 1024 * 1024
"""One part of an upload, the least that S3 takes: far away the last ones are what is waited for.
Objects that are larger are read in parts, too."""
MOST_PARTS = 10_000
"""Of one object, which is what S3 allows."""
USUAL_PARTS = 1_000
"""More than these are made larger instead. That is to be known before the first, because all
parts of an object have to be equal on some S3 (Cloudflare R2)."""


class HashingSink(io.RawIOBase):
    """Counts and hashes the bytes on their way to the object; keeps what one request takes.

    Args:
        open_target: opens what takes the bytes, once there are more than that.
        check_time: raises when it has taken too long.

    Attributes:
        bytes: taken so far.
        kept: all of them, as long as one request takes them; None as soon as they are passed on.
        failure: what kept bytes from being passed on; None as long as nothing did.
        in_memory: what the value takes there, to be set before.
    """

    def __init__(self, open_target: Callable[[], Any], check_time: Callable[[], None]) -> None:
        self._open = open_target
        self._target: Any = None
        self._check_time = check_time
        self._hash = hashlib.sha256()
        self.bytes = 0
        self.kept: bytearray | None = bytearray()
        self.failure: BaseException | None = None
        self.in_memory = 0

    def writable(self) -> bool:
        """Say yes, as pyarrow asks."""
        return True

    def write(self, data: Any, /) -> int:
        """Take bytes; return how many."""
        data = memoryview(data).cast("B")
        self._hash.update(data)
        try:
            self._check_time()
            self._take(data)
        except BaseException as error:
            self.failure = error
            raise
        self.bytes += len(data)
        return len(data)

    def _take(self, data: memoryview) -> None:
        if self.bytes + len(data) > (most := MOST_PARTS * self.part_bytes):
            raise ValueNotStorable(
                f"It takes more than {most:,} bytes in one object. Divide it, or have an "
                "engine write it (docs/by_reference.md)."
            )
        if self.kept is not None:
            if len(self.kept) + len(data) <= PUT_PART_BYTES:
                self.kept += data
                return
            self._target = self._open()
            self._target.write(self.kept)
            self.kept = None
        self._target.write(data)

    @property
    def part_bytes(self) -> int:
        """Of one part of the upload."""
        return max(PUT_PART_BYTES, self.in_memory // USUAL_PARTS)

    @property
    def sha256(self) -> str:
        """Of all bytes so far, in hexadecimal."""
        return self._hash.hexdigest()


class ObjectFile(io.RawIOBase):
    """An object as a file that can be read from any position; each read is one request.

    Args:
        read_range: returns the bytes from a start up to an end.
        size: bytes of the object.
    """

    def __init__(self, read_range: Callable[[int, int], bytes], size: int) -> None:
        self.size = size
        self._read_range = read_range
        self._position = 0

    def readable(self) -> bool:
        """Say yes, as parsers ask."""
        return True

    seekable = readable

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Set the position, and return it."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        if base + offset < 0:
            raise ValueError(f"position {base + offset} is before the object's first byte")
        self._position = base + offset
        return self._position

    def read(self, count: int | None = -1) -> bytes:
        """Return the next `count` bytes, all that are left for -1."""
        start, end = self._position, self.size
        if count is not None and count >= 0:
            end = min(start + count, end)
        data = self._read_range(start, end) if start < end else b""
        self._position += len(data)
        return data

    def readinto(self, target: Any) -> int:
        """Fill a buffer from the position on; return how many bytes it took."""
        data = self.read(len(target))
        target[: len(data)] = data
        return len(data)


def memory(size: int) -> mmap.mmap:
    """Return zeroed memory that nothing else lies in, in pages of 2 MB where Linux has them.

    Page by page of 4 KB, a `Store.get` of 54 MB takes half as much CPU again, some 40 ms. Parts of
    it can be given back to the system, which `codecs.frames` does.
    """
    try:
        taken = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:  # which would be taken for the store's
        raise MemoryError(f"{size:,} bytes") from error
    if hugepage := getattr(mmap, "MADV_HUGEPAGE", None):
        with suppress(OSError):  # a kernel without them
            taken.madvise(hugepage)
    return taken
