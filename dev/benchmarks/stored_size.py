"""How many bytes the taxi data takes in the bucket, against the CSV files it comes in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dev.benchmarks.harness import Bar, Bench, Result
from dev.project import ROOT

TITLE = "Stored size of the taxi data"
FILES = sorted((ROOT / "include" / "data").glob("*.csv"))
LIMIT = 0.4


def run(bench: Bench) -> Result:
    figures: list[dict[str, Any]] = []
    with bench.s3() as env:
        for path in FILES:
            bench.say(path.name)
            stored = bench.call("ours", env, "stored_size:push", path=str(path))
            figures.append({"file": path.name, "csv": path.stat().st_size, "stored": stored})
    return Result(
        ["file", "CSV, bytes", "in S3, bytes", ""],
        [
            [one["file"], f"{one['csv']:,}", f"{one['stored']:,}", f"{_ratio(one):.2f}×"]
            for one in figures
        ],
        [Bar("largest share of the CSV", max(map(_ratio, figures)), LIMIT)],
        figures,
    )


def push(path: str) -> int:
    """In the child: push the file's frame; the object's bytes."""
    import pandas as pd

    from dev.benchmarks.peers import ours

    return int(ours.push(pd.read_csv(Path(path)))["bytes"])


def _ratio(one: dict[str, Any]) -> float:
    return float(one["stored"] / one["csv"])
