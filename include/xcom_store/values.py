"""A value to its database record and back: codecs, documents, keys and store put together.

push:  plain JSON up to the threshold   → itself
       another small value              → an inline record
       a frame, array, bytes …          → one object                      + a reference
       anything else                    → one JSON object, and its leaves + a reference
pull:  the reverse; what carries no mark of ours is left to Airflow.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from include.xcom_store import classes, codecs, document, keys, store
from include.xcom_store.codecs import ge_result, json_text
from include.xcom_store.errors import ObjectCorrupt, XComStoreError, ValueNotStorable
from include.xcom_store.record import Reference, check_format, inline_record, inline_text

if TYPE_CHECKING:
    from include.xcom_store.codecs.base import Codec, Encoded
    from include.xcom_store.keys import Owner
    from include.xcom_store.settings import Settings


# No codec takes these: most XComs are of one of them.
_PLAIN = {type(None), bool, int, float, str, list, dict}


def push(value: Any, owner: Owner, settings: Settings, threshold: int) -> Any:
    """Return what the metadata database is to hold, after writing to S3 what goes there.

    Args:
        value: anything.
        owner: the task instance and key, all fields set.
        settings: of this deployment.
        threshold: bytes of JSON up to which a value stays in the database.

    Raises:
        ValueNotStorable: the value would not come back exactly.
        XComStoreError: S3 is not usable; see `errors`.
    """
    if type(value) not in _PLAIN and (codec := codecs.find(value, threshold + 1)):
        encoded = codec.encode(value, settings.compression)
        stem = _new_stem(owner, settings)
        written = _write(stem, codec, encoded)
        return _refer(stem, written, value, encoded.summary)
    leaves: list[tuple[Codec, Encoded, dict[str, Any]]] = []

    def leaf(part: Any) -> list[Any] | None:
        if not (found := codecs.find(part)):
            return None
        note = {"type": _type_name(part)}
        leaves.append((found, found.encode(part, settings.compression), note))
        return [len(leaves) - 1, note]

    writer = document.Writer(leaf)
    content = writer.write(value)
    if not leaves and len(text := document.dump(content)) <= threshold:
        if writer.plain:
            return content
        return inline_record(text.decode(), _type_name(value), _summary(value))
    stem = _new_stem(owner, settings)
    if leaves:
        # First, for nothing is to refer to an object that is not there yet.
        for number, (found, encoded, note) in enumerate(leaves):
            note.update(_write(f"{stem}/{number}", found, encoded))
        text = document.dump(content)
    written = _write(stem, json_text, json_text.encode_text(text, settings.compression))
    return _refer(stem, written, value, _summary(value), len(leaves))


def in_database(value: Any) -> Any:
    """Return what Airflow's own backend would store, if it gives the value back exactly.

    Raises:
        ValueNotStorable: it would not; with `offload = False` there is nowhere else to go.
    """
    if ge_result.accepts(value, 0):
        value = ge_result.to_dict(value)
    writer = document.Writer(_refuse)
    try:
        content = writer.write(value)
        if writer.plain:
            return content
        if not document.fits_database(node := classes.exact_serde(value)):
            raise ValueNotStorable("it holds a number or a text that the database would change.")
        return node
    except ValueNotStorable as error:
        raise ValueNotStorable(
            f"[xcom_store] offload is False, and the metadata database cannot hold this value: {error}"
        ) from error


def _refuse(part: Any) -> None:
    # Airflow's serializer may know some of these, and not give them back exactly.
    if codecs.find(part):
        raise ValueNotStorable(f"a {_type_name(part)} goes to S3 only.")


def pull(record: dict[str, Any], owner: Owner, settings: Settings) -> tuple[Any, Reference | None]:
    """Return the value of a record of ours, and the reference if it lay in S3.

    Args:
        record: what the database holds; carries our mark.
        owner: whose value was asked for; None fields stand for any.
        settings: of this deployment.

    Raises:
        AccessDenied, ObjectMissing, ObjectCorrupt, StoreUnreachable, ConfigurationError.
    """
    check_format(record)
    if (text := inline_text(record)) is not None:
        return document.read(document.load(text.encode())), None
    reference = Reference.from_record(record)
    key = reference.locate(settings.bucket, settings.prefix, owner)
    value = _read(key, reference._asdict())
    if reference.codec != json_text.NAME:
        return value, reference

    def leaf(noted: list[Any]) -> Any:
        number, note = noted
        return _read(f"{keys.stem(key)}/{number}.{note['extension']}", note)

    return document.read(value, leaf), reference


def remove(record: dict[str, Any], owner: Owner, settings: Settings) -> str | None:
    """Delete a record's objects, its leaves first; return the URI, None if nothing lay in S3.

    Raises:
        AccessDenied: the record refers to what is not this owner's; nothing is deleted.
    """
    check_format(record)
    if inline_text(record) is not None:
        return None
    reference = Reference.from_record(record)
    key = reference.locate(settings.bucket, settings.prefix, owner)
    bucket = store.connect()
    if reference.leaves:
        bucket.delete_under(keys.stem(key))
    bucket.delete(key)
    return reference.uri


def _new_stem(owner: Owner, settings: Settings) -> str:
    store.connect()  # before anything else: without a bucket there is nothing to name
    return keys.new_stem(settings.prefix, owner)


def _write(stem: str, codec: Codec, encoded: Encoded) -> dict[str, Any]:
    """Write one object; return how to read it."""
    size, sha256 = store.connect().put(f"{stem}.{encoded.extension}", encoded.write)
    return {
        "codec": codec.NAME,
        "extension": encoded.extension,
        "bytes": size,
        "sha256": sha256,
    }


def _refer(
    stem: str, written: dict[str, Any], value: Any, summary: str, leaves: int = 0
) -> dict[str, Any]:
    return Reference(
        uri=store.connect().uri(f"{stem}.{written.pop('extension')}"),
        type=_type_name(value),
        summary=summary,
        leaves=leaves,
        written_by=_versions(),
        **written,
    ).to_record()


def _read(key: str, noted: dict[str, Any]) -> Any:
    """Return what an object holds, from how it was noted when it was written."""
    if (codec := codecs.CODECS.get(noted["codec"])) is None:
        raise ObjectCorrupt(
            f"{key} was written with codec {noted['codec']!r}, which this version does not have "
            f"(it has {', '.join(codecs.CODECS)}). Deploy the version that wrote it."
        )
    data = store.connect().get(key, noted["bytes"], noted["sha256"])
    try:
        return codec.decode(data, noted["type"])
    except XComStoreError:
        raise
    except Exception as error:  # whatever a parser makes of it: the caller gets one typed error
        raise ObjectCorrupt(
            f"{store.connect().uri(key)} holds what was written, but codec {codec.NAME!r} cannot "
            f"read it ({type(error).__name__}: {error}). Written by {noted.get('written_by', {})}, "
            f"read by {_versions()}: are the versions too far apart?"
        ) from error


def _versions() -> dict[str, str]:
    """Return the versions of the libraries in use that shape the bytes."""
    loaded = {name: sys.modules.get(name) for name in ("pandas", "pyarrow", "numpy")}
    return {name: str(module.__version__) for name, module in loaded.items() if module}


def _type_name(value: Any) -> str:
    kind = type(value)
    return (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )


def _summary(value: Any) -> str:
    if verdict := ge_result.describe(value):
        return verdict
    if isinstance(value, (str, bytes, bytearray)):
        return f"{len(value):,} {'characters' if isinstance(value, str) else 'bytes'}"
    if isinstance(value, (list, tuple, set, frozenset)):
        return f"{len(value):,} items"
    return f"{len(value):,} keys" if isinstance(value, dict) else ""


def size_in_memory(value: Any) -> int | None:
    """Return the bytes that a frame, table or array holds; None for all else."""
    if type(value).__module__.split(".")[0] not in ("pandas", "polars", "pyarrow", "numpy"):
        return None
    if hasattr(value, "iloc"):  # its own memory_usage() takes longer than a small pull
        columns = [value] if value.ndim == 1 else [column for _, column in value.items()]
        return int(value.index.nbytes + sum(column.nbytes for column in columns))
    for name in ("estimated_size", "nbytes"):
        found = getattr(value, name, None)
        size = found() if callable(found) else found
        if size is not None:
            return int(size)
    return None
