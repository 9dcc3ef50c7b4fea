"""A dict of many frames, each an object of its own, from an S3 that is near and one 20 ms away.

Each process first pushes and pulls one frame, which loads the libraries and connects.
"""

from __future__ import annotations

from itertools import product
from typing import Any

from dev.benchmarks import latency
from dev.benchmarks.harness import Bar, Bench, Result, median, number, spread

TITLE = "A dict of 100 frames of 16 KB, and of 2,000"
PEERS = ("ours",)
COUNTS = (100, 2_000)
QUICK_COUNTS = (20, 100)
ROUND_TRIP_MS = 20
ROUNDS = 5
QUICK_ROUNDS = 2
MOST_ROUND_TRIPS = 6
WAYS = ("push", "pull")


def run(bench: Bench) -> Result:
    few, many = QUICK_COUNTS if bench.quick else COUNTS
    found: dict[str, list[dict[str, Any]]] = {}
    with bench.s3() as near, latency.far_away(near, bench, ROUND_TRIP_MS) as far:
        for round_number in range(QUICK_ROUNDS if bench.quick else ROUNDS):
            for count, (where, env) in product((few, many), (("near", near), ("far", far))):
                if count == many and round_number > 2:
                    continue
                bench.say(f"round {round_number + 1}: {count:,} frames, {where}")
                one = bench.call("ours", env, "many_parts:measure", count=count)
                found.setdefault(f"{count:,} {where}", []).append(one)

    def seconds(name: str, way: str) -> float:
        return median([one[way]["seconds"] for one in found[name]])

    bars = []
    for way in WAYS:
        more = 1000 * (seconds(f"{few:,} far", way) - seconds(f"{few:,} near", way))
        claim = f"{few:,} frames, {way}, {ROUND_TRIP_MS} ms away: more than near by"
        bars.append(Bar(claim, more, MOST_ROUND_TRIPS * ROUND_TRIP_MS, unit=" ms"))
        each = (seconds(f"{many:,} far", way) / many) / (seconds(f"{few:,} far", way) / few)
        bars.append(Bar(f"a frame of {many:,}, {way}, against one of {few:,}", each, 1.2))
    return Result(
        ["frames", *(f"{way}, {unit}" for way in WAYS for unit in ("s", "peak, MB"))],
        [
            [name, *(cell for way in WAYS for cell in _cells([one[way] for one in rounds]))]
            for name, rounds in found.items()
        ],
        [] if bench.quick else bars,
        found,
    )


def _cells(found: list[dict[str, Any]]) -> list[str]:
    peak = median([one["peak_bytes"] for one in found])
    return [spread([one["seconds"] for one in found]), number(peak / 1e6)]


def measure(count: int) -> dict[str, dict[str, Any]]:
    """In the child: what a push and a pull take."""
    import numpy as np
    import pandas as pd

    from dev.benchmarks import meters
    from dev.benchmarks.peers import ours

    numbers = np.random.default_rng(0).random((count, 1_000, 2))
    value = {str(n): pd.DataFrame(each, columns=["a", "b"]) for n, each in enumerate(numbers)}
    ours.pull(ours.push({"frame": value["0"]}))
    record, pushed = meters.measure(lambda: ours.push(value))
    back, pulled = meters.measure(lambda: ours.pull(record))
    if list(back) != list(value) or not all(value[name].equals(back[name]) for name in value):
        raise ValueError("another value came back")
    return {"push": pushed, "pull": pulled}
