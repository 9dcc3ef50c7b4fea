"""Which object a page may read.

A reference is followed as in a pull: to an object of exactly the task instance whose row it is, or
nowhere. The same goes for leaves and downloads: all of them come through `locate`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.xcom_store import keys
from include.xcom_store.codecs import json_text
from include.xcom_store.errors import ObjectMissing
from include.xcom_store.record import Reference, StoredObject
from include.xcom_viewer import preview

if TYPE_CHECKING:
    from include.xcom_store.stores.base import Store
    from include.xcom_viewer.entries import Entry
    from include.xcom_viewer.readers import Readers


def locate(
    readers: Readers,
    entry: Entry,
    store: Store,
    leaf: int | None = None,
    path: list[str] | None = None,
) -> tuple[StoredObject, list[str]]:
    """Return the object of an XCom, or of a value inside it with the keys that lead there.

    Args:
        readers: read the document that describes the leaf.
        entry: refers to an object.
        store: where it has to be.
        leaf: its number; None for the value's main object.
        path: the keys of the leaf, which then count in the place of its number.

    Raises:
        AccessDenied: the reference leads outside of the store or of the task instance.
        ObjectCorrupt: the record is not one this backend wrote.
        ObjectMissing: the value has no such leaf.
        XComStoreError, TooLarge, Busy, Unsafe, Failed: that document cannot be read here.
    """
    reference = Reference.from_record(entry.stored)
    store, key = store.find(reference.stored.uri, entry.owner)
    if leaf is None:
        return reference.stored, []
    leaves: list[tuple[StoredObject, list[str]]] = []
    if reference.stored.codec == json_text.NAME:
        leaves = preview.leaves(readers, store, reference.stored)
    if path:
        leaves, leaf = [one for one in leaves if one[1] == path], 0
    if leaf >= len(leaves):
        raise ObjectMissing(f"this value has no part {' › '.join(path) if path else leaf}.")
    found, keys_to_it = leaves[leaf]
    return found._replace(uri=store.uri(keys.leaf(key, found.uri))), keys_to_it
