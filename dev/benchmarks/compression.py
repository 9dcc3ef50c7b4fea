"""What `compression` costs and saves: the frame of 20 columns and one of random floats.

Far is 30 ms away and gives 10 MB/s to a connection. Random floats are what no compression makes
smaller. CPU is that of the process which pushes and pulls near by, libraries loaded.
"""

from __future__ import annotations

from typing import Any

from dev.benchmarks import latency
from dev.benchmarks.far_frame import FAR
from dev.benchmarks.harness import Bench, Result, median, number, spread

TITLE = "The setting compression"
PEERS = ("ours",)
KINDS = ("zstd", "lz4", "snappy", "none")
FRAMES = ("mixed", "random floats")
ROWS, QUICK_ROWS = 182_000, 20_000
ROUNDS = 3


def run(bench: Bench) -> Result:
    found: dict[tuple[str, str], dict[str, list[Any]]] = {}
    rows = QUICK_ROWS if bench.quick else ROWS
    with bench.s3() as near, latency.far_away(near, bench, *FAR) as far:
        for round_number in range(1 if bench.quick else ROUNDS):
            for kind in KINDS:
                bench.say(f"round {round_number + 1}: {kind}")
                setting = {"AIRFLOW__XCOM_STORE__COMPRESSION": kind}
                for where, env in (("near", near | setting), ("far", far | setting)):
                    of_frames = bench.call("ours", env, "compression:measure", rows=rows)
                    for frame, one in of_frames.items():
                        both = found.setdefault((frame, kind), {"near": [], "far": []})
                        both[where].append(one)
    notes = [_winner(found, frame) for frame in FRAMES]
    return Result(
        ["frame", "compression", "near, push + pull, s", "far, push + pull, s", "CPU, s", "MB"],
        [[*name, *_cells(both)] for name, both in sorted(found.items(), key=_order)],
        [],
        {" ".join(name): both for name, both in found.items()},
        notes,
    )


def measure(rows: int) -> dict[str, dict[str, float]]:
    """In the child: by frame, seconds and CPU of a push and a pull, and the object's bytes."""
    import numpy as np
    import pandas as pd

    from dev.benchmarks import meters
    from dev.benchmarks.data import make_frame
    from dev.benchmarks.peers import ours

    numbers = np.random.default_rng(0).random((20, rows))
    frames = (make_frame(rows), pd.DataFrame({f"c{n}": each for n, each in enumerate(numbers)}))
    ours.pull(ours.push(make_frame(100)))

    def one(frame: pd.DataFrame) -> dict[str, float]:
        record, pushed = meters.measure(lambda: ours.push(frame))
        back, pulled = meters.measure(lambda: ours.pull(record))
        if not back.equals(frame):
            raise ValueError("another frame came back")
        sums = {key: pushed[key] + pulled[key] for key in ("seconds", "cpu")}
        return sums | {"bytes": record["bytes"]}

    return {name: one(frame) for name, frame in zip(FRAMES, frames, strict=True)}


def _cells(both: dict[str, list[Any]]) -> list[str]:
    seconds = [spread([one["seconds"] for one in both[where]]) for where in ("near", "far")]
    cpu = number(median([one["cpu"] for one in both["near"]]))
    return [*seconds, cpu, number(both["near"][0]["bytes"] / 1e6)]


def _order(item: tuple[tuple[str, str], Any]) -> tuple[int, int]:
    frame, kind = item[0]
    return FRAMES.index(frame), KINDS.index(kind)


def _winner(found: dict[tuple[str, str], dict[str, list[Any]]], frame: str) -> str:
    def fastest(where: str) -> str:
        def seconds(kind: str) -> float:
            return median([one["seconds"] for one in found[frame, kind][where]])

        return min(KINDS, key=seconds)

    return f"{frame}: fastest near by {fastest('near')}, far away {fastest('far')}."
