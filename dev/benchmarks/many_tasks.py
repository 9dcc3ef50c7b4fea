"""Thousands of small XComs from eight processes at once, as mapped tasks push and pull them."""

from __future__ import annotations

import time
from typing import Any

from dev.benchmarks.harness import Bar, Bench, Result, median, number

TITLE = "10,000 XComs of 1.4 KB from 8 processes"
PROCESSES = 8
FEW, MANY = 100, 10_000
QUICK_MANY = 400
TIMES_FEW = 7
"""A hundred are done in a moment: so often, and the median counts."""
LIMIT = 1.2


def run(bench: Bench) -> Result:
    many = QUICK_MANY if bench.quick else MANY
    counts = [FEW] * TIMES_FEW + [many]
    with bench.s3() as env:
        bench.say(f"{TIMES_FEW} times {FEW}, then {many:,}")
        phases = bench.call("ours", env, "many_tasks:measure", counts=counts)
    few = median([phase["seconds"] / FEW for phase in phases[:-1]])
    last = phases[-1]["seconds"] / many
    errors = [error for phase in phases for error in phase["errors"]]
    return Result(
        ["XComs", "ms each (push + pull)"],
        [[f"{FEW}", number(few * 1000)], [f"{many:,}", number(last * 1000)]],
        [
            Bar(f"an XCom of {many:,}, against one of {FEW}", last / few, LIMIT),
            Bar("errors", len(errors), 0, unit=""),
        ],
        phases,
        sorted(set(errors))[:5],
    )


def measure(counts: list[int]) -> list[dict[str, Any]]:
    """In the child: eight processes, which begin each phase together; its seconds and errors."""
    import multiprocessing

    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(PROCESSES), context.Queue()
    workers = [
        context.Process(target=_work, args=(number, counts, barrier, results))
        for number in range(PROCESSES)
    ]
    for worker in workers:
        worker.start()
    reports = [results.get() for _ in workers]
    for worker in workers:
        worker.join()
    return [
        {
            "count": count,
            "seconds": max(one[phase]["end"] for one in reports)
            - min(one[phase]["begin"] for one in reports),
            "errors": [error for one in reports for error in one[phase]["errors"]],
        }
        for phase, count in enumerate(counts)
    ]


def _work(number: int, counts: list[int], barrier: Any, results: Any) -> None:
    from dev.benchmarks.first_value import make_value
    from dev.benchmarks.peers import ours

    value = make_value()
    ours.pull(ours.push(value))
    report = []
    for count in counts:
        barrier.wait()
        begin, errors = time.monotonic(), []
        for index in range(number, count, PROCESSES):
            ours.WHERE["map_index"] = index
            try:
                if ours.pull(ours.push(value)) != value:
                    errors.append("another value came back")
            except Exception as error:  # noqa: BLE001 - counted, and shown
                errors.append(f"{type(error).__name__}: {error}")
        report.append({"begin": begin, "end": time.monotonic(), "errors": errors})
    results.put(report)
