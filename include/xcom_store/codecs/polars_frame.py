"""polars DataFrame and Series as an Arrow IPC file: every dtype of polars as it is.

Parquet would not keep all of them (Enum, Time, Int128). A LazyFrame is a plan, not data: refused.
"""

from __future__ import annotations

import io
import sys
from typing import Any

from include.xcom_store.codecs.base import Data, Encoded, arrow_compression
from include.xcom_store.codecs.failures import is_failure
from include.xcom_store.errors import ValueNotStorable

NAME = "polars-ipc"
BATCH_BYTES = 1024 * 1024
"""Of one record batch in memory, unless one row has more."""


def accepts(value: Any) -> bool:
    polars: Any = sys.modules.get("polars")
    return bool(polars) and isinstance(value, (polars.DataFrame, polars.Series, polars.LazyFrame))


def encode(value: Any, compression: str) -> Encoded:
    import polars as pl

    if type(value) not in (pl.DataFrame, pl.Series):
        raise ValueNotStorable(
            f"a polars {type(value).__name__} is not data. Return .collect() of a LazyFrame, or a "
            "plain polars.DataFrame."
        )
    frame = value.to_frame() if isinstance(value, pl.Series) else value
    if objects := [name for name, dtype in frame.schema.items() if dtype == pl.Object]:
        raise ValueNotStorable(f"columns {objects} are of dtype Object. Give them a polars dtype.")
    _check_readable(frame)
    packing: Any = arrow_compression(compression) or "uncompressed"
    columns = ", ".join(f"{name} {dtype}" for name, dtype in [*frame.schema.items()][:50])
    summary = f"{frame.height:,} rows × {frame.width:,} columns: {columns}"

    size = int(frame.estimated_size())

    def write(sink: Any) -> None:
        # In small batches: who wants to see the first rows need not unpack many.
        rows = BATCH_BYTES * frame.height // max(1, size)
        frame.write_ipc(sink, compression=packing, record_batch_size=max(1, rows))

    return Encoded("arrow", write, summary, size)


def _check_readable(frame: Any) -> None:
    """Refuse what polars writes and cannot read, such as arrays of no items."""
    import polars as pl

    for name in [name for name, dtype in frame.schema.items() if dtype.is_nested()]:
        column = frame.select(name).head(1)
        file = io.BytesIO()
        column.write_ipc(file)
        try:
            back = pl.read_ipc(io.BytesIO(file.getvalue()))
            if back.schema == column.schema and back.equals(column):
                continue
            why: object = "it comes back as another"
        except BaseException as error:  # polars panics, too
            if not is_failure(error):
                raise
            why = error
        raise ValueNotStorable(
            f"column {name!r} is of dtype {frame.schema[name]}, which polars cannot read back from "
            f"Arrow IPC ({why}). Give it another."
        )


def decode(data: Data, type_name: str) -> Any:
    import polars as pl

    frame = pl.read_ipc(io.BytesIO(data))
    return frame.to_series(0) if type_name.endswith("Series") else frame
