"""A value while it is written: where it lies in the whole, and how its parts are written."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from include.xcom_store.documents import inexact, permission
from include.xcom_store.documents.tags import KEY
from include.xcom_store.errors import ValueNotStorable, XComStoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from include.xcom_store.documents import Writer

Place = tuple[Any, str, Any] | None
"""Of a value inside another: where that is, and how to name the last step."""


def text_of(where: Place, root: Place = None) -> str:
    """Return a place as text, below a root, for a message, not too long; most values need none."""
    steps = []
    while where and where is not root:
        where, template, step = where
        steps.append(template.format(step))
    text = "".join(reversed(steps)) or "the top"
    return text if len(text) < 200 else f"{text[:100]}…{text[-100:]}"


class Located(ValueNotStorable):
    """Says already where in the value it is."""


class Inside:
    """What a tag writes the parts of one value with; see `tags.Write`."""

    def __init__(self, writer: Writer, value: Any, where: Place) -> None:
        self._writer, self._value, self._where = writer, value, where
        self._noted = inexact.notes().count

    def __call__(self, part: Any, template: str = "", step: Any = None) -> Any:
        """Return the document of a part."""
        where = (self._where, template, step) if template else self._where
        return self._key(part, where) if template is KEY else self._writer.part(part, where)

    def _key(self, key: Any, where: Place) -> Any:
        """Return the document of a dict's key; of its text, as Airflow has it, if it needs that."""
        before, count = self.before(), inexact.notes().count
        try:
            document = self._writer.part(key, where)
            if count == inexact.notes().count or self._writer.is_readable(document):
                return document
            text = str(key)
        except inexact.Refused:
            raise
        except Located as error:
            try:
                text = str(key)
            except Exception:  # noqa: BLE001 - whatever the class's own code raises
                raise error from None
        self.forget(before)
        self.note(f"has a key of {inexact.type_of(key)}, which comes back as its text")
        return self._writer.part(text, where)

    def named(self, parts: dict[str, Any]) -> dict[str, Any]:
        """Return the documents of parts that have names, by these."""
        if odd := [n for n in parts if not n.isidentifier() or n.startswith("__")]:
            raise TypeError(f"its field {odd[0]!r} has a name that documents give a meaning.")
        found = {}
        for name, part in parts.items():  # a comprehension would take a frame of the stack
            found[name] = self(part, ".{}", name)
        return found

    def attempt(self, part: Any, template: str = "", step: Any = None) -> list[Any]:
        """Return the document of a part in a list, which is empty if it cannot be stored."""
        try:
            with self.undone_on_error():
                return [self(part, template, step)]
        except inexact.Refused:
            raise
        except ValueNotStorable:
            return []

    def is_storable(self, part: Any) -> bool:
        """Tell whether a part can be stored, and store nothing."""
        before = self.before()
        found = bool(self.attempt(part))
        self.forget(before)
        return found

    @contextmanager
    def undone_on_error(self) -> Iterator[None]:
        """Forget leaves and notes of what turns out not to be storable."""
        before = self.before()
        try:
            yield
        except Exception:
            self.forget(before)
            raise

    def before(self) -> tuple[int, int, str]:
        """Return what there is of leaves and notes, for `forget`."""
        notes = inexact.notes()
        return len(self._writer.leaves), notes.count, notes.first

    def forget(self, before: tuple[int, int, str]) -> None:
        """Forget the leaves and notes that there are since then."""
        notes = inexact.notes()
        leaves, notes.count, notes.first = before
        del self._writer.leaves[leaves:]

    def read(self, document: Any) -> Any:
        """Return what a part will be read back as; its classes need no permission here."""
        return self._writer.read_back(document)

    def class_name(self, kind: Any) -> Any:
        """Return a class's name as a document; notes a class that may not be read back now."""
        name = permission.write_class(kind)
        if why := permission.missing_permission(name):
            self.note(f"cannot be read back: {why}")
        return name

    def is_noted(self) -> bool:
        """Tell whether the value or one of its parts is stored as something else."""
        return inexact.notes().count > self._noted

    def note(self, becomes: str) -> None:
        """Note that the value itself is stored as something else; see `inexact`."""
        inexact.notes().add(
            lambda: f"the {inexact.type_of(self._value)} at {text_of(self._where)} {becomes}"
        )

    def check_distinct(self, documents: list[Any]) -> None:
        """Refuse a dict or set in which two keys have become equal."""
        if not self.is_noted():
            return
        keys = [pair[0] for pair in documents] if type(self._value) is dict else documents
        if len(set(map(self._identity, keys))) != len(self._value):
            raise Located(
                f"two keys of the {inexact.type_of(self._value)} at {text_of(self._where)} would "
                "be equal after their conversion to what can be stored. Convert them yourself."
            )

    def _identity(self, document: Any) -> Any:
        try:
            return self.read(document)
        except XComStoreError:  # may not be read now
            return repr(document)
