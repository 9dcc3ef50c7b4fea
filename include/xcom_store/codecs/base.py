"""What a codec is made of."""

from __future__ import annotations

from mmap import mmap
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


Data = bytes | mmap
"""An object's bytes: as memory of its own, which may be written to, where they are many."""


class Sink(Protocol):
    """Takes bytes on their way to the store."""

    failure: BaseException | None
    """What kept it from taking some; None as long as nothing did."""
    in_memory: int
    """To be set before bytes are written: `Encoded.in_memory`."""

    def write(self, data: Any, /) -> int:
        """Take bytes or a buffer; return how many."""


class Encoded(NamedTuple):
    """A value ready to be written."""

    extension: str
    """Of the object's key, without the leading dot."""
    write: Callable[[Sink], Any]
    """Writes all bytes to the sink, once, in order."""
    summary: str
    """A short line for people: shape, columns, verdict."""
    in_memory: int = 0
    """About how many bytes the value takes there, by which the parts of an upload are sized; 0 for
    what is none of many gigabytes."""


def arrow_compression(compression: str) -> str | None:
    """Return what Arrow IPC is compressed with, which has `zstd` and `lz4`; None for nothing."""
    return {"zstd": "zstd", "none": None}.get(compression, "lz4")


class Codec(Protocol):
    """What a codec module offers; the package's page says more."""

    NAME: str

    def accepts(self, value: Any) -> bool:
        """Tell whether the codec takes the value."""

    def encode(self, value: Any, compression: str) -> Encoded:
        """Return the value ready to be written; `compression` is the setting."""

    def decode(self, data: Data, type_name: str) -> Any:
        """Return the value from the object's bytes."""
