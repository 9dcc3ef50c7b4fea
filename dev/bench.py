"""`python3 -m dev bench`: our backend against its peers on this machine, and the bars it must hold.

A whole run writes dev/benchmarks/RESULTS.md, docs/images/benchmark.svg and task_time.svg; with
--quick or --only it shows what it found and writes none of them.
"""

from __future__ import annotations

import importlib
import json
import shutil
import sys
import time
from typing import TYPE_CHECKING, Any

from dev import environment, project
from dev.benchmarks import results, task_time
from dev.benchmarks.harness import PEERS, Bench

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from dev.benchmarks.harness import Result

BENCHMARKS = (
    "frames",
    "far_frame",
    "viewer",
    "services",
    "growth",
    "stored_size",
    "small_values",
    "first_value",
    "imports",
    "fan_in",
    "many_parts",
    "mapped",
    "by_reference",
    "compression",
    "tls",
    "other_tools",
    "many_tasks",
    "dag_parse",
    "task_time",
    "demo_time",
)
"""In `benchmarks/`, in the order of the report."""
RESULTS = project.ROOT / "dev" / "benchmarks" / "RESULTS.md"
PROFILES = project.STATE / "profiles"
PICTURE = project.ROOT / "docs" / "images" / "benchmark.svg"
TASK_PICTURE = PICTURE.with_name("task_time.svg")


def profile(name: str) -> int:
    """Run one benchmark in small, with a profile of each process of ours; say where they are."""
    module = importlib.import_module(f"dev.benchmarks.{name}")
    if any(PEERS[peer] is environment.PEERS for peer in getattr(module, "PEERS", ())):
        environment.ensure_peers()
    with project.exclusive("bench", "bench"):
        folder = _new_folder()
        profiles = PROFILES / name
        shutil.rmtree(profiles, ignore_errors=True)
        profiles.mkdir(parents=True)
        module.run(Bench(quick=True, folder=folder, profiles=profiles))
    for file in sorted(profiles.iterdir()):
        print(file.relative_to(project.ROOT))
    print("Open them at https://www.speedscope.app. No bar was judged.")
    return 0


def run(*, quick: bool, only: Sequence[str], json_file: Path | None) -> int:
    """Measure, report, and return the exit status: 0 only if every bar holds."""
    began = time.monotonic()
    modules = {
        name: importlib.import_module(f"dev.benchmarks.{name}") for name in only or BENCHMARKS
    }
    compared = {"ours"}.union(*(getattr(module, "PEERS", ()) for module in modules.values()))
    if any(PEERS[peer] is environment.PEERS for peer in compared):
        environment.ensure_peers()
    found: dict[str, Result] = {}
    with project.exclusive("bench", "bench"):
        bench = Bench(quick=quick, folder=_new_folder())
        machine = _machine(bench, compared)
        for name, module in modules.items():
            print(f"{module.TITLE} ({name})", file=sys.stderr, flush=True)
            found[name] = module.run(bench)
        minutes = (time.monotonic() - began) / 60
        text = results.report(found, machine, minutes, quick=quick)
        print(text)
        if json_file:
            json_file.write_text(json.dumps(results.as_json(found, machine), indent=2) + "\n")
        if not quick and not only:
            _publish(bench, text, found)
    return _verdict(found)


def _new_folder() -> Path:
    """An empty one, on the disk where the project is: gigabytes of objects go there."""
    folder = project.STATE / "bench"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _machine(bench: Bench, compared: set[str]) -> dict[str, Any]:
    """This machine, and the versions in the environments."""
    one_of_each = {PEERS[peer].path.name: peer for peer in compared}
    versions = {
        name: bench.call(peer, bench.settings(""), "results:versions")
        for name, peer in sorted(one_of_each.items())
    }
    return {**results.machine(), "versions": versions}


def _publish(bench: Bench, text: str, found: dict[str, Result]) -> None:
    RESULTS.write_text(text)
    figures = bench.folder / "figures.json"
    drawn = found["frames"].figures + found["growth"].figures
    figures.write_text(json.dumps(drawn))
    arguments = {"figures": str(figures), "picture": str(PICTURE)}
    bench.call("common_io", bench.settings(""), "picture:draw", **arguments)
    tasks: dict[str, Any] = {
        "phases": [*task_time.PHASES],
        "milliseconds": task_time.median_phases(found["task_time"].figures),
        "picture": str(TASK_PICTURE),
    }
    bench.call("common_io", bench.settings(""), "picture:draw_task", **tasks)
    written = [path.relative_to(project.ROOT) for path in (RESULTS, PICTURE, TASK_PICTURE)]
    print("Written:", *written)


def _verdict(found: dict[str, Result]) -> int:
    failed = [(name, bar) for name, result in found.items() for bar in result.bars if not bar.holds]
    for name, bar in failed:
        print(f"{name}: {bar}", file=sys.stderr)
    if failed:
        print(f"{len(failed)} of the bars failed.", file=sys.stderr)
    return 1 if failed else 0
