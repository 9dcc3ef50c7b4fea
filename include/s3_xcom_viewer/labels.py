"""What a Parquet file of ours says about the pandas frame it holds: labels, dtypes, index.

The file's metadata has it for the codec (see `include/s3_xcom/codecs/frames`), which restores it
with pandas. A page needs the words only, and does without.
"""

from __future__ import annotations

import base64
import json
from typing import Any, NamedTuple

from include.s3_xcom.codecs.frames import METADATA
from include.s3_xcom.errors import ObjectCorrupt
from include.s3_xcom_viewer import cells, documents


class Field(NamedTuple):
    """One column of the file.

    Attributes:
        name: in the Parquet file.
        label: as the frame has it.
        recipe: how the codec restores it.
        is_index: a level of the row index.
    """

    name: str
    label: str
    dtype: str
    recipe: dict[str, Any]
    is_index: bool


class Frame(NamedTuple):
    """A frame's description.

    Attributes:
        fields: the index levels, then the columns.
        rows_from: start and step of a RangeIndex, whose numbers are in no column; else None.
    """

    kind: str
    fields: list[Field]
    rows_from: tuple[int, int] | None


def describe(file: Any) -> Frame:
    """Read the metadata of a Parquet file.

    Args:
        file: a pyarrow ParquetFile.

    Raises:
        ObjectCorrupt: the metadata is not of our codec.
    """
    try:
        recipe, schema = json.loads(file.metadata.metadata[METADATA]), file.schema_arrow
        labels = _labels(recipe["labels"])
        columns = recipe["columns"]
        index, names = recipe["index"], [_name(name) for name in recipe["index"]["names"]]
        levels = (
            index["levels"] if "levels" in index else [index["flat"]] if "flat" in index else []
        )
        fields = [
            _field(schema.field(position), label, column, is_index=position >= len(columns))
            for position, (label, column) in enumerate(
                zip(labels + names[: len(levels)], columns + levels, strict=True)
            )
        ]
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ObjectCorrupt(
            f"the Parquet file does not say what this backend writes into it ({error!r})."
        ) from error
    start, _, step = index.get("range", (None, None, None))
    fields = fields[len(columns) :] + fields[: len(columns)]
    return Frame(recipe["of"], fields, None if start is None else (start, step))


def _field(field: Any, label: str, recipe: dict[str, Any], *, is_index: bool) -> Field:
    return Field(field.name, label, _dtype(recipe, field.type), recipe, is_index)


def _labels(packed: dict[str, Any]) -> list[str]:
    return [" / ".join(map(_missing, parts)) for parts in zip(*_unpack(packed), strict=True)]


def _unpack(packed: dict[str, Any]) -> list[list[str | None]]:
    """Return the texts of each level."""
    import pyarrow as pa

    if "range" in packed:
        return [[str(number) for number in range(*packed["range"])]]
    with pa.ipc.open_stream(base64.b64decode(packed["data"], validate=True)) as stream:
        columns = stream.read_all().columns
    return [
        [None if code < 0 else words[code] for code in column.to_pylist()]
        if (words := categories(recipe)) is not None
        else cells.texts(column, recipe)
        for column, recipe in zip(columns, packed.get("levels") or [packed["flat"]], strict=True)
    ]


def categories(recipe: dict[str, Any]) -> list[str | None] | None:
    """Return the texts of a column whose cells are codes into them; None if they are values."""
    if "codes" not in recipe or recipe["codes"]["values"]:
        return None
    [words] = _unpack(recipe["codes"]["index"])
    return words


def is_period(recipe: dict[str, Any]) -> bool:
    """Tell whether a column's numbers are ordinals of pandas' periods."""
    return str(recipe.get("pandas", "")).startswith("period[")


def _missing(text: str | None) -> str:
    return "NaN" if text is None else text


def _name(written: Any) -> str:
    return "" if written is None else documents.brief(written, bare=True)


def _dtype(recipe: dict[str, Any], arrow: Any) -> str:
    import numpy as np

    kind, detail = next(iter(recipe.items()))
    if kind == "numpy":
        return str(np.dtype(detail))
    if kind == "zoned":
        unit, zone = detail
        return f"datetime64[{unit}, {documents.brief(zone, bare=True)}]"
    named = {
        "pandas": detail,
        "string": "string" if kind == "string" and detail[1] else "str",
        "arrow": f"{arrow}[pyarrow]",
        "codes": "category",
        "object": "object",
    }
    return str(named[kind])
