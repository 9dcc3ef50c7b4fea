"""What people would pick instead: pickle, Feather and plain Parquet, near by and far away.

Each is a few lines of ours of what that tool documents (dev/benchmarks/peers). Far is 30 ms away
and gives 10 MB/s to a connection. `exactly` counts the frames, of those that the backend's tests
push and pull, that come back the same, type for type; both plain Parquets write the same file.
With pickle, anyone who may write to the bucket can run code in the task that reads it.
"""

from __future__ import annotations

import importlib
from typing import Any

from dev.benchmarks import frames, latency
from dev.benchmarks.far_frame import FAR
from dev.benchmarks.harness import NAMES, Bench, Result, median, number, spread

TITLE = "What people would pick instead"
_PICKLE = ("no: Python, same pandas", "no: pickle")
FACTS = {
    "ours": ("yes: Parquet", "yes"),
    "parquet_obstore": ("yes: Parquet", "yes"),
    "parquet_s3fs": ("yes: Parquet", "yes"),
    "feather": ("yes: Arrow", "yes"),
    "dagster_pickle": _PICKLE,
    "prefect_pickle": _PICKLE,
    "metaflow_pickle": _PICKLE,
    "common_io": ("pandas' Parquet in JSON", "yes"),
}
"""Whether another tool can read it, and whether it is safe to read where others may write."""
PEERS = tuple(FACTS)
WITH_OTHER_PANDAS = ("common_io", "parquet_s3fs")
ROWS, QUICK_ROWS = 182_000, 10_000
ROUNDS = 2


def run(bench: Bench) -> Result:
    rows = QUICK_ROWS if bench.quick else ROWS
    found: dict[str, dict[str, Any]] = {peer: {"near": [], "far": []} for peer in PEERS}
    with bench.s3() as near, latency.far_away(near, bench, *FAR) as far:
        for round_number in range(1 if bench.quick else ROUNDS):
            for peer, measured in found.items():
                bench.say(f"round {round_number + 1}: {NAMES[peer]}")
                for where, env in (("near", near), ("far", far)):
                    measured[where].append(frames.round_trip(bench, env, peer, rows, 1))
        for peer in (peer for peer in PEERS if peer not in WITH_OTHER_PANDAS):
            bench.say(f"exactly: {NAMES[peer]}")
            found[peer]["exact"] = bench.call("ours", near, "other_tools:exact", peer=peer)
    found["parquet_s3fs"] |= {"exact": found["parquet_obstore"]["exact"]}
    return Result(
        ["", "near, s", "far, s", "MB", "push peak", "pull peak", "exactly", "other tools", "safe"],
        [_row(peer, measured) for peer, measured in found.items()],
        [],
        found,
        [_faster(found, where) for where in ("near", "far")],
    )


def exact(peer: str) -> list[int]:
    """In the child: how many frames come back the same, and of how many."""
    import pandas as pd

    values: Any = importlib.import_module("tests.xcom_store.cases").VALUES
    identical: Any = importlib.import_module("tests.xcom_store.identical")
    module = importlib.import_module(f"dev.benchmarks.peers.{peer}")
    pushed = [value for make in values.values() if type(value := make()) is pd.DataFrame]
    same = 0
    for value in pushed:
        try:
            identical.assert_identical(value, module.pull(module.push(value)))
        except Exception:  # noqa: BLE001, S112 - refused, unreadable or another value: not the same
            continue
        same += 1
    return [same, len(pushed)]


def _seconds(measured: dict[str, Any], where: str) -> list[float]:
    return [sum(one[way]["seconds"][0] for way in ("pushed", "pulled")) for one in measured[where]]


def _row(peer: str, measured: dict[str, Any]) -> list[str]:
    first = measured["near"][0]
    size, stored = first["pushed"]["frame_bytes"], first["pushed"]["stored"]
    peaks = [
        median([one[way]["peak_bytes"] for one in measured["near"]]) / size
        for way in ("pushed", "pulled")
    ]
    return [
        NAMES[peer],
        spread(_seconds(measured, "near")),
        spread(_seconds(measured, "far")),
        number(stored / 1e6) if stored else "",
        *(f"+{peak:.2f}×" for peak in peaks),
        "{} of {}".format(*measured["exact"]) if "exact" in measured else "",
        *FACTS[peer],
    ]


def _faster(found: dict[str, dict[str, Any]], where: str) -> str:
    ours = median(_seconds(found["ours"], where))
    names = [NAMES[peer] for peer in PEERS if median(_seconds(found[peer], where)) < ours]
    return f"Faster than this backend, {where}: {', '.join(names) or 'none'}."
