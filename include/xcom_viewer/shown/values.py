"""Arrays, trees, texts and bytes as a reader describes them."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field

from include.xcom_viewer.shown.tables import Figures  # noqa: TC001 - pydantic looks it up


@dataclass
class Picture:
    """A PNG in base64.

    Attributes:
        title: `Image` or `Heat map`.
        words: how it was made.
    """

    title: str
    png: str
    words: str = ""

    def __post_init__(self) -> None:
        """Refuse what is no base64."""
        base64.b64decode(self.png, validate=True)


@dataclass(kw_only=True)
class Array:
    """An array, of which the first elements were read.

    Attributes:
        size: elements in all.
        read: elements in the figures.
        figures: for numbers, else None.
        rows: of texts; one value a row, or the corner of a matrix.
        pictures: of one that looks like an image, or of a matrix.
    """

    shape: list[int]
    dtype: str
    order: str
    size: int
    read: int
    figures: Figures | None
    rows: list[list[str]]
    pictures: list[Picture] = field(default_factory=list)


@dataclass
class Node:
    """One value in a tree.

    Attributes:
        label: its key or position in what holds it.
        kind: of the value, as Python names it.
        text: of a single value, or a short description of one that holds others.
        hint: what is in it, for as long as it is folded.
        leaf: number of the object that holds it, for frames, arrays and large bytes.
        hidden: how many of its items are not shown.
    """

    label: str
    kind: str
    text: str = ""
    hint: str = ""
    children: list[Node] = field(default_factory=list)
    leaf: int | None = None
    hidden: int = 0
    is_open: bool = False


@dataclass
class Text:
    """A text, or raw JSON; `hidden` counts the characters after it."""

    text: str
    hidden: int = 0


@dataclass
class Bytes:
    """The first bytes: offset, hexadecimal and characters of 16 a row.

    Attributes:
        is_image: they begin as an image does that browsers show (see `images`).
    """

    rows: list[tuple[str, str, str]]
    is_image: bool = False


@dataclass
class Leaves:
    """The values inside a document that are objects of their own, as the document has them.

    Attributes:
        paths: by position, the keys that lead to it.
    """

    found: list[dict[str, str | int]]
    paths: dict[int, list[str]] = field(default_factory=dict)
