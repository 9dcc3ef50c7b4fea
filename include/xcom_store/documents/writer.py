"""A value to its document."""

from __future__ import annotations

import copy
import datetime as dt
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from include.xcom_store.documents import inexact, permission, tags
from include.xcom_store.documents.plain import KEPT, TAG, is_name
from include.xcom_store.documents.reader import TABLE, Reader
from include.xcom_store.documents.stack import MAX_DEPTH, ROOM
from include.xcom_store.documents.state import is_same
from include.xcom_store.documents.tags import (
    MAY_FAIL,
    REFUSE,
    USE_ZONEINFO,
    Pairs,
    Tag,
    full_name,
    type_name,
)
from include.xcom_store.errors import ValueNotStorable, XComStoreError
from include.xcom_store.record import MARK_KEY, is_record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_TOO_DEEP = f"it is nested more than {MAX_DEPTH} deep, or contains itself. Flatten it."

_find = tags.finder(TABLE)


class _Located(ValueNotStorable):
    """Says already where in the value it is."""


class _TooDeep(RecursionError):
    """The same, and nobody tries another way."""


_HOLDERS = ("dataclass", "pydantic")
"""Of these Airflow may give back something where a part cannot be read: a dict, a text."""
_PASSED = (_Located, inexact.Refused, inexact.Unreadable, RecursionError, MemoryError)
"""What says enough already."""
_Mark = tuple[list[Any], int, int, str]


class _Step(NamedTuple):
    """A step of a path that is no key or number in brackets."""

    form: str = ""
    of: Any = None


class Writer:
    """Turns one value into a document.

    Args:
        leaf: called with each value inside that may be an object of its own; it returns what is to
            be kept of it in `leaves`, or None for a value that is none.
        root: names the place of the whole value, in messages.
    """

    def __init__(self, leaf: Callable[[Any], Any] | None = None, root: str = "") -> None:
        self._leaf, self._root = leaf, root
        self._path: list[Any] = []  # to what is being written; after an error, to what raised it
        self._notes = inexact.notes()
        self._is_copy = False
        self.leaves: list[tuple[Any, str, Any]] = []
        """What `leaf` has returned, where in the value that is, for messages, and the value."""
        self.is_plain_json = True
        """No tag was needed: Airflow's own JSON path gives the value back as it is."""

    def write(self, value: Any) -> Any:
        """Return the document; `ValueNotStorable` says what is where in the value."""
        before, root = self._notes.count, self._root and f"{self._root}: "
        try:
            with ROOM:
                document = self.part(value)
        except (_Located, _TooDeep) as error:
            raise ValueNotStorable(f"{root}{error}") from error.__cause__
        except RecursionError as error:
            raise ValueNotStorable(f"{root}the value cannot be stored: {_TOO_DEEP}") from error
        self._notes.check(before)
        return document

    def part(self, value: Any) -> Any:
        """Return the document of a value at the end of the path."""
        kind = type(value)
        if kind in KEPT and KEPT[kind](value):
            return value
        depth = len(self._path)
        if depth >= MAX_DEPTH:
            raise _TooDeep(self._refusal(value, _TOO_DEEP))
        if kind is list:
            return self._below(self._items, value)
        if kind is dict and all(map(is_name, value)):
            return self._below(self._values, value)
        try:
            return self._other(value)
        except inexact.Unreadable as error:
            del self._path[depth:]
            self.is_plain_json = False
            self.note(value, f"cannot be read back: {error}")
            return {TAG: ["unreadable", type_name(value), self.part(str(error))]}
        except _PASSED:
            raise
        except Exception as error:  # whatever a class's own code, or a codec, raises
            raise _Located(self._refusal(value, error)) from error

    def _below(self, write: Callable[..., Any], *parts: Any) -> Any:
        """Write parts of the value at the end of the path, as steps from there."""
        self._path.append(_Step())
        done = write(*parts)
        self._path.pop()  # not after an error
        return done

    def _items(self, items: Iterable[Any]) -> list[Any]:
        done = []
        for number, item in enumerate(items):
            self._path[-1] = number
            done.append(self.part(item))
        return done

    def _values(self, value: dict[str, Any]) -> dict[str, Any]:
        done = {}
        for key, item in value.items():
            self._path[-1] = key
            done[key] = self.part(item)
        return done

    def pairs(self, pairs: Iterable[tuple[Any, Any]]) -> list[Any]:
        """Return the documents of keys and values."""
        done = []
        for key, item in pairs:
            written = self._key(key)
            self._path[-1] = key
            done.append([written, self.part(item)])
        return done

    def _key(self, key: Any) -> Any:
        """Return the document of a key; of its text, as Airflow has it, if it needs that."""
        self._path[-1] = _Step(" key {!r}", key)
        mark = self.mark()
        try:
            document = self.part(key)
            if not self.is_noted(mark):
                return document
            self.read_back(document, trusted=False)
        except inexact.Refused:
            raise
        except XComStoreError:
            self.forget(mark)
            document = self.part(str(key))
            self.note(key, "comes back as its text")
        return document

    def _other(self, value: Any) -> Any:
        if is_record(value):
            what = f"it has {MARK_KEY}={value[MARK_KEY]!r}, the mark of this backend's own records"
            raise TypeError(f"{what}. Rename that key.")
        tag = _find(value)
        # Of Python's own types, only bytes may be an object of their own.
        is_single = tag and isinstance(tag.of, type) and tag.of not in (bytes, bytearray)
        leaf = self._leaf(value) if self._leaf and not is_single else None
        if leaf is not None:
            self.is_plain_json = False
            self.leaves.append((leaf, self._place(), value))
            return {TAG: ["leaf", len(self.leaves) - 1]}
        why: Exception | None = None
        if tag:
            mark = self.mark()
            try:
                document = self._below(self._tagged, tag, value)
                if not (self.is_noted(mark) and self._is_better_whole(tag, value, document)):
                    return document
                why = TypeError("a part of it cannot be read back")
            except _PASSED as error:
                # A datetime is given to Airflow as a whole if its zone cannot be stored.
                if not (isinstance(error, _Located) and isinstance(value, (dt.datetime, dt.time))):
                    raise
                why = error
            except Exception as error:  # noqa: BLE001 - what the tag, or a class's code, does not take
                why = error
            self.forget(mark)
        elif isinstance(value, dt.tzinfo):
            why = TypeError(f"it is a time zone without a name. {USE_ZONEINFO}")
        return self._given_back(value, tag, why)

    def _is_better_whole(self, tag: Tag, value: Any, document: Any) -> bool:
        """Tell whether Airflow gives an object back of which a part may not be read now."""
        if tag.name not in _HOLDERS or permission.missing(document[TAG][1]):
            return False
        try:
            self.read_back(document, trusted=False)
        except XComStoreError:
            with suppress(TypeError, inexact.Unreadable):
                inexact.given_back(value)
                return True
        return False

    def _given_back(self, value: Any, tag: Tag | None, why: Exception | None) -> Any:
        """Return the document of what Airflow's own backend would give back.

        `why` is what keeps the value's own tag, if it has one, from writing it.
        """
        try:
            back = inexact.given_back(value)
        except inexact.Unreadable as error:
            raise inexact.Unreadable(str(why or error)) from error
        except Exception as error:
            if why is None:
                raise
            raise why from error
        is_another = type(back) is not type(value)
        if not is_another and not (tag and why):
            raise why or TypeError("it would come back as something else. Convert it.")
        self.note(value, f"comes back as {type_name(back)}{f': {why}' if why else ''}")
        return self.part(back) if is_another else self._below(self._tagged, tag, back)

    def _tagged(self, tag: Tag, value: Any) -> dict[str, list[Any]]:
        before = self._notes.count
        documents = [*(tag.take(value, self) if tag.is_kind else self._parts(tag, value))]
        self.is_plain_json = False
        self._path[-1] = _Step()
        document = {TAG: [tag.name, *documents]}
        if tag.check:
            self._check(tag, value, document)
        if self._notes.count > before and tag.name in ("dict", "set", "frozenset"):
            self._check_distinct(value, documents[0])
        return document

    def _parts(self, tag: Tag, value: Any) -> Iterator[Any]:
        names = tag.parts.split() if isinstance(tag.parts, str) else []
        for number, part in enumerate(tag.take(value)):
            self._path[-1] = _Step(".{}", names[number]) if names else _Step()
            if type(part) is list:
                yield self._items(part)
            else:
                yield self.pairs(part) if type(part) is Pairs else self.part(part)

    def _check(self, tag: Tag, value: Any, document: Any) -> None:
        """Read a value back to see whether it is the same."""
        try:
            back = self.read_back(document)
        except Exception as error:  # whatever a class's own code raises
            if tag.check == REFUSE:
                raise TypeError(str(error.__cause__ or error)) from error
            self.note(value, f"cannot be read back: its deserialize fails here ({error})")
            return
        if tag.check != REFUSE:
            if tag.check != MAY_FAIL and not is_same(value, back):
                self.note(value, tag.check)
            return
        is_nan = value != value  # noqa: PLR0124
        is_equal = type(back) is type(value) and (back == value or is_nan)
        if not is_equal or repr(back) != repr(value):
            raise TypeError("it cannot be made again from its own parts.")

    def _check_distinct(self, value: Any, documents: list[Any]) -> None:
        """Refuse a dict or set in which two keys have become equal."""
        keys = [pair[0] for pair in documents] if type(value) is dict else documents
        if len(set(map(self._identity, keys))) != len(value):
            what = "two keys of it would be equal after their conversion. Convert them yourself."
            raise _Located(self._refusal(value, what))

    def _identity(self, document: Any) -> Any:
        try:
            return self.read_back(document)
        except XComStoreError:  # it warns of that already
            return repr(document)

    # What the tags of `objects` write with:

    def named(self, name: str, part: Any) -> list[Any]:
        """Return the document of a part that has a name, in a list."""
        if not is_name(name):
            raise TypeError(f"its field {name!r} has a name that documents give a meaning.")
        self._path[-1] = _Step(".{}", name)
        document = self.part(part)
        self._path[-1] = _Step()
        return [document]

    def attempt(self, name: str, part: Any) -> list[Any]:
        """Return the same, or an empty list if the part cannot be stored."""
        before = self.mark()
        try:
            return self.named(name, part)
        except inexact.Refused:
            raise
        except ValueNotStorable:
            self.forget(before)
            return []

    def copied(self, name: str, part: Any) -> list[Any]:
        """Return the same as `named`, of the part's copy if only that can be stored.

        Airflow's serializer copies what is in a dataclass, and some copies are something else:
        that of `date.isocalendar()` is a tuple, that of an object may be without its lock.
        """
        before = self.mark()
        try:
            return self.named(name, part)
        except inexact.Refused:
            raise
        except ValueNotStorable as error:
            if self._is_copy:  # twice at each level would be 2ⁿ times at the innermost
                raise
            self.forget(before)
            self._is_copy = True
            try:
                done = self.named(name, copy.deepcopy(part))
            except inexact.Refused:
                raise
            except Exception:  # noqa: BLE001 - whatever a class's own code raises
                raise error from error.__cause__
            finally:
                self._is_copy = False
            self._path[-1] = _Step(".{}", name)
            self.note(part, f"comes back as its copy: {error}")
            self._path[-1] = _Step()
            return done

    def mark(self) -> _Mark:
        """Return how far the writing has come, for `forget`."""
        return self._path[:], len(self.leaves), self._notes.count, self._notes.first

    def forget(self, mark: _Mark) -> None:
        """Forget the leaves and notes that there are since then."""
        self._path[:], leaves, self._notes.count, self._notes.first = mark
        del self.leaves[leaves:]

    def is_noted(self, mark: _Mark) -> bool:
        """Tell whether a part has been stored as something else since then."""
        return self._notes.count > mark[2]

    def note(self, value: Any, becomes: str) -> None:
        """Note that the value at the end of the path is stored as something else."""
        self._notes.add(
            lambda: f"the {type_name(value)} at {self._root + self._place() or 'the top'} {becomes}"
        )

    def class_name(self, value: Any, kind: Any = None) -> Any:
        """Return the name of a value's class; notes a class that may not be read back now."""
        found: Any = kind or type(value)
        name = permission.name_of(found)
        if why := permission.missing(name):
            self.note(value, f"cannot be read back: {why}")
        return name

    def read_back(self, document: Any, *, trusted: bool = True) -> Any:
        """Return what a part will be read back as; its classes need no permission here."""
        return Reader(lambda number: self.leaves[number][-1], trusted=trusted).read(document)

    def _place(self) -> str:
        """Return the path as text, not too long; empty at the top."""
        steps = [
            step.form.format(step.of) if type(step) is _Step else f"[{step!r}]"
            for step in self._path
        ]
        text = "".join(steps)
        return text if len(text) < 200 else f"{text[:100]}…{text[-100:]}"

    def _refusal(self, value: Any, why: object) -> str:
        place = f" at {self._place()}" if self._place() else ""
        if isinstance(why, Exception) and not isinstance(why, (TypeError, ValueError)):
            why = f"{type(why).__name__}: {why}"
        return f"the {full_name(type(value))}{place} cannot be stored: {why}"
