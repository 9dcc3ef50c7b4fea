"""The values that are pushed and pulled: the same for each call, and for each peer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def make_frame(rows: int) -> pd.DataFrame:
    """20 columns of the kinds that tables of trips and orders have; 275 bytes a row.

    Made without temporary objects: what they leave in the allocators would hide what a push takes.
    In pandas 2 its text columns are those of pandas 3, which that calls `future.infer_string`.
    """
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    if pd.__version__.startswith("2."):
        pd.set_option("future.infer_string", True)  # noqa: FBT003
    random = np.random.default_rng(7)

    def strings(choices: list[str]) -> Any:
        numbers = pa.array(random.integers(0, len(choices), rows))
        return pd.array(pa.array(choices, pa.large_string()).take(numbers), dtype="str")

    columns: dict[str, Any] = {}
    for number in range(4):
        columns[f"count_{number}"] = random.integers(0, 1_000, rows)
    for number in range(4):
        columns[f"amount_{number}"] = random.normal(20, 5, rows).round(2)
    for number in range(3):
        seconds = random.integers(0, 30_000_000, rows)
        columns[f"at_{number}"] = np.datetime64("2026-01-01", "us") + seconds.astype("m8[s]")
    for number in range(2):
        columns[f"payment_{number}"] = strings(["credit card", "cash", "no charge", "dispute"])
    for number in range(2):
        columns[f"zone_{number}"] = strings([f"zone {number:04}" for number in range(265)])
    home = "Main Street, Apartment 12, floor two, New York, NY 10001"
    columns["address"] = strings([f"{number} {home}" for number in range(20_000)])
    digits = np.frombuffer(b"0123456789abcdef", "u1")[random.integers(0, 16, rows * 32, "u1")]
    offsets = np.arange(0, rows * 32 + 1, 32)
    identifiers = [None, pa.py_buffer(offsets), pa.py_buffer(digits)]
    columns["id"] = pd.array(
        pa.Array.from_buffers(pa.large_string(), rows, identifiers), dtype="str"
    )
    codes = random.integers(0, 3, rows).astype("i1")
    columns["kind"] = pd.Categorical.from_codes(codes, pd.Index(["street", "airport", "booked"]))
    columns["flag"] = random.random(rows) < 0.5
    missing = random.random(rows) < 0.1
    columns["passengers"] = pd.arrays.IntegerArray(random.integers(0, 9, rows), missing)
    return pd.DataFrame(columns, copy=False)
