"""What the metadata database holds for a value that is not plain JSON there: format 1.

A value in the store:

    {"__id__": "xcom_store/1", "uri": "s3://bucket/xcom/dag_id=…/return_value-….parquet",
     "codec": "pandas-parquet", "type": "pandas.DataFrame", "bytes": 154082, "sha256": "…",
     "summary": "10,000 rows × 18 columns: vendor_id int64, …", "leaves": 0,
     "written_by": {"pandas": "3.1.1", "pyarrow": "26.0.1"}}

`inexact`, where there is one, counts the parts that do not come back exactly (see `inexact`).

A small value that JSON cannot hold as it is (a tuple, bytes, a datetime) stays in the database, as
the text of a document (see `documents`):

    {"__id__": "xcom_store/1", "type": "tuple", "summary": "2 items", "inline": "…"}

`__id__` marks a record but proves nothing: anyone who may write a row can write one. So a record
is read strictly, and a reference is followed only to where its task instance's objects lie
(`Store.key`).
"""

import re
from typing import Any, NamedTuple, TypeGuard

from include.xcom_store.errors import ObjectCorrupt

MARK_KEY, MARK_FAMILY = "__id__", "xcom_store/"
MARK = f"{MARK_FAMILY}1"
MAX_SUMMARY_BYTES = 400
"""Keeps a record, with the longest key and bucket, under 2 KB."""


class StoredObject(NamedTuple):
    """One object: where it lies, how to read it, and how to know it is still what was written.

    Attributes:
        uri: of a leaf relative to its value: `0.parquet`.
        codec: its name in `codecs.CODECS`.
        type: of the value, for example `pandas.DataFrame`.
        sha256: of all its bytes, in hexadecimal.
    """

    uri: str
    codec: str
    type: str
    bytes: int
    sha256: str

    @classmethod
    def parse(cls, found: dict[str, Any], what: str = "the database record") -> "StoredObject":
        """Read strictly what comes from outside.

        Raises:
            ObjectCorrupt: a field is missing, unknown or of the wrong form.
        """
        try:
            stored = cls(**found)
        except TypeError as error:
            raise _not_ours(what, str(error)) from error
        texts = (stored.uri, stored.codec, stored.type, stored.sha256)
        is_ours = all(isinstance(text, str) for text in texts) and _is_sha256(stored.sha256)
        if not (is_ours and _is_count(stored.bytes)):
            raise _not_ours(what, "a field of another form")
        return stored


class Reference(NamedTuple):
    """A value in the store: its main object, and what people want to know of it."""

    stored: StoredObject
    summary: str
    leaves: int
    written_by: dict[str, str]
    inexact: int = 0

    def to_record(self) -> dict[str, Any]:
        """Return the JSON object for the metadata database."""
        about = self._replace(summary=cut(self.summary))._asdict()
        return _without_zero_count({MARK_KEY: MARK, **about.pop("stored")._asdict(), **about})

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> "Reference":
        """Read the record of a reference, strictly.

        Raises:
            ObjectCorrupt: it is of a newer format, or not one this backend has written.
        """
        fields = _checked(record)
        about = [fields.pop(name, cls._field_defaults.get(name)) for name in cls._fields[1:]]
        reference = cls(StoredObject.parse(fields), *about)
        is_ours = isinstance(reference.summary, str) and isinstance(reference.written_by, dict)
        if not (is_ours and _is_count(reference.leaves) and _is_count(reference.inexact)):
            raise _not_ours("the database record", "a field of another form")
        return reference


def is_record(value: object) -> TypeGuard[dict[str, Any]]:
    """Tell whether a database value carries our mark, of whatever format number."""
    mark = value.get(MARK_KEY) if isinstance(value, dict) else None
    return isinstance(mark, str) and mark.startswith(MARK_FAMILY)


def is_reference(value: object) -> TypeGuard[dict[str, Any]]:
    """Tell whether a database value refers to an object, rightly or not."""
    return is_record(value) and "inline" not in value


def inline_record(text: str, type_name: str, summary: str, inexact: int = 0) -> dict[str, Any]:
    """Return the record that holds a small document itself."""
    about = {"type": type_name, "summary": cut(summary), "inexact": inexact, "inline": text}
    return _without_zero_count({MARK_KEY: MARK, **about})


def inline_text(record: dict[str, Any]) -> str:
    """Return the document that a record holds itself.

    Raises:
        ObjectCorrupt: it is of a newer format, or has other fields.
    """
    fields = _checked(record)
    is_ours = _is_count(fields.pop("inexact", 0)) and {*map(type, fields.values())} == {str}
    if not is_ours or fields.keys() != {"type", "summary", "inline"}:
        raise _not_ours("the database record", "an inline document with other fields")
    return str(fields["inline"])


def cut(text: str) -> str:
    """Return a summary in one line, cut to what a record has room for (in JSON, escaped)."""
    room = MAX_SUMMARY_BYTES
    text = "".join(character if character.isprintable() else "·" for character in text[:room])
    for position, character in enumerate(text):
        room -= 1 if character.isascii() else 12
        if room < 0:
            return f"{text[:position]}…"
    return text


def _checked(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record's fields, if it is of the format that this version knows."""
    if record[MARK_KEY] != MARK:
        raise ObjectCorrupt(
            f"the database record is of format {record[MARK_KEY]!r}, this backend reads {MARK!r}. "
            "It was written by a newer version: deploy that version, or run the task again."
        )
    return {name: value for name, value in record.items() if name != MARK_KEY}


def _without_zero_count(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != "inexact" or value}


def _is_sha256(text: str) -> bool:
    return re.fullmatch(r"[0-9a-f]{64}", text) is not None


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _not_ours(what: str, why: str) -> ObjectCorrupt:
    return ObjectCorrupt(f"{what} is not one this backend wrote ({why}). Was this XCom edited?")
