"""What a card says in the place of a value: what happened, and what to do about it."""

from __future__ import annotations

from typing import NamedTuple

from include.s3_xcom.errors import (
    AccessDenied,
    ConfigurationError,
    ObjectCorrupt,
    ObjectMissing,
    S3XComError,
    StoreUnreachable,
)
from include.s3_xcom_viewer.bucket import TooLarge
from include.s3_xcom_viewer.work import Busy


class State(NamedTuple):
    """A state.

    Attributes:
        name: for style and tests.
        detail: the error's own words.
        download: whether the object can be downloaded all the same.
    """

    name: str
    title: str
    advice: str
    detail: str = ""
    download: bool = False
    status: int = 503


EXPECTED = (S3XComError, TooLarge, Busy)


def of(error: Exception) -> State:
    """Return the state for an error of `EXPECTED`."""
    if isinstance(error, TooLarge):
        return _TOO_LARGE
    if isinstance(error, Busy):
        return _BUSY
    kind = next(kind for kind in _STATES if isinstance(error, kind))
    name, title, advice = _STATES[kind]
    return State(name, title, advice, str(error))


_TOO_LARGE = State(
    "too-large",
    "Too large to preview",
    "A page reads at most a few megabytes. Download the object, or read it where it lies "
    "(docs/by_reference.md).",
    download=True,
)
_BUSY = State(
    "busy",
    "Too many previews at once",
    "Other pages are being read from S3 right now. Try again in a moment.",
)
_STATES: dict[type[Exception], tuple[str, str, str]] = {
    ObjectMissing: (
        "missing",
        "The object is gone",
        "It was deleted or has expired. Clear the task to have the value written again.",
    ),
    ObjectCorrupt: (
        "corrupt",
        "The object is not what was written",
        "Clear the task to have the value written again; find out who changes objects here.",
    ),
    AccessDenied: (
        "denied",
        "Access denied",
        "Nothing was read.",
    ),
    StoreUnreachable: (
        "unreachable",
        "S3 does not answer",
        "The value is most likely still there. Try again in a moment.",
    ),
    ConfigurationError: (
        "configuration",
        "S3 is not configured here",
        "The API server needs the same settings and connection as the workers.",
    ),
    S3XComError: ("error", "The value cannot be shown", ""),
}
