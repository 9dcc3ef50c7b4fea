"""An encoder's failure as `ValueNotStorable`, told apart from that of the store it writes to."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from include.xcom_store.errors import ValueNotStorable, XComStoreError

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
