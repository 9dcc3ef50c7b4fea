"""Failures of encoders and decoders as errors of ours, told apart from those of the store."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from include.xcom_store.codecs import about
from include.xcom_store.errors import (
    ConfigurationError,
    ObjectCorrupt,
    ValueNotStorable,
    XComStoreError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from include.xcom_store.codecs.base import Sink


def is_failure(error: BaseException) -> bool:
    """Tell whether it is an error and no interruption: Rust's libraries raise no `Exception`s."""
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"


@contextmanager
def refusing(what: str, sink: Sink | None = None) -> Iterator[None]:
    """Turn the failure of an encoder into `ValueNotStorable`, and never that of the store."""
    try:
        yield
    except BaseException as error:
        if sink and sink.failure and sink.failure is not error:
            raise sink.failure from None  # the encoder has made something else of it
        known = isinstance(error, (XComStoreError, MemoryError))
        if known or (sink and sink.failure) or not is_failure(error):
            raise
        message = f"{what} cannot be stored: {type(error).__name__}: {error}"
        raise ValueNotStorable(message) from error


@contextmanager
def reading(uri: str, codec: str, written_by: dict[str, str]) -> Iterator[None]:
    """Turn whatever a decoder makes of an object's bytes into one typed error."""
    try:
        yield
    except (XComStoreError, MemoryError):
        raise
    except ImportError as error:
        message = f"{uri} needs a package that is missing here: {error}. Install it."
        raise ConfigurationError(message) from error
    except BaseException as error:
        if not is_failure(error):
            raise
        raise ObjectCorrupt(
            f"{uri} holds what was written, but codec {codec!r} cannot read it "
            f"({type(error).__name__}: {error}). Written by {written_by}, read by "
            f"{about.versions()}: are the versions too far apart?"
        ) from error
