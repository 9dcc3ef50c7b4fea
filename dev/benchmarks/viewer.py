"""Looking at a frame of 1M rows: a card of the viewer, or a pull, as in a notebook.

The viewer's times are of the second and later views, in the API server's process; cold is the first
one, which starts a reader. Its memory is by how much that process grows at most, and all of its
reader. A pull is followed by `head(50)` and `describe()`; its memory holds the frame.
"""

from __future__ import annotations

import importlib
import time
from typing import TYPE_CHECKING, Any

from dev.benchmarks.data import make_frame
from dev.benchmarks.harness import NAMES, Bar, Bench, Result, median, spread
from dev.benchmarks.meters import measure, peak
from dev.benchmarks.peers.ours import WHERE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TITLE = "Looking at a frame of 1M rows"
PEERS = ("ours", "common_io", "tutorial")
ROWS, VIEWS, ROUNDS = 1_000_000, 9, 3
PAGES = ("rows and figures", "other rows", "chart", "previous run")
SECONDS, BYTES, OF_COMMON_IO = 0.3, 5_000_000, 0.25


def run(bench: Bench) -> Result:
    rows = 100_000 if bench.quick else ROWS
    found: dict[str, list[dict[str, Any]]] = {peer: [] for peer in ("viewer", *PEERS)}
    with bench.s3() as env:
        records = {
            peer: bench.call(peer, env, "viewer:push", peer=peer, rows=rows) for peer in PEERS
        }
        for number in range(1 if bench.quick else ROUNDS):
            bench.say(f"round {number + 1}")
            found["viewer"].append(bench.call("ours", env, "viewer:view", record=records["ours"]))
            for peer in PEERS:
                looked = bench.call(peer, env, "viewer:pull", peer=peer, record=records[peer])
                found[peer].append(looked)
    table: list[Sequence[str]] = []
    bars: list[Bar] = []
    peaks = {name: median([one["peak"] for one in rounds]) for name, rounds in found.items()}
    for page in PAGES:
        views = [one["pages"][page] for one in found["viewer"]]
        warm, read = [second for one in views for second in one["warm"]], views[0]["bytes"]
        is_first = page == PAGES[0]
        cold = spread([one["cold"] for one in views]) if is_first else ""
        memory = f"{peaks['viewer'] / 1e6:,.0f}" if is_first else ""
        table.append(["viewer", page, cold, spread(warm), f"{read / 1e6:.2f}", memory])
        bars.append(Bar(f"{page}, warm", median(warm), SECONDS, unit=" s"))
        bars.append(Bar(f"{page}, read", read / 1e6, BYTES / 1e6, unit=" MB"))
    for peer in PEERS:
        seconds = spread([one["seconds"] for one in found[peer]])
        memory = f"{peaks[peer] / 1e6:,.0f}"
        table.append([NAMES[peer], "pull, head, describe", seconds, "", "all", memory])
    share = peaks["viewer"] / peaks["common_io"]
    bars.append(Bar("memory, of a look with common-io", share, OF_COMMON_IO))
    return Result(["", "", "first, s", "again, s", "MB read", "memory, MB"], table, bars, found)


def push(peer: str, rows: int) -> Any:
    """In the child: the record of a pushed frame."""
    return importlib.import_module(f"dev.benchmarks.peers.{peer}").push(make_frame(rows))


def pull(peer: str, record: Any) -> dict[str, Any]:
    """In the child: pull the frame and look at it."""
    module = importlib.import_module(f"dev.benchmarks.peers.{peer}")
    module.pull(module.push(make_frame(100)))

    def look() -> Any:
        frame = module.pull(record)
        return frame.head(50).to_html(), frame.describe(include="all"), frame

    _looked, found = measure(look)
    return {"seconds": found["seconds"], "peak": found["peak_bytes"]}


def view(record: Any) -> dict[str, Any]:
    """In the child: each page of the viewer, once cold and some times warm."""
    import datetime as dt
    import json

    from include.xcom_store.keys import Owner
    from include.xcom_viewer import answers, objects, overview, preview, previous
    from include.xcom_viewer.asked import Asked
    from include.xcom_viewer.entries import Entry
    from include.xcom_viewer.readers import Readers
    from include.xcom_viewer.source import StoreLookup

    readers, connect = Readers(), StoreLookup().store
    entry = Entry(owner=Owner(**WHERE), timestamp=dt.datetime.now(dt.UTC), text=json.dumps(record))

    def show(window: preview.Window) -> int:
        if window is previous.PROFILE:
            body = previous.compare(readers, connect, entry, entry, None)
        else:
            store = connect()
            body = preview.of_object(
                readers, store, objects.locate(readers, entry, store)[0], window
            )
        answers.page(
            "value_card.html", asked=Asked(**WHERE), card=overview.card(entry, connect),
            body=body, state=None, leaf=None, window=window,
        )  # fmt: skip
        return body.bytes_read

    windows = {
        "rows and figures": preview.Window(),
        "other rows": preview.Window(row=500),
        "chart": preview.Window(do="chart", x=8, y=4),
        "previous run": previous.PROFILE,
    }

    def all_pages() -> dict[str, Any]:
        return {name: _times(show, window) for name, window in windows.items()}

    pages, found = measure(all_pages)
    of_readers = sum(peak(str(reader.process.pid)) for reader in readers.idle)
    readers.close()
    return {"pages": pages, "peak": found["peak_bytes"] + of_readers}


def _times(show: Callable[[Any], int], window: Any) -> dict[str, Any]:
    seconds, read = [], 0
    for _ in range(VIEWS):
        started = time.perf_counter()
        read = show(window)
        seconds.append(time.perf_counter() - started)
    return {"cold": seconds[0], "warm": seconds[1:], "bytes": read}
