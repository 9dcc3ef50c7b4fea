"""One frame after the other, from 1 MB to 2 GB: does time or memory grow faster than the data?

The steps are compared by the least of two rounds, as whatever else the machine does only adds.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from dev.benchmarks import frames
from dev.benchmarks.harness import NAMES, Bar, Bench, Result, median, number, spread

TITLE = "From 1 MB to 2 GB"
PEERS = ("ours", "floor")
ROWS = (3_640, 36_400, 364_000, 1_820_000, 3_640_000, 7_280_000)
"""275 bytes a row: 1, 10, 100, 500 MB, 1 and 2 GB."""
QUICK_ROWS = ROWS[:3]
FIRST_STEP = 1
"""The step from 10 to 100 MB is what the later ones are compared with: below, fixed costs rule."""
LIMIT = 1.3
_MEASURES = {"seconds": "time of push + pull", "push": "memory of push", "pull": "memory of pull"}


def run(bench: Bench) -> Result:
    found: dict[tuple[str, int], list[dict[str, Any]]] = {}
    with bench.s3() as env:
        for round_number in range(1 if bench.quick else 2):
            for rows in QUICK_ROWS if bench.quick else ROWS:
                for peer in PEERS[: 1 if round_number else None]:  # the floor only once
                    bench.say(f"{rows:,} rows, round {round_number + 1}: {NAMES[peer]}")
                    one = frames.round_trip(bench, env, peer, rows, 3 if rows < 100_000 else 1)
                    found.setdefault((peer, rows), []).append(one)
    figures = [_sum_up(peer, rows, rounds) for (peer, rows), rounds in found.items()]
    ours = [one for one in figures if one["peer"] == "ours"]
    bars = [
        Bar(f"{text}, steepest step against 10 to 100 MB", steepest_step(ours, name), LIMIT)
        for name, text in _MEASURES.items()
    ]
    return Result(
        ["MB", "", "push + pull, s", "push peak, MB", "pull peak, MB"],
        [_row(one) for one in sorted(figures, key=lambda one: one["bytes"])],
        [] if bench.quick else bars,
        figures,
    )


def _sum_up(peer: str, rows: int, rounds: list[dict[str, Any]]) -> dict[str, Any]:
    seconds = [
        median(one["pushed"]["seconds"]) + median(one["pulled"]["seconds"]) for one in rounds
    ]
    return {
        "peer": peer,
        "rows": rows,
        "bytes": rounds[0]["pushed"]["frame_bytes"],
        "seconds": min(seconds),
        "all_seconds": seconds,
        "push": min(one["pushed"]["peak_bytes"] for one in rounds),
        "pull": min(one["pulled"]["peak_bytes"] for one in rounds),
    }


def steepest_step(figures: list[dict[str, Any]], name: str) -> float:
    slopes = [
        (large[name] - small[name]) / (large["bytes"] - small["bytes"])
        for small, large in pairwise(figures)
    ]
    return float(max(slopes[FIRST_STEP + 1 :], default=0.0) / slopes[FIRST_STEP])


def _row(one: dict[str, Any]) -> list[str]:
    return [
        f"{one['bytes'] / 1e6:,.0f}",
        NAMES[one["peer"]],
        spread(one["all_seconds"]),
        number(one["push"] / 1e6),
        number(one["pull"] / 1e6),
    ]
