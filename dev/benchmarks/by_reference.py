"""One column of a frame of 2 GB, read where it lies, near by and 20 ms away.

The frame is 12.5 million rows × 20 columns of random float64, which no compression makes smaller.
A task's process locates the XCom and reads one column with pandas and pyarrow's file system, as
docs/by_reference.md has it. Bytes are those that come out of the S3 server, headers included.
"""

from __future__ import annotations

from typing import Any

from dev.benchmarks import latency
from dev.benchmarks.harness import Bar, Bench, Result, median, number, spread

TITLE = "One column of a frame of 2 GB, by reference"
ROWS, QUICK_ROWS = 12_500_000, 500_000
COLUMNS, COLUMN = 20, "c7"
ROUND_TRIP_MS = 20
ROUNDS = 5
SECONDS = {"near": 0.3, "20 ms away": 0.6}
MOST_BYTES = 1.3
COLUMNS_SHOWN = {"seconds": "s", "cpu": "CPU, s", "server_cpu": "server's CPU, s"}


def run(bench: Bench) -> Result:
    rows = QUICK_ROWS if bench.quick else ROWS
    with bench.s3() as near, latency.counted(near, bench, 0) as (counted, requests):
        bench.say("push")
        records = bench.call("ours", near, "by_reference:push", rows=rows)
        size = records["large"]["bytes"]
        read = requests.bytes()
        bench.call("ours", counted, "by_reference:read", records=records)
        read = requests.bytes() - read
        count = len(requests.all())
        found: dict[str, list[dict[str, float]]] = {name: [] for name in SECONDS}
        with latency.far_away(near, bench, ROUND_TRIP_MS) as far:
            for round_number in range(1 if bench.quick else ROUNDS):
                bench.say(f"round {round_number + 1}")
                for name, env in zip(SECONDS, (near, far), strict=True):
                    found[name].append(
                        bench.call("ours", env, "by_reference:read", records=records)
                    )
    share = read / size * COLUMNS
    times = {
        what: {name: [one[what] for one in each] for name, each in found.items()}
        for what in COLUMNS_SHOWN
    }
    bars = [
        Bar(f"{name}, seconds", median(values), SECONDS[name], unit=" s")
        for name, values in times["seconds"].items()
    ]
    bars.append(Bar("bytes read, of the column's", share, MOST_BYTES))
    return Result(
        ["", *COLUMNS_SHOWN.values()],
        [[name, *(spread(times[what][name]) for what in COLUMNS_SHOWN)] for name in SECONDS],
        [] if bench.quick else bars,
        {**times, "bytes": read, "object": size, "requests": count},
        [f"{number(read / 1e6)} MB in {count} requests, of {number(size / 1e9)} GB."],
    )


def push(rows: int) -> dict[str, Any]:
    """In the child: push the frame; what the database holds."""
    import numpy as np
    import pandas as pd

    from dev.benchmarks.peers import ours

    random = np.random.default_rng(0)
    columns = {f"c{number}": random.random(rows) for number in range(COLUMNS)}
    small = ours.push(pd.DataFrame({COLUMN: [0.5]}))
    return {"large": ours.push(pd.DataFrame(columns, copy=False)), "small": small}


def read(records: dict[str, Any]) -> dict[str, float]:
    """In the child: what it takes to locate the XCom and read a column, after a small frame's."""
    import numpy as np

    from dev.benchmarks.meters import measure

    _read_column(records["small"])
    frame, found = measure(lambda: _read_column(records["large"]))
    random = np.random.default_rng(0)
    for _ in range(int(COLUMN[1:])):
        random.random(len(frame))
    if not (frame[COLUMN].to_numpy() == random.random(len(frame))).all():
        raise ValueError("another column came back")
    return found


def _read_column(record: dict[str, Any]) -> Any:
    import pandas as pd

    from include import xcom_reference
    from include.xcom_store import settings
    from include.xcom_store.record import Reference
    from include.xcom_store.stores import base

    uri = Reference.from_record(record).stored.uri
    base.connect(settings.load()).find(uri)
    files = xcom_reference.bucket_access().arrow_filesystem()
    return pd.read_parquet(uri.partition("://")[2], filesystem=files, columns=[COLUMN])
