"""200 mapped tasks, each with its own item of 200 frames that came from one task, or from 200.

20 ms away. A task that `expand` gives an item of a list pulls all of the list: Airflow tells a
backend the key and not which item is wanted. Where the task before is mapped as well, each pulls
one. Some tasks of the 200 are measured, one process each, with libraries loaded and connected.
"""

from __future__ import annotations

from typing import Any

from dev.benchmarks import latency
from dev.benchmarks.harness import Bench, Result, number, spread

TITLE = "200 mapped tasks that pull one frame each"
PEERS = ("ours",)
COUNT, QUICK_COUNT = 200, 20
TASKS = 5
ROUND_TRIP_MS = 20


def run(bench: Bench) -> Result:
    count = QUICK_COUNT if bench.quick else COUNT
    found: dict[str, dict[str, list[Any]]] = {}
    with bench.s3() as near:
        bench.say(f"{count} frames, as one list and one by one")
        records = bench.call("ours", near, "mapped:push", count=count)
        with latency.counted(near, bench, ROUND_TRIP_MS) as (far, requests):
            for way, own in records.items():
                one = found[way] = {"seconds": [], "requests": [], "bytes": []}
                for _ in range(1 if bench.quick else TASKS):
                    before = len(requests.all())
                    took = bench.call("ours", far, "mapped:pull", record=own, count=count)
                    one["seconds"].append(took["seconds"])
                    one["requests"].append(len(requests.all()) - before - 1)  # that which connects
                    one["bytes"].append(took["bytes"])
    return Result(
        ["the 200 frames come from", "a task, s", "its requests", "its MB", "all tasks', requests"],
        [
            [
                {"list": "one task, as a list", "each": "200 mapped tasks"}[way],
                spread(one["seconds"]),
                str(one["requests"][0]),
                number(one["bytes"][0] / 1e6),
                f"{one['requests'][0] * count:,}",
            ]
            for way, one in found.items()
        ],
        [],
        found,
    )


def push(count: int) -> dict[str, Any]:
    """In the child: what the database holds for a list of frames, and for one of them."""
    import numpy as np
    import pandas as pd

    from dev.benchmarks.peers import ours

    numbers = np.random.default_rng(0).random((count, 1_000, 2))
    frames = [pd.DataFrame(each, columns=["a", "b"]) for each in numbers]
    return {"list": ours.push(frames), "each": ours.push(frames[count // 2])}


def pull(record: Any, count: int) -> dict[str, float]:
    """In the child: seconds of the pull as `XComArg` does it, all and then the item."""
    import numpy as np
    import pandas as pd

    from dev.benchmarks import meters
    from dev.benchmarks.peers import ours
    from include.xcom_store import settings
    from include.xcom_store.stores import base

    pd.DataFrame()
    base.connect(settings.load()).exists("nothing")
    value, found = meters.measure(lambda: ours.pull(record))
    item = value[count // 2] if isinstance(value, list) else value
    if not (item == np.random.default_rng(0).random((count, 1_000, 2))[count // 2]).all(axis=None):
        raise ValueError("another item came back")
    frame_bytes = 16_000 * (len(value) if isinstance(value, list) else 1)
    return {"seconds": found["seconds"], "bytes": frame_bytes}
