"""The row index and the column labels of a frame.

A RangeIndex is three numbers. A flat index is a column like any other. A MultiIndex is a column a
level, with the level's values beside it, for their order decides how the frame sorts and unstacks.
"""

from __future__ import annotations

from typing import Any

from include.s3_xcom import document
from include.s3_xcom.codecs.frame_columns import (
    Column,
    as_index,
    pack,
    plan,
    plan_codes,
    restore,
    restore_codes,
    unpack,
)
from include.s3_xcom.errors import ValueNotStorable


def plan_index(index: Any, what: str) -> tuple[dict[str, Any], list[Column]]:
    """Return an index's recipe and its columns (none for a RangeIndex)."""
    import pandas as pd

    names = document.Writer().write(list(index.names))
    if isinstance(index, pd.RangeIndex):
        return {"range": [index.start, index.stop, index.step], "names": names}, []
    if isinstance(index, pd.MultiIndex):
        columns = [
            plan_codes(codes, level, f"level {number} of {what}", ordered=False)
            for number, (codes, level) in enumerate(zip(index.codes, index.levels, strict=True))
        ]
        return {"levels": [column.recipe for column in columns], "names": names}, columns
    column = plan(index, what)
    return {"flat": column.recipe, "names": names, "freq": _write_freq(index, what)}, [column]


def restore_index(recipe: dict[str, Any], columns: list[Any]) -> Any:
    """Return the index from its recipe and the ChunkedArrays of its columns."""
    import pandas as pd

    names = document.read(recipe["names"])
    if "range" in recipe:
        start, stop, step = recipe["range"]
        return pd.RangeIndex(start, stop, step, name=names[0])
    if "levels" in recipe:
        pairs = zip(recipe["levels"], columns, strict=True)
        codes, levels = zip(*(restore_codes(level, chunks) for level, chunks in pairs), strict=True)
        return pd.MultiIndex(levels, codes, names=names, verify_integrity=False)
    index = as_index(restore(recipe["flat"], columns[0]), names[0])
    if recipe["freq"] is not None:
        index.freq = pd.tseries.frequencies.to_offset(recipe["freq"])
    return index


def pack_labels(index: Any) -> dict[str, Any]:
    """Return the column labels, data included, as JSON."""
    import pandas as pd

    recipe, _ = plan_index(index, "the column labels")
    if isinstance(index, pd.MultiIndex):
        return recipe | {"codes": [codes.tolist() for codes in index.codes]}
    return recipe if "range" in recipe else recipe | {"packed": pack(index, "the column labels")}


def unpack_labels(packed: dict[str, Any]) -> Any:
    """Return the labels that `pack_labels` was given."""
    import pandas as pd

    if "codes" in packed:
        levels = [unpack(level["categories"]) for level in packed["levels"]]
        names = document.read(packed["names"])
        return pd.MultiIndex(levels, packed["codes"], names=names, verify_integrity=False)
    if "packed" not in packed:
        return restore_index(packed, [])
    index = unpack(packed["packed"])
    if packed["freq"] is not None:
        index.freq = pd.tseries.frequencies.to_offset(packed["freq"])
    return index


def _write_freq(index: Any, what: str) -> str | None:
    import pandas as pd

    freq = index.freq if isinstance(index, (pd.DatetimeIndex, pd.TimedeltaIndex)) else None
    if freq is None:
        return None
    text = str(freq.freqstr)
    if pd.tseries.frequencies.to_offset(text) != freq:
        raise ValueNotStorable(
            f"{what} has the frequency {freq!r}, which its name {text!r} does not tell whole. Set "
            "index.freq = None."
        )
    return text
