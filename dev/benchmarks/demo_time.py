"""How long `python3 -m dev demo` takes where the environment is there already."""

from __future__ import annotations

import json
import subprocess
import sys

from dev.benchmarks.harness import Bar, Bench, Result, number
from dev.errors import DevError
from dev.project import ROOT

TITLE = "python3 -m dev demo"
SECONDS = 60


def run(bench: Bench) -> Result:
    bench.say("the example DAG on a real Airflow, about a minute")
    done = subprocess.run(
        [sys.executable, "-m", "dev", "demo", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise DevError(f"the demo ended with status {done.returncode}:\n{done.stderr[-4000:]}")
    seconds: dict[str, float] = json.loads(done.stdout)["seconds"]
    return Result(
        ["step", "s"],
        [[name.replace("_", " "), number(value)] for name, value in seconds.items()],
        [Bar("in all", seconds["total"], SECONDS, unit=" s")],
        seconds,
    )
