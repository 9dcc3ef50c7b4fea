"""Whole objects, and tables as CSV, piece by piece: memory does not grow with the size.

An object is sent as it is, and its last piece only after its SHA-256 was found to be right: a
download that is complete is what the task has pushed. CSV is made by a reader, of an object whose
SHA-256 was right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.xcom_store.codecs import arrow, polars_frame
from include.xcom_store.codecs import frames as frame_codec
from include.xcom_viewer.pipe import BUDGET_BYTES
from include.xcom_viewer.source import Source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from include.xcom_store.record import StoredObject
    from include.xcom_store.stores.base import Store
    from include.xcom_viewer.readers import Readers

TABLE_CODECS = (frame_codec.NAME, arrow.NAME, polars_frame.NAME)


def original(store: Store, stored: StoredObject) -> Iterator[bytes]:
    """Yield an object's bytes; see `Source.pieces`."""
    return Source(store, stored).pieces()


def csv(readers: Readers, store: Store, stored: StoredObject) -> Iterator[bytes]:
    """Yield a table as CSV in UTF-8; empty pieces for as long as the object is only hashed.

    Raises:
        TooLarge: a batch of an Arrow file is too large to be unpacked here.
        XComStoreError: the store does not give the object, or it is damaged.
        Busy, Unsafe, Failed: see `Readers.ask`.
    """
    for _piece in Source(store, stored).pieces():
        yield b""
    # A reader asks for each part once, and for the footer a few times.
    source = Source(store, stored, budget=2 * stored.bytes + BUDGET_BYTES)
    job = {"do": "csv", "codec": stored.codec, "size": stored.bytes}
    yield from readers.csv(stored.uri, job, source)
