"""The content of a card: what a reader makes of one XCom's value."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from include.xcom_store.codecs import ge_result, json_text, npy
from include.xcom_store.record import StoredObject, inline_text
from include.xcom_viewer import downloads
from include.xcom_viewer.pipe import BUDGET_BYTES
from include.xcom_viewer.shown import TooLarge
from include.xcom_viewer.source import Source

if TYPE_CHECKING:
    from include.xcom_store.stores.base import Store
    from include.xcom_viewer.entries import Entry
    from include.xcom_viewer.readers import Readers

WHOLE_BYTES = 1024 * 1024
"""Objects up to this size are read whole: one request, and their SHA-256 is checked."""
JSON_CODECS = (json_text.NAME, ge_result.NAME)
"""Of these all is needed."""
FILE_CODECS = (*downloads.TABLE_CODECS, npy.NAME)


@dataclass
class Body:
    """What a card shows.

    Attributes:
        kind: names the template.
        content: see `shown`.
        bytes_read: from the store.
        checked: whether size and SHA-256 of the whole object were checked.
        stored: the object; None for a value of the database.
        path: of a part of a value, the keys that lead to it.
    """

    kind: str
    content: Any
    bytes_read: int = 0
    checked: bool = False
    stored: StoredObject | None = None
    path: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Window:
    """Which part of a value is shown: from which row and column on, or its JSON as it is.

    Attributes:
        do: `show`, `chart` or `profile`; so are `x` and `y` those of `reader.preview.Job`.
        line: of a chart, its points are joined.
    """

    row: int = 0
    column: int = 0
    raw: bool = False
    do: str = "show"
    x: int | None = None
    y: int = 0
    line: bool = False

    @property
    def job(self) -> dict[str, Any]:
        """As a reader is asked for it."""
        return {name: value for name, value in asdict(self).items() if name != "line"}


def of_database(readers: Readers, entry: Entry, window: Window) -> Body:
    """Return what the card of a value in the database shows.

    Raises:
        ObjectCorrupt: it is not what this backend wrote.
        Busy, Unsafe, Failed, TooLarge: see `Readers.ask`.
    """
    text = entry.text if entry.record is None else inline_text(entry.record)
    data = text.encode(errors="surrogatepass")
    job = window.job | {"codec": json_text.NAME, "size": len(data)}
    return Body(*readers.ask(str(entry.owner), job, None, data))


def of_object(readers: Readers, store: Store, stored: StoredObject, window: Window) -> Body:
    """Return what the card of a value in the store shows. Reads the store.

    Args:
        readers: parse it.
        store: where the object is.
        stored: the object, as `objects.locate` returned it.
        window: which part of it.

    Raises:
        XComStoreError, TooLarge, NoPreview: see `states`.
        Busy, Unsafe, Failed: see `Readers.ask`.
    """
    kind, content, source, whole = _asked(readers, store, stored, window.job)
    return Body(kind, content, source.bytes_read, whole, stored)


def leaves(
    readers: Readers, store: Store, stored: StoredObject
) -> list[tuple[StoredObject, list[str]]]:
    """Return the objects inside a document, as it names them, and the keys that lead there.

    Raises as `of_object` does.
    """
    _kind, content, *_ = _asked(readers, store, stored, {"do": "leaves"})
    return [
        (StoredObject.parse(one, f"part {n} of this value"), content.paths.get(n, [str(n)]))
        for n, one in enumerate(content.found)
    ]


def _asked(
    readers: Readers, store: Store, stored: StoredObject, job: dict[str, Any]
) -> tuple[str, Any, Source, bool]:
    """Return the answer, what was read for it, and whether that is all, and right."""
    source, whole = Source(store, stored), None
    is_json = stored.codec in JSON_CODECS
    if is_json and source.size > BUDGET_BYTES:
        raise TooLarge
    # Before a reader is asked: who waits for the store keeps none from others.
    if is_json or (source.size <= WHOLE_BYTES and stored.codec in FILE_CODECS):
        whole = source.whole()
    job |= {"codec": stored.codec, "size": source.size}
    kind, content = readers.ask(stored.uri, job, source, whole)
    return kind, content, source, whole is not None
