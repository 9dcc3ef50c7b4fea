"""A document back to its value, by the one table of tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from include.xcom_store.documents import libraries, objects, permission, tags
from include.xcom_store.documents.plain import KEPT, TAG
from include.xcom_store.documents.stack import MAX_LEVELS, ROOM
from include.xcom_store.errors import ObjectCorrupt, XComStoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from include.xcom_store.documents.tags import Tag

TABLE = (*tags.TAGS, *libraries.TAGS, *objects.TAGS)
TAGS: dict[str, Tag] = {tag.name: tag for tag in TABLE}
"""By the stored name, which decides how it is read, for ever."""


def read(document: Any, leaf: Callable[[int], Any] | None = None) -> Any:
    """Return the value of a document; `leaf` returns the value of a leaf, by its number.

    Raises:
        ObjectCorrupt: it is not a document, or of a newer version.
        ValueNotStorable: a class is not allowed by `[core] allowed_deserialization_classes`.
    """
    try:
        with ROOM:
            return Reader(leaf).read(document)
    except RecursionError as error:
        raise ObjectCorrupt("the stored document is nested too deeply to be read.") from error


class Reader(NamedTuple):
    """Reads documents; a trusted one was written by this process, so its classes may be read."""

    leaf: Callable[[int], Any] | None
    trusted: bool = False

    def read(self, document: Any, level: int = 0) -> Any:
        kind = type(document)
        if kind in KEPT:
            return document
        level += 1
        if level > MAX_LEVELS:
            raise RecursionError
        if kind is list:
            return [self.read(item, level) for item in document]
        if TAG not in document or len(document) > 1:
            return {key: self.read(item, level) for key, item in document.items()}
        try:
            name, *parts = document[TAG]
            if name == "leaf" and self.leaf:
                return self.leaf(*parts)
            tag = TAGS[name]
            parts = [self.read(part, level + 1) for part in parts]
            if tag.is_kind:
                parts[0] = permission.read_class(parts[0], tag.is_kind, trusted=self.trusted)
            return tag.read(*parts)
        except (XComStoreError, RecursionError):
            raise
        except Exception as error:  # whatever a class makes of what it is given
            raise ObjectCorrupt(
                f"the stored document holds {str(document)[:80]}, which this version cannot read "
                f"({type(error).__name__}: {error})."
            ) from error
