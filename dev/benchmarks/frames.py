"""Frames of three sizes through every peer: time of push + pull, and memory beside the frame.

Push and pull are processes of their own, as tasks are, each with a first small frame to load the
libraries. Peaks are of the process, less what it took before; the pull's holds the result. CPU is
that of the first push and the first pull, all threads, user and system; the server's beside it.
These two find warm memory: the host of a virtual machine takes back what nobody has used for some
seconds, and whoever touches it next waits, up to a second for 500 MB.
"""

from __future__ import annotations

import importlib
import time
from typing import Any

from dev.benchmarks.data import make_frame
from dev.benchmarks.harness import NAMES, Bar, Bench, Result, median, spread
from dev.benchmarks.meters import WARM_BYTES, measure

TITLE = "DataFrames of 20 mixed columns: push + pull"
PEERS = ("ours", "floor", "common_io", "tutorial")
SIZES = {10_000: (3, 5), 100_000: (5, 3), 1_000_000: (5, 1)}
"""Rows: rounds in which the peers take turns, and repetitions within a process."""
QUICK = {10_000: (2, 2), 100_000: (1, 1)}
_WARM_UP_ROWS = 100
_TIMES = ("push + pull, s", "push, s", "pull, s", "CPU, s", "server's CPU, s")
COLUMNS = ("rows", "MB", "", *_TIMES, "push peak", "pull peak")


def run(bench: Bench) -> Result:
    figures: list[dict[str, Any]] = []
    with bench.s3() as env:
        for rows, (rounds, times) in (QUICK if bench.quick else SIZES).items():
            found: dict[str, list[dict[str, Any]]] = {peer: [] for peer in PEERS}
            for round_number in range(rounds):
                for peer in PEERS:
                    bench.say(f"{rows:,} rows, round {round_number + 1} of {rounds}: {NAMES[peer]}")
                    found[peer].append(round_trip(bench, env, peer, rows, times))
            figures += [{"rows": rows, "peer": peer, **_sum_up(found[peer])} for peer in PEERS]
    return Result(
        COLUMNS,
        [_row(one) for one in figures],
        _bars({(one["rows"], one["peer"]): one for one in figures}),
        figures,
    )


def round_trip(
    bench: Bench, env: dict[str, str], peer: str, rows: int, times: int
) -> dict[str, Any]:
    """One process pushes the frame, another pulls it; each so many times."""
    pushed = bench.call(peer, env, "frames:push", peer=peer, rows=rows, times=times)
    record = pushed.pop("record")
    pulled = bench.call(peer, env, "frames:pull", peer=peer, rows=rows, times=times, record=record)
    return {"pushed": pushed, "pulled": pulled}


def push(peer: str, rows: int, times: int) -> dict[str, Any]:
    """In the child: push a frame; its size, and time and memory that it took."""
    module = _load(peer)
    frame = make_frame(rows)
    record, found = measure(lambda: module.push(frame), _warm(rows))
    seconds = [found["seconds"], *(_time(lambda: module.push(frame)) for _ in range(times - 1))]
    size = int(frame.memory_usage(deep=True).sum())
    found |= {"seconds": seconds, "frame_bytes": size, "record": record}
    told = record["bytes"] if isinstance(record, dict) else None
    return found | {"stored": module.stored(record) if hasattr(module, "stored") else told}


def pull(peer: str, rows: int, times: int, record: Any) -> dict[str, Any]:
    """In the child: pull the frame; time and memory that it took."""
    module = _load(peer)
    frame, found = measure(lambda: module.pull(record), _warm(rows))
    if frame.shape != (rows, 20):
        raise ValueError(f"{peer} gave back {frame.shape}")
    del frame
    seconds = [found["seconds"], *(_time(lambda: module.pull(record)) for _ in range(times - 1))]
    return found | {"seconds": seconds}


def _warm(rows: int) -> int:
    """Bytes; the floor and we take twice as much as a large frame, common-io three times."""
    return max(WARM_BYTES, 3 * 275 * rows)


def _load(peer: str) -> Any:
    module = importlib.import_module(f"dev.benchmarks.peers.{peer}")
    module.pull(module.push(make_frame(_WARM_UP_ROWS)))
    return module


def _time(call: Any) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _sum_up(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """All measurements of a peer at a size; a round's time is the median of its repetitions."""
    pushes = [median(one["pushed"]["seconds"]) for one in rounds]
    pulls = [median(one["pulled"]["seconds"]) for one in rounds]
    size = rounds[0]["pushed"]["frame_bytes"]
    return {
        "frame_bytes": size,
        "push_seconds": pushes,
        "pull_seconds": pulls,
        "seconds": [push + pull for push, pull in zip(pushes, pulls, strict=True)],
        "cpu": [sum(one[way]["cpu"] for way in one) for one in rounds],
        "server_cpu": [sum(one[way]["server_cpu"] for way in one) for one in rounds],
        "push_peak": median([one["pushed"]["peak_bytes"] for one in rounds]) / size,
        "pull_peak": median([one["pulled"]["peak_bytes"] for one in rounds]) / size,
    }


def _row(one: dict[str, Any]) -> list[str]:
    return [
        f"{one['rows']:,}",
        f"{one['frame_bytes'] / 1e6:.1f}",
        NAMES[one["peer"]],
        spread(one["seconds"]),
        spread(one["push_seconds"]),
        spread(one["pull_seconds"]),
        spread(one["cpu"]),
        spread(one["server_cpu"]),
        f"+{one['push_peak']:.2f}×",
        f"+{one['pull_peak']:.2f}×",
    ]


def _bars(found: dict[tuple[int, str], dict[str, Any]]) -> list[Bar]:
    bars: list[Bar] = []
    for rows in sorted({rows for rows, _ in found}):
        large = rows >= 1_000_000
        ours = found[rows, "ours"]
        mine = median(ours["seconds"])
        times = {peer: median(found[rows, peer]["seconds"]) / mine for peer in PEERS}
        common_io, floor = (5.0, 1.0) if large else (2.5, 1.25)

        def bar(claim: str, value: float, limit: float, rows: int = rows, **how: Any) -> None:
            bars.append(Bar(f"{rows:,} rows, {claim}", value, limit, **how))

        bar("times as fast as common-io", times["common_io"], common_io, at_least=True)
        bar("of the floor's time", 1 / times["floor"], floor)
        if large:
            bar("times as fast as CSV", times["tutorial"], 12, at_least=True)
            bar("push, peak memory", ours["push_peak"], 0.6)
            bar("pull, peak memory", ours["pull_peak"], 1.45)
            cpu = median(ours["cpu"]) / median(found[rows, "floor"]["cpu"])
            bar("of the floor's seconds of CPU", cpu, 1)
    return bars
