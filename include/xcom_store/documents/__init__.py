"""Any nested Python value as JSON and back, exactly: type for type, or an error at push.

JSON's own values stand for themselves. Everything else is an object with the one key `$xcom`, whose
value is the name of a tag (see `tags`, `libraries`, `classes`) and what it holds:

    {"$xcom": ["tuple", [1, 2]]}
    {"$xcom": ["decimal", "1.50"]}
    {"$xcom": ["leaf", 0]}                a frame, table, array …: an object of its own, and at the
    {"$xcom": ["leaves", [{…}], …]}       top of such a document, what and where its leaves are
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any

from include.xcom_store.documents import classes, inexact, libraries, permission, tags
from include.xcom_store.documents.inside import Inside, Located, Place, text_of
from include.xcom_store.documents.stack import MAX_DEPTH, MAX_LEVELS, ROOM
from include.xcom_store.documents.tags import Tag, full_name
from include.xcom_store.errors import ObjectCorrupt, ValueNotStorable, XComStoreError
from include.xcom_store.record import MARK_KEY, is_record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TAG = "$xcom"
# Keys that Airflow's deserializer, or this module, gives a meaning.
_RESERVED = {TAG, MARK_KEY, "__classname__", "__version__", "__data__", "__cache__"}
_RESERVED |= {"__type", "__source", "__var"}
_ENCODE = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), check_circular=False
).encode
_UNSAFE_TEXT = re.compile("[\0\ud800-\udfff]")

_TOO_DEEP = f"it is nested more than {MAX_DEPTH} deep, or contains itself. Flatten it."

_TABLE = (*tags.TAGS, *libraries.TAGS, *classes.TAGS)
TAGS: dict[str, Tag] = {tag.name: tag for tag in _TABLE}
"""By the stored name, which decides how it is read, for ever."""
_BY_TYPE = tags.by_type(_TABLE)
_BY_TEST = [(tag.of, tag) for tag in _TABLE if not isinstance(tag.of, (str, type))]


def is_safe(text: str) -> bool:
    """Tell whether every database and file keeps a text as it is."""
    return (text.isascii() and "\0" not in text) or not _UNSAFE_TEXT.search(text)


def _survives(number: float) -> bool:
    # PostgreSQL's jsonb turns 1e16 into an integer and drops the sign of zero.
    return abs(number) < 1e15 and (number != 0 or math.copysign(1, number) > 0)


_KEPT: dict[type, Callable[[Any], bool]] = {
    str: is_safe,
    int: lambda number: -(2**63) <= number < 2**63,
    float: _survives,
    bool: lambda _: True,
    type(None): lambda _: True,
}
"""The scalars of JSON, and whether it and every database keep this one as it is."""


_HOLDERS = ("dataclass", "pydantic")
"""Of these Airflow may give back something where a part cannot be read: a dict, a text."""


class _TooDeep(RecursionError):
    """Says already where in the value it is, and nobody tries another way."""


class Writer:
    """Turns one value into a document.

    Args:
        leaf: called with each value inside that may be an object of its own; it returns what is to
            be kept of it in `leaves`, or None for a value that is none.
        root: names the place of the whole value, for what `inexact` notes.
    """

    def __init__(self, leaf: Callable[[Any], Any] | None = None, root: str = "") -> None:
        self._leaf = leaf
        self._depth = 0
        self.root: Place = (None, "{}", root) if root else None
        self.leaves: list[tuple[Any, str, Any]] = []
        """What `leaf` has returned, where in the value that is, for messages, and the value."""
        self.plain = True
        """No tag was needed: Airflow's own JSON path gives the value back as it is."""

    def write(self, value: Any) -> Any:
        """Return the document; `ValueNotStorable` says what is where in the value."""
        try:
            with ROOM:
                return self.part(value, self.root)
        except Located as error:
            raise ValueNotStorable(str(error)) from error.__cause__
        except _TooDeep as error:
            raise ValueNotStorable(str(error)) from error
        except RecursionError as error:
            raise ValueNotStorable(f"the value cannot be stored: {_TOO_DEEP}") from error

    def part(self, value: Any, where: Place) -> Any:
        """Return the document of what lies there in the value."""
        kind = type(value)
        if kind is str:
            kept = (value.isascii() and "\0" not in value) or is_safe(value)
        elif kind is int:
            kept = -(2**63) <= value < 2**63
        else:
            kept = _KEPT[kind](value) if kind in _KEPT else False
        if kept:
            return value
        self._depth += 1
        try:
            if self._depth > MAX_DEPTH:
                raise _TooDeep(self._refusal(value, where, _TOO_DEEP))
            if kind is list:
                return [self.part(item, (where, "[{}]", i)) for i, item in enumerate(value)]
            if kind is dict:
                return self._dict(value, where)
            return self._other(value, where)
        finally:
            self._depth -= 1

    def _dict(self, value: dict[Any, Any], where: Place) -> Any:
        for key in value:
            if type(key) is not str or key in _RESERVED or not is_safe(key):
                break
        else:
            return {key: self.part(item, (where, "[{!r}]", key)) for key, item in value.items()}
        if is_record(value):
            mark = f"it has {MARK_KEY}={value[MARK_KEY]!r}, the mark of this backend's own records"
            raise Located(self._refusal(value, where, f"{mark}. Rename that key."))
        return self._tagged(TAGS["dict"], value, where)

    def _other(self, value: Any, where: Place) -> Any:
        with _located(self, value, where):
            if self._leaf and (leaf := self._leaf(value)) is not None:
                self.plain = False
                self.leaves.append((leaf, text_of(where), value))
                return {TAG: ["leaf", len(self.leaves) - 1]}
            kind = full_name(type(value))
            tag = _BY_TYPE.get(kind) or next((t for of, t in _BY_TEST if of(value)), None)
        return self._tagged(tag, value, where) if tag else self._given_back(value, where)

    def _tagged(self, tag: Tag, value: Any, where: Place, *, again: bool = False) -> Any:
        inside = Inside(self, value, where)
        before = inside.before()
        try:
            parts = tag.write(value, inside)
        except inexact.Unreadable as error:
            return self._unreadable(value, where, error)
        except _PASSED:
            raise
        except Exception as error:  # what the tag, or a class's own code, does not take
            if again:
                raise Located(self._refusal(value, where, error)) from error
            inside.forget(before)
            return self._given_back(value, where, tag, error)
        self.plain = False
        if tag.name in ("dict", "set", "frozenset"):
            inside.check_distinct(parts[0])
        document = {TAG: [tag.name, *parts]}
        if again or tag.name not in _HOLDERS or not inside.is_noted():
            return document
        if permission.missing_permission(parts[0]) or self.is_readable(document):
            return document
        try:
            inexact.given_back(value)
        except (TypeError, inexact.Unreadable):
            return document
        inside.forget(before)
        return self._given_back(value, where, tag, TypeError("a part of it cannot be read back"))

    def _given_back(
        self, value: Any, where: Place, tag: Tag | None = None, why: Exception | None = None
    ) -> Any:
        """Return the document of what Airflow's own backend would give back.

        `why` is what keeps the value's own tag, if it has one, from writing it.
        """
        try:
            with _located(self, value, where, why):
                back = inexact.given_back(value)
                if tag is None and type(back) is type(value):
                    raise TypeError("it would come back as something else. Convert it.")
        except inexact.Unreadable as error:
            return self._unreadable(value, where, why or error)
        because = f": {why}" if why else ""
        Inside(self, value, where).note(f"comes back as {inexact.type_of(back)}{because}")
        kind = type(back)
        if kind is list:
            return [self.part(item, (where, "[{}]", i)) for i, item in enumerate(back)]
        if kind is dict:
            return self._dict(back, where)
        if kind is tuple:
            return self._tagged(TAGS["tuple"], back, where)
        if tag and kind is type(value):
            return self._tagged(tag, back, where, again=True)
        return self.part(back, where)

    def _unreadable(self, value: Any, where: Place, why: Exception) -> dict[str, list[Any]]:
        self.plain = False
        Inside(self, value, where).note(f"cannot be read back: {why}")
        return {TAG: ["unreadable", inexact.type_of(value), self.part(str(why), where)]}

    def read_back(self, document: Any) -> Any:
        """Return what a part will be read back as; its classes need no permission here."""
        with permission.granted():
            return _read(document, lambda number: self.leaves[number][-1], 0)

    def is_readable(self, document: Any) -> bool:
        """Tell whether a part could be read back now, by what Airflow allows."""
        try:
            _read(document, lambda number: self.leaves[number][-1], 0)
        except XComStoreError:
            return False
        return True

    def _refusal(self, value: Any, where: Place, why: object) -> str:
        place = f" at {text_of(where, self.root)}" if where is not self.root else ""
        if isinstance(why, Exception) and not isinstance(why, (TypeError, ValueError)):
            why = f"{type(why).__name__}: {why}"
        return f"the {full_name(type(value))}{place} cannot be stored: {why}"


_PASSED = (Located, inexact.Refused, inexact.Unreadable, RecursionError, MemoryError)


class _located:  # noqa: N801
    """Turns whatever a class's own code, or a codec, raises into an error that names the place."""

    __slots__ = ("value", "where", "why", "writer")

    def __init__(
        self, writer: Writer, value: Any, where: Place, why: Exception | None = None
    ) -> None:
        self.writer, self.value, self.where, self.why = writer, value, where, why

    def __enter__(self) -> None:
        """Nothing is to be prepared."""

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """Raise the error that names the place, unless it is no refusal or names it already."""
        if isinstance(error, Exception) and not isinstance(error, _PASSED):
            why = self.why or error
            refusal = self.writer._refusal(self.value, self.where, why)  # noqa: SLF001
            raise Located(refusal) from why


def read(document: Any, leaf: Callable[[int], Any] | None = None) -> Any:
    """Return the value of a document; `leaf` returns the value of a leaf, by its number.

    Raises:
        ObjectCorrupt: it is not a document, or of a newer version.
        ValueNotStorable: a class is not allowed by `[core] allowed_deserialization_classes`.
    """
    try:
        with ROOM:
            return _read(document, leaf, 0)
    except RecursionError as error:
        raise ObjectCorrupt("the stored document is nested too deeply to be read.") from error


def _read(document: Any, leaf: Callable[[int], Any] | None, level: int) -> Any:
    kind = type(document)
    if kind is not list and kind is not dict:
        return document
    level += 1
    if level > MAX_LEVELS:
        raise RecursionError
    if kind is list:
        return [_read(item, leaf, level) for item in document]
    if document.keys() != {TAG}:
        return {key: _read(item, leaf, level) for key, item in document.items()}
    try:
        name, *parts = document[TAG]
        if name == "leaf" and leaf:
            return leaf(*parts)
        return TAGS[name].read(*[_read(part, leaf, level + 1) for part in parts])
    except (XComStoreError, RecursionError):
        raise
    except Exception as error:  # whatever a class makes of what it is given
        raise ObjectCorrupt(
            f"the stored document holds {str(document)[:80]}, which this version cannot read "
            f"({type(error).__name__}: {error})."
        ) from error


def with_leaves(document: Any, leaves: list[dict[str, Any]]) -> Any:
    """Return a document together with what and where its leaves are."""
    return {TAG: ["leaves", leaves, document]}


def split_leaves(document: Any) -> tuple[list[Any], Any]:
    """Return the leaves (none for a document without) and the document of `with_leaves`."""
    match document:
        case {"$xcom": ["leaves", [*leaves], content]} if len(document) == 1:
            return leaves, content
    return [], document


def not_kept(node: Any) -> Iterator[Any]:
    """Yield the scalars of a JSON value that not every metadata database keeps as they are."""
    if type(node) is dict or type(node) is list:
        for part in (*node, *node.values()) if type(node) is dict else node:
            yield from not_kept(part)
    elif not _KEPT[type(node)](node):
        yield node


def dump(document: Any) -> bytes:
    """Return a document as UTF-8 JSON."""
    with ROOM:
        return _ENCODE(document).encode()


def load(data: str | bytes | bytearray | memoryview) -> Any:
    """Parse UTF-8 JSON; raises `ObjectCorrupt` for what is none, or nested too deeply."""
    try:
        with ROOM:
            return json.loads(data if isinstance(data, str) else bytes(data))
    except (ValueError, RecursionError) as error:
        raise ObjectCorrupt(f"the object is not readable JSON ({error}).") from error
