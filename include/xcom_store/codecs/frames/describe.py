"""What a Parquet file of ours says about its frame, for people: labels, dtypes, index.

A pull restores the frame from the same recipes with pandas (`columns`). A page needs words only.
pandas costs the API server seconds and hundreds of megabytes, so this is pyarrow and numpy alone.

What the file says is not trusted: anything unexpected raises `ObjectCorrupt`. How much memory its
labels and categories take is known when they are unpacked, so the process needs a limit of its own;
of more than `MAX_WORDS` no texts are made (`MemoryError`, as beyond that limit).
"""

from __future__ import annotations

import base64
import functools
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from include.xcom_store import documents
from include.xcom_store.codecs.frames import read_metadata
from include.xcom_store.errors import ObjectCorrupt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_WORDS = 200_000
"""Labels or categories of one frame or column."""


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
        words: returns the texts of all categories, where the file's data are codes; else None.
        missing: cells of the whole column that are; None if the file does not say.
    """

    name: str
    label: str
    dtype: str
    is_index: bool
    meaning: Meaning = Meaning()
    words: Callable[[], Any] | None = None
    missing: int | None = None

    def to_show(self, column: Any) -> Any:
        """Return a column's Arrow data as they are to be shown: words in the place of codes.

        Raises:
            ObjectCorrupt: the file has no words for them.
        """
        if self.words is None:
            return column
        with _nothing_trusted():
            return _decoded(column, self.words())


class Frame(NamedTuple):
    """A frame's description.

    Attributes:
        kind: `DataFrame` or `Series`.
        fields: the index levels, then the columns.
        rows_from: start and step of a RangeIndex, whose numbers are in no column; else None.
    """

    kind: str
    fields: list[Field]
    rows_from: tuple[int, int] | None


def describe(file: Any, texts: Callable[[Any, Meaning], Any]) -> Frame:
    """Describe the frame in a pyarrow ParquetFile; its rows are not read.

    Args:
        file: the open file.
        texts: returns the texts of Arrow cells as an Arrow array, null for what is missing.

    Raises:
        ObjectCorrupt: the metadata is not what this backend writes.
    """
    with _nothing_trusted():
        recipe, written = read_metadata(file.metadata)
        index, columns = recipe["index"], recipe["columns"]
        levels = _recipes(index)
        if len(columns) + len(levels) != len(file.schema_arrow):
            raise ValueError(f"{len(columns)} columns, {len(levels)} levels in {file.schema_arrow}")
        labels = _labels(recipe["labels"], len(columns), texts)
        labels += [_name(name, texts) for name, _ in zip(index["names"], levels, strict=False)]
        fields = [
            _field(*parts, texts, is_index=position >= len(columns))
            for position, parts in enumerate(
                zip(file.schema_arrow, written, labels, columns + levels, strict=True)
            )
        ]
        missing = recipe.get("missing", [None] * len(fields))
        fields = [
            field._replace(missing=_count(count, file.metadata.num_rows))
            for field, count in zip(fields, missing, strict=True)
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


def _count(count: Any, rows: int) -> int | None:
    if count is None or (type(count) is int and 0 <= count <= rows):
        return count
    raise ValueError(f"{count!r} of {rows} cells missing")


def _field(
    found: Any, written: Any, label: str, recipe: dict[str, Any], texts: Any, *, is_index: bool
) -> Field:
    """Return a field.

    Args:
        found: the Arrow field as Parquet has it.
        written: the Arrow field as it was written.
        label: of the column or level.
        recipe: of the column or level.
        texts: see `describe`.
        is_index: it is a level.
    """
    meaning, words = _meaning(recipe, found.type, texts)
    dtype = _dtype(recipe, written.type)
    return Field(found.name, label, dtype, is_index, meaning, words)


def _meaning(
    recipe: dict[str, Any], kind: Any, texts: Any
) -> tuple[Meaning, Callable[[], Any] | None]:
    """Return the meaning of a column, and where its categories' texts come from.

    Raises:
        ValueError: it cannot have this Arrow type.
    """
    import pyarrow as pa

    types = pa.types
    plain = kind.value_type if types.is_dictionary(kind) else kind
    [(name, detail)] = recipe.items()
    is_codes = name == "codes" and detail["values"] is False
    dtype = _dtype(recipe, kind)
    is_period = name == "dtype" and dtype.startswith("period[")
    is_document = name == "object" and detail is True
    if (is_codes or is_period) and not types.is_signed_integer(plain):
        raise ValueError(f"{name} as {kind}")
    if is_document and not (types.is_large_string(plain) or types.is_string(plain)):
        raise ValueError(f"{name} as {kind}")
    words = functools.cache(lambda: _words(detail["index"], texts)) if is_codes else None
    is_numpy = name == "dtype" and detail[documents.TAG][0] == "numpy_dtype"
    nan_is_missing = is_numpy and types.is_floating(plain)
    period = dtype[7:-1] if is_period else ""
    return Meaning(name == "codes", is_document, nan_is_missing, period), words


def _dtype(recipe: dict[str, Any], kind: Any) -> str:
    import numpy as np

    [(name, detail)] = recipe.items()
    if name != "dtype":
        return {"codes": "category", "object": "object", "arrays": "object"}[name]
    tag, first, *parts = detail[documents.TAG]
    if tag == "numpy_dtype":
        return str(np.dtype(str(first)))
    if first == "zoned":
        return f"datetime64[{kind.unit}, {kind.tz}]"
    if first == "arrow":  # of an extension type the file has the storage
        [[_, _, [arrow]]] = [part[documents.TAG] for part in parts]
        return f"{arrow}[pyarrow]"
    if first == "string":
        return "string" if parts[1] else "str"
    return str({"named": parts[0]}[first])


def _recipes(index: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the recipes of an index's columns."""
    if "range" in index:
        return []
    return list(index["levels"]) if "levels" in index else [index["flat"]]


def _labels(packed: dict[str, Any], count: int, texts: Any) -> list[str]:
    if "range" in packed:
        numbers = range(*packed["range"])
        if len(numbers) != count:
            raise ValueError(f"{len(numbers)} labels of {count} columns")
        return [str(number) for number in numbers]
    levels = [level.to_pylist() for level in _levels(packed, texts)]
    return [
        " / ".join("NaN" if part is None else part for part in parts)
        for parts in zip(*levels, strict=True)
    ]


def _name(name: Any, texts: Any) -> str:
    """Return the name of a level, which may be any value, as text."""
    import numpy as np
    import pyarrow as pa

    if name is None:
        return ""
    data = documents.dump(name)
    ends = pa.py_buffer(np.array([0, len(data)], np.int64))
    # `pa.array` would import pandas.
    array = pa.Array.from_buffers(pa.large_string(), 1, [None, ends, pa.py_buffer(data)])
    return str(texts(array, Meaning(is_document=True))[0])


def _words(packed: dict[str, Any], texts: Any) -> Any:
    """Return the texts of packed categories as an Arrow array."""
    [level] = _levels(packed, texts)
    return level


def _levels(packed: dict[str, Any], texts: Any) -> list[Any]:
    """Return the texts of a packed index, as an Arrow array per level."""
    import pyarrow as pa

    raw = base64.b64decode(packed["data"], validate=True)
    with pa.ipc.open_stream(raw) as stream:
        table = stream.read_all()
    table.validate(full=True)
    if table.num_rows > MAX_WORDS:
        raise MemoryError(f"{table.num_rows:,} labels or categories")
    shown = []
    for column, recipe in zip(table.columns, _recipes(packed), strict=True):
        meaning, words = _meaning(recipe, column.type, texts)
        shown.append(texts(column if words is None else _decoded(column, words()), meaning))
    return shown


def _decoded(codes: Any, words: Any) -> Any:
    """Return codes, negative for missing, as a dictionary of words."""
    import pyarrow as pa
    import pyarrow.compute as pc

    parts = codes.chunks if isinstance(codes, pa.ChunkedArray) else [codes]
    nothing = pa.nulls(1, codes.type)[0]
    kept = [pc.if_else(pc.equal(part, pc.abs(part)), part, nothing) for part in parts]
    made = [pa.DictionaryArray.from_arrays(part, words) for part in kept]
    return pa.chunked_array(made, pa.dictionary(codes.type, words.type))
