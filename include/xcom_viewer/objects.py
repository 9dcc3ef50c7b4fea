"""Which object a page may read, and the JSON documents that describe leaves.

A reference is followed as in a pull: to an object of exactly the task instance whose row it is, or
nowhere. The same goes for leaves and downloads: all of them come through `locate`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from include.xcom_store import documents, keys
from include.xcom_store.codecs import json_text
from include.xcom_store.errors import ObjectCorrupt, ObjectMissing
from include.xcom_store.record import Reference, StoredObject
from include.xcom_viewer.source import BUDGET_BYTES, TooLarge

if TYPE_CHECKING:
    from include.xcom_store.stores.base import Store
    from include.xcom_viewer.entries import Entry

MAX_JSON_BYTES = 2 * 1024 * 1024
"""JSON text that is parsed for a page: as Python objects it takes ten times that."""


def locate(entry: Entry, store: Store, leaf: int | None = None) -> StoredObject:
    """Return the object of an XCom, or of a value inside it.

    Args:
        entry: refers to an object.
        store: where it has to be.
        leaf: its number; None for the value's main object.

    Raises:
        AccessDenied: the reference leads outside of the store or of the task instance.
        ObjectCorrupt: the record is not one this backend wrote.
        ObjectMissing: the value has no such leaf.
        XComStoreError: the store does not give the document that describes the leaf.
        TooLarge: that document cannot be read here.
    """
    reference = Reference.from_record(entry.stored)
    store, key = store.find(reference.stored.uri, entry.owner)
    if leaf is None:
        return reference.stored
    leaves: list[StoredObject] = []
    if reference.stored.codec == json_text.NAME:
        leaves, _document = split_leaves(read_json(store, reference.stored))
    if leaf >= len(leaves):
        raise ObjectMissing(f"this value has no part {leaf}.")
    found = leaves[leaf]
    return found._replace(uri=store.uri(keys.leaf(key, found.uri)))


def split_leaves(content: Any) -> tuple[list[StoredObject], Any]:
    """Return the leaves of an object's JSON, and the document that refers to them.

    Raises:
        ObjectCorrupt: a leaf is not described as this backend does it.
    """
    listed, document = documents.split_leaves(content)
    found = [StoredObject.parse(one, f"part {n} of this value") for n, one in enumerate(listed)]
    return found, document


def read_json(store: Store, stored: StoredObject) -> Any:
    """Return the parsed JSON of a whole object, whose size and SHA-256 are checked.

    Raises:
        TooLarge: it is too large to be parsed for a page.
        XComStoreError: the store does not give it, or it is not what was written.
    """
    if stored.bytes > BUDGET_BYTES:
        raise TooLarge
    store, key = store.find(stored.uri)
    data = store.get(key, stored.bytes, stored.sha256)
    try:
        text = json_text.unpack(data, MAX_JSON_BYTES)
    except (OSError, ValueError) as error:  # what pyarrow makes of damaged zstd
        raise ObjectCorrupt(f"the JSON cannot be decompressed ({error}).") from error
    if len(text) > MAX_JSON_BYTES:
        raise TooLarge
    return documents.load(text)
