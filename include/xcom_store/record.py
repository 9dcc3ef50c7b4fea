"""What the metadata database holds for a value that is not plain JSON there: format 1.

A value in S3:

    {"__id__": "xcom_store/1", "uri": "s3://bucket/xcom/dag_id=…/return_value-….parquet",
     "codec": "parquet", "bytes": 154082, "sha256": "…", "type": "pandas.DataFrame",
     "summary": "10,000 rows × 18 columns: vendor_id int64, …", "leaves": 0,
     "written_by": {"pandas": "3.1.1", "pyarrow": "26.0.1"}}

A small value that JSON cannot hold as it is (a tuple, bytes, a datetime) stays in the database, as
the text of a document (see `document`):

    {"__id__": "xcom_store/1", "type": "tuple", "summary": "2 items", "inline": "…"}

`__id__` marks a record, it proves nothing: whoever may write a row can write a record. So a record
is read strictly, and only followed to where its task instance's objects lie (`Reference.locate`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from include.xcom_store.errors import AccessDenied, ObjectCorrupt

if TYPE_CHECKING:
    from include.xcom_store.keys import Owner

MARK_KEY = "__id__"
MARK_FAMILY = "xcom_store/"
MARK = MARK_FAMILY + "1"
MAX_SUMMARY = 400
"""Bytes; keeps a record, with the longest key and bucket, under 2 KB."""


class Reference(NamedTuple):
    """An object in S3: what it is, how to read it, and how to know it is still the same."""

    uri: str
    codec: str
    bytes: int
    sha256: str
    type: str
    summary: str
    leaves: int
    written_by: dict[str, str]

    def to_record(self) -> dict[str, Any]:
        """Return the JSON object for the metadata database."""
        return {MARK_KEY: MARK, **self._asdict(), "summary": cut(self.summary)}

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Reference:
        """Read a record strictly.

        Raises:
            ObjectCorrupt: a field is missing, unknown or of the wrong form.
        """
        fields = {name: value for name, value in record.items() if name != MARK_KEY}
        try:
            reference = cls(**fields)
        except TypeError as error:
            raise ObjectCorrupt(_NOT_OURS.format(error)) from error
        if wrong := [name for name, ok in _FORMS.items() if not ok(fields.get(name, 0))]:
            raise ObjectCorrupt(_NOT_OURS.format(f"unusable {', '.join(wrong)}"))
        return reference

    def locate(self, bucket: str | None, prefix: str, owner: Owner) -> str:
        """Return the object's key if it may be followed for this owner.

        Raises:
            AccessDenied: the object is in another bucket or prefix, or another task instance's.
        """
        root = f"s3://{bucket}/"
        object_key = self.uri.removeprefix(root)
        if not bucket or object_key == self.uri or not object_key.startswith(f"{prefix}/"):
            raise AccessDenied(
                f"the database refers to {self.uri}, but this Airflow reads only {root}{prefix}/ "
                "([xcom_store] bucket and prefix). If the values were moved, set both to where they "
                "are now; if nobody moved them, somebody has edited this XCom."
            )
        if not owner.owns(prefix, object_key):
            raise AccessDenied(
                f"the database refers to {self.uri}, which is not an object of {owner}. A value "
                "is only read for the task instance that pushed it; this XCom was edited or copied."
            )
        return object_key


def is_record(value: object) -> bool:
    """Tell whether a database value carries our mark, of whatever format number."""
    if not isinstance(value, dict):
        return False
    mark = value.get(MARK_KEY)
    return isinstance(mark, str) and mark.startswith(MARK_FAMILY)


def check_format(record: dict[str, Any]) -> None:
    """Raise `ObjectCorrupt` for a format that this version does not know."""
    if record[MARK_KEY] != MARK:
        raise ObjectCorrupt(
            f"the database record is of format {record[MARK_KEY]!r}, this backend reads {MARK!r}. "
            "It was written by a newer version: deploy that version, or run the task again."
        )


def inline_record(text: str, type_name: str, summary: str) -> dict[str, Any]:
    """Return the record that holds a small document itself."""
    return {MARK_KEY: MARK, "type": type_name, "summary": cut(summary), "inline": text}


def inline_text(record: dict[str, Any]) -> str | None:
    """Return the document that a record holds itself; None if it refers to an object.

    Raises:
        ObjectCorrupt: it is neither the one nor the other.
    """
    if "inline" not in record:
        return None
    strings = all(isinstance(value, str) for value in record.values())
    if not strings or record.keys() != inline_record("", "", "").keys():
        raise ObjectCorrupt(_NOT_OURS.format("an inline document with other fields"))
    return str(record["inline"])


def cut(text: str) -> str:
    """Shorten a summary to what a record has room for, in JSON with all but ASCII escaped."""
    room = MAX_SUMMARY
    for position, character in enumerate(text):
        room -= 1 if character.isascii() and character.isprintable() else 12
        if room < 0:
            return f"{text[:position]}…"
    return text


_NOT_OURS = "the database record is not one this backend wrote ({}). Was this XCom edited?"


def _text(value: object) -> bool:
    return isinstance(value, str)


def _count(value: object) -> bool:
    return type(value) is int and value >= 0


_FORMS = {
    "uri": _text,
    "codec": _text,
    "bytes": _count,
    "sha256": lambda value: _text(value) and re.fullmatch(r"[0-9a-f]{64}", value) is not None,
    "type": _text,
    "leaves": _count,
}
