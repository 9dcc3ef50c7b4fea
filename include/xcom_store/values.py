"""A value to its database record and back: codecs, documents, keys and store put together.

push:  plain JSON up to the threshold   → itself
       another small value              → an inline record
       a frame, array, bytes …          → one object                      + a reference
       anything else                    → one JSON object, and its leaves + a reference
pull:  the reverse. Values without this backend's marker are left to Airflow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from include.xcom_store import codecs, documents, keys, record
from include.xcom_store.codecs import about, failures, ge_result, json_text
from include.xcom_store.documents import inexact, way_back
from include.xcom_store.documents.tags import type_name
from include.xcom_store.stores import common_io

if TYPE_CHECKING:
    from collections.abc import Callable

    from include.xcom_store.codecs.base import Encoded, Sink
    from include.xcom_store.keys import Owner
    from include.xcom_store.stores.base import Store

    _Named = tuple[str, Encoded]  # the codec's name, and the value ready to be written

MAX_KEPT_BYTES = 64 * 1024
"""JSON that clients without this backend read stays in the database up to this size, at least."""
QUICK_BYTES = 1024


def stays(value: Any, threshold: int) -> bool:
    """Tell of most of the values that `push` would return as they are, in a tenth of its time."""
    if type(value) is str and ":" in value:  # perhaps a path of common-io's
        return False
    room = min(threshold, QUICK_BYTES)
    return documents.room_left(value, room) >= 0 and not ge_result.describe(value)


def push(value: Any, owner: Owner, store: Store, *, keep: int = 0, only_database: str = "") -> Any:
    """Return what the metadata database is to hold, after writing to the store what goes there.

    Args:
        value: anything.
        owner: the task instance and key, all fields set.
        store: where it goes, with this deployment's settings.
        keep: bytes of plain JSON that stay in the database, whatever the threshold.
        only_database: says why nothing may go to the store.

    Raises:
        XComStoreError: the value would not come back exactly, or the store is not usable.
    """
    if only_database:
        value = ge_result.to_dict(value) if ge_result.accepts(value) else value
        return way_back.in_database(value, only_database, (codecs.find, common_io.names_object))
    threshold, compression = store.settings.threshold, store.settings.compression
    if ge_result.describe(value):
        threshold = 0  # each validation is an object, however small: people look for it there
    if found := _encode(value, compression, threshold + 1):  # bytes, only where there are more
        key = f"{keys.new_stem(owner)}.{found[1].extension}"
        return _reference(_write(store, key, found, value), found[1].summary)

    writer = documents.Writer(lambda part: _encode(part, compression))
    document = writer.write(value)
    text = documents.dump(document)
    changed = inexact.notes().count
    is_itself = writer.is_plain_json and (keep or not changed)
    if is_itself and len(text) <= (keep or threshold) and not common_io.names_object(document):
        return document
    if not writer.leaves and len(text) <= threshold:
        said = type_name(value), about.summary(value)
        return record.inline_record(text.decode(), *said, changed)
    stem = keys.new_stem(owner)
    leaves = {f"{n}.{each[0][1].extension}": each for n, each in enumerate(writer.leaves)}
    parts = {
        f"{stem}/{name}": _writing(found, part, f" at {place}")
        for name, (found, place, part) in leaves.items()
    }
    with store.put_all(parts) as put:  # first, for nothing is to refer to what is not there yet
        if put:
            pairs = zip(leaves.items(), put, strict=True)
            noted = [_stored(name, leaf[0], leaf[2], it)._asdict() for (name, leaf), it in pairs]
            text = documents.dump(documents.with_leaves(document, noted))
        encoded = json_text.encode(text, compression)
        stored = _write(store, f"{stem}.{encoded.extension}", (json_text.NAME, encoded), value)
    return _reference(stored, about.summary(value), len(writer.leaves))


def pull(row: dict[str, Any], owner: Owner, store: Store) -> Any:
    """Return the value of a row that holds a record of ours.

    Args:
        row: what the database holds; carries our mark.
        owner: whose value was asked for; None fields stand for any.
        store: the only place that a reference is followed to; all of `errors` may be raised.
    """
    if not record.is_reference(row):
        return documents.read(documents.load(record.inline_text(row)))
    reference = record.Reference.from_record(row)
    store, key = store.find(reference.stored.uri, owner)
    main = reference.stored
    found = _decode(store.get(key, main.bytes, main.sha256), main.uri, main, reference)
    if main.codec != json_text.NAME:
        return found
    leaves, document = documents.split_leaves(found)
    parts = [record.StoredObject.parse(leaf, f"a leaf of {key}") for leaf in leaves]
    wanted = [(keys.leaf(key, part.uri), part.bytes, part.sha256) for part in parts]
    with store.get_all(wanted) as coming:

        def read_leaf(number: int) -> Any:
            is_next = number == coming.taken  # they are read in the order they were written in
            data = next(coming) if is_next else store.get(*wanted[number])
            return _decode(data, store.uri(wanted[number][0]), parts[number], reference)

        return documents.read(document, read_leaf)


def remove(row: dict[str, Any], owner: Owner, store: Store) -> None:
    """Delete the objects of a reference: its leaves, then, even if that failed, its main object."""
    reference = record.Reference.from_record(row)
    store, key = store.find(reference.stored.uri, owner)
    try:
        if reference.leaves:
            store.delete_under(keys.stem(key))
    finally:
        store.delete(key)


def _encode(value: Any, compression: str, min_bytes: int = codecs.MIN_LEAF_BYTES) -> _Named | None:
    """Return a value ready to be written, with the codec's name; None if it is no object."""
    if (codec := codecs.find(value, min_bytes)) is None:
        return None
    with failures.refusing(f"the {type_name(value)}"):
        return codec.NAME, codec.encode(value, compression)


def _write(store: Store, key: str, found: _Named, value: Any) -> record.StoredObject:
    return _stored(store.uri(key), found, value, store.put(key, _writing(found, value)))


def _writing(found: _Named, value: Any, place: str = "") -> Callable[[Sink], None]:
    def write(sink: Sink) -> None:
        with failures.refusing(f"the {type_name(value)}{place}", sink):
            sink.in_memory = found[1].in_memory
            found[1].write(sink)

    return write


def _stored(uri: str, found: _Named, value: Any, put: tuple[int, str]) -> record.StoredObject:
    return record.StoredObject(uri, found[0], type_name(value), *put)


def _reference(stored: record.StoredObject, summary: str, leaves: int = 0) -> dict[str, Any]:
    changed = inexact.notes().count
    return record.Reference(stored, summary, leaves, about.versions(), changed).to_record()


def _decode(data: Any, uri: str, stored: record.StoredObject, whole: record.Reference) -> Any:
    """Return what an object holds: a value, or the document that it is written as."""
    decode = codecs.decoder(stored.codec)
    with failures.reading(uri, stored.codec, whole.written_by):
        return decode(data, stored.type)
