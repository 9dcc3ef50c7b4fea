"""What a card says in the place of a value: what happened, and what to do about it."""

from __future__ import annotations

import logging
from typing import NamedTuple

from include.xcom_store.errors import (
    AccessDenied,
    ConfigurationError,
    ObjectCorrupt,
    ObjectMissing,
    StoreUnreachable,
    XComStoreError,
)
from include.xcom_viewer.previous import NoPrevious
from include.xcom_viewer.readers import Failed, Unsafe
from include.xcom_viewer.shown import NoPreview, TooLarge
from include.xcom_viewer.work import Busy, TooSlow


class State(NamedTuple):
    """A state.

    Attributes:
        name: for style and tests.
        passes: trying again may help.
        downloads: the object can still be downloaded.
        status: of HTTP, where it is a page's only content.
        detail: the error's own words.
    """

    name: str
    status: int
    title: str
    advice: str
    detail: str = ""
    passes: bool = False
    downloads: bool = False


log = logging.getLogger(__name__)


def of(error: Exception) -> State:
    """Return the state for an error; one that nobody thought of is in the server's log, too."""
    kind = next((kind for kind in _STATES if isinstance(error, kind)), None)
    if kind is None:
        log.error("A value cannot be shown.", exc_info=error)
        return _STATES[Failed]
    return _STATES[kind]._replace(detail=str(error))


_STATES: dict[type[Exception], State] = {
    TooLarge: State(
        "too-large",
        413,
        "Too large to preview",
        "A page reads at most a few megabytes. Download the object, or read it where it lies "
        "(docs/by_reference.md).",
        downloads=True,
    ),
    NoPreview: State(
        "no-preview", 415, "No preview of this type", "Download the object.", downloads=True
    ),
    NoPrevious: State("no-previous", 404, "Nothing to compare with", "", downloads=True),
    Unsafe: State(
        "unsafe",
        502,
        "This object cannot be read safely",
        "Reading it ended the process that did, which has no other consequence. Clear the task to "
        "have the value written again; find out who changes objects here.",
        downloads=True,
    ),
    Failed: State(
        "failed",
        500,
        "This value cannot be shown",
        "It may be damaged, or this is a bug in the viewer: see the API server's log.",
        downloads=True,
    ),
    Busy: State(
        "busy",
        503,
        "Too many previews at once",
        "Other values are being read right now. Try again in a moment.",
        passes=True,
    ),
    TooSlow: State(
        "slow",
        503,
        "No answer in time",
        "S3 or this machine is slow just now. Try again in a moment.",
        passes=True,
    ),
    ObjectMissing: State(
        "missing",
        404,
        "The object is gone",
        "It was deleted or has expired. Clear the task to have the value written again.",
    ),
    ObjectCorrupt: State(
        "corrupt",
        502,
        "The object is not what was written",
        "Clear the task to have the value written again; find out who changes objects here.",
    ),
    AccessDenied: State("denied", 403, "Access denied", "Nothing was read."),
    StoreUnreachable: State(
        "unreachable",
        503,
        "S3 does not answer",
        "The value is most likely still there. Try again in a moment.",
        passes=True,
    ),
    ConfigurationError: State(
        "configuration",
        503,
        "S3 is not configured here",
        "The API server needs the same settings and connection as the workers.",
    ),
    XComStoreError: State("error", 500, "The value cannot be shown", ""),
}
