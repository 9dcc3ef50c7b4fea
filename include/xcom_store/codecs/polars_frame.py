"""polars DataFrame and Series as an Arrow IPC file: every dtype of polars as it is.

Parquet would not keep all of them (Enum, Time, Int128). A LazyFrame is a plan, not data: refused.
"""

from __future__ import annotations

import io
import sys
from typing import Any

from include.xcom_store.codecs.base import Encoded
from include.xcom_store.errors import ValueNotStorable

NAME = "polars-ipc"


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
    packing: Any = "uncompressed" if compression == "none" else compression
    columns = ", ".join(f"{name} {dtype}" for name, dtype in [*frame.schema.items()][:50])
    summary = f"{frame.height:,} rows × {frame.width:,} columns: {columns}"

    def write(sink: Any) -> None:
        frame.write_ipc(sink, compression=packing)

    return Encoded("arrow", write, summary)


def decode(data: bytes | bytearray, type_name: str) -> Any:
    import polars as pl

    frame = pl.read_ipc(io.BytesIO(data))
    return frame.to_series(0) if type_name.endswith("Series") else frame
