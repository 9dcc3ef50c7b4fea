"""What a Parquet file of ours says about its frame, for people: labels, dtypes, index.

A pull restores the frame from its recipe with pandas (`columns`), which costs the API server
seconds and hundreds of megabytes. A page needs words only: the recipe has them as `shown`.

What the file says is not trusted: anything unexpected raises `ObjectCorrupt`.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from include.xcom_store import documents
from include.xcom_store.codecs.frames import METADATA, MORE
from include.xcom_store.errors import ObjectCorrupt

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Meaning(NamedTuple):
    """What an Arrow type does not say about the cells of a column.

    Attributes:
        is_category: they are choices, so none is the least or greatest.
        is_document: each is a JSON document (see `documents`).
        nan_is_missing: NaN stands for a missing value, as in pandas' own float columns.
        period: the frequency of pandas' periods, whose ordinals they are; else empty.
    """

    is_category: bool = False
    is_document: bool = False
    nan_is_missing: bool = False
    period: str = ""


class Field(NamedTuple):
    """One column of the file.

    Attributes:
        name: in the Parquet file.
        label: as the frame has it, as text.
        dtype: as pandas names it.
        is_index: it is a level of the row index.
        meaning: of the data that `to_show` returns.
        words: the texts of all categories, where the file's data are codes; else None.
        missing: cells of the whole column that are; None if the file does not say.
    """

    name: str
    label: str
    dtype: str
    is_index: bool
    meaning: Meaning = Meaning()
    words: list[str] | None = None
    missing: int | None = None

    @property
    def has_more(self) -> bool:
        """Whether there are more categories than `words` tells apart."""
        return self.words is not None and self.words[-1:] == [MORE]

    def to_show(self, column: Any) -> Any:
        """Return a column's Arrow data as they are to be shown: words in the place of codes.

        Raises:
            ObjectCorrupt: the file has no words for them.
        """
        if self.words is None:
            return column
        with _nothing_trusted():
            return _decoded(column, self.words)


class Frame(NamedTuple):
    """A frame's description.

    Attributes:
        kind: `DataFrame`, `Series`, `Index` or `array`.
        fields: the index levels, then the columns.
        rows_from: start and step of a RangeIndex, whose numbers are in no column; else None.
    """

    kind: str
    fields: list[Field]
    rows_from: tuple[int, int] | None


def describe(file: Any) -> Frame:
    """Describe the frame in a pyarrow ParquetFile; its rows are not read.

    Raises:
        ObjectCorrupt: the metadata is not what this backend writes.
    """
    with _nothing_trusted():
        recipe = documents.load(file.metadata.metadata[METADATA])
        index, columns = recipe["index"], recipe["columns"]
        levels = index.get("levels") or [index["flat"] for _ in index.keys() & {"flat"}]
        rows, missing = file.metadata.num_rows, recipe["missing"]
        if not all(type(count) is int and 0 <= count <= rows for count in missing):
            raise ValueError(f"{missing} of {rows} cells missing")
        labels, dtypes = (map(_text, recipe["shown"][name]) for name in ("labels", "dtypes"))
        found = zip(file.schema_arrow, labels, dtypes, columns + levels, missing, strict=True)
        fields = [
            _field(*each, is_index=number >= len(columns)) for number, each in enumerate(found)
        ]
        start, _, step = index.get("range", (None, None, None))
        return Frame(
            {kind: kind for kind in ("DataFrame", "Series", "Index", "array")}[recipe["of"]],
            fields[len(columns) :] + fields[: len(columns)],
            None if start is None else (int(start), int(step)),
        )


@contextmanager
def _nothing_trusted() -> Iterator[None]:
    try:
        yield
    except (ObjectCorrupt, MemoryError):
        raise
    except Exception as error:  # whatever can go wrong with what is not ours
        raise ObjectCorrupt(
            f"the Parquet file does not say what this backend writes into it ({error!r})."
        ) from error


def _text(found: Any) -> str:
    if type(found) is not str:
        raise TypeError(f"{found!r} is no text")
    return found


def _field(
    found: Any, label: str, dtype: str, recipe: dict[str, Any], missing: int, *, is_index: bool
) -> Field:
    """Return a field of the file's schema; `ValueError` if it has another type than we write."""
    from pyarrow import types

    kind = found.type.value_type if types.is_dictionary(found.type) else found.type
    [(name, detail)] = recipe.items()
    words = None
    if name == "codes" and detail["values"] is False:
        words = [_text(word) for word in detail["shown"]]
    is_document = name == "object" and detail is True
    period = dtype[7:-1] if name == "dtype" and dtype.startswith("period[") else ""
    is_numpy = name == "dtype" and detail[documents.TAG][0] == "numpy_dtype"
    may_be = types.is_large_string(kind) or types.is_string(kind) if is_document else True
    if words is not None or period:
        may_be = types.is_signed_integer(kind)
    if name not in ("dtype", "codes", "object", "arrays") or not may_be:
        raise ValueError(f"{name} as {found.type}")
    meaning = Meaning(name == "codes", is_document, is_numpy and types.is_floating(kind), period)
    return Field(found.name, label, dtype, is_index, meaning, words, missing)


def _decoded(codes: Any, words: list[str]) -> Any:
    """Return codes, negative for missing, as a dictionary of words; `pa.scalar` imports pandas."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = strings(words)
    parts = codes.chunks if isinstance(codes, pa.ChunkedArray) else [codes]
    nothing = pa.nulls(1, codes.type)[0]
    kept = [pc.if_else(pc.equal(part, pc.abs(part)), part, nothing) for part in parts]
    if words[-1:] == [MORE]:
        at = np.array([len(words) - 1], codes.type.to_pandas_dtype())
        last = pa.Array.from_buffers(codes.type, 1, [None, pa.py_buffer(at)])[0]
        kept = [pc.min_element_wise(part, last, skip_nulls=False) for part in kept]
    made = [pa.DictionaryArray.from_arrays(part, texts) for part in kept]
    return pa.chunked_array(made, pa.dictionary(codes.type, texts.type))


def strings(values: Sequence[str | None]) -> Any:
    """Return texts as an Arrow array, None as null; `pa.array` would import pandas."""
    import numpy as np
    import pyarrow as pa

    encoded = [b"" if value is None else value.encode() for value in values]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
    present = np.array([value is not None for value in values], bool)
    mask = np.packbits(present, bitorder="little")
    buffers = [pa.py_buffer(part) for part in (mask, ends, b"".join(encoded))]
    return pa.Array.from_buffers(pa.large_string(), len(values), buffers)
