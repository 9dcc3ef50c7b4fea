"""A push and a pull on each service that keeps XComs, each on its local server."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from dev import stores
from dev.benchmarks.harness import Bench, Result, median, spread
from dev.errors import DevError

TITLE = "One value on each service"
PEERS = ("ours",)
ROUNDS = 5
QUICK_ROUNDS = 3
VALUES = {"64 MB frame": "frame", "1.4 KB value": "small"}


def run(bench: Bench) -> Result:
    figures: dict[str, Any] = {}
    notes = [
        "The servers are emulators on this machine: SeaweedFS, Azurite, Hadoop's mini cluster."
    ]
    for name in (stores.DEFAULT, *stores.SERVERS):
        bench.say(name)
        with ExitStack() as started:
            env = started.enter_context(bench.s3())
            try:
                env |= _environment(name, bench, started)
            except DevError as error:
                notes.append(f"Not measured on {name}: {error}")
                continue
            rounds = QUICK_ROUNDS if bench.quick else ROUNDS
            figures[name] = bench.call("ours", env, "services:measure", rounds=rounds)
    return Result(
        ["service", *(f"{value}, {did}, s" for value in VALUES for did in ("push", "pull"))],
        [
            [name, *(spread(found[value][did]) for value in VALUES for did in ("push", "pull"))]
            for name, found in figures.items()
        ],
        [],
        {
            name: {
                value: {did: median(took) for did, took in of.items()} for value, of in all_.items()
            }
            for name, all_ in figures.items()
        },
        notes,
    )


def _environment(name: str, bench: Bench, started: ExitStack) -> dict[str, str]:
    if name == stores.DEFAULT:
        return {}
    folder = started.enter_context(tempfile.TemporaryDirectory(dir=bench.folder, prefix=name))
    return started.enter_context(stores.start(name, Path(folder))).environment("xcom")


def measure(rounds: int) -> dict[str, dict[str, list[float]]]:
    """In the child: seconds of each push and pull, by value."""
    import numpy as np
    import pandas as pd

    from dev.benchmarks.peers import ours

    numbers = np.random.default_rng(0).random((400_000, 20))  # 64 MB that zstd makes no smaller
    values = {
        "frame": pd.DataFrame(numbers, columns=[f"c{n}" for n in range(20)]),
        "small": ["x" * 1_400],
    }
    found: dict[str, dict[str, list[float]]] = {}
    for value, name in VALUES.items():
        took = found[value] = {"push": [], "pull": []}
        for number in range(rounds + 1):
            started = time.perf_counter()
            record = ours.push(values[name])
            between = time.perf_counter()
            back = ours.pull(record)
            ended = time.perf_counter()
            same = back.equals(values[name]) if name == "frame" else back == values[name]
            if not same:
                raise ValueError(f"another value came back: {record}")
            if number:  # the first connects
                took["push"].append(between - started)
                took["pull"].append(ended - between)
    return found
