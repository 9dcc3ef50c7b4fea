"""A frame to and from a bucket 30 ms away that gives 10 MB/s to a connection.

What the link allows is measured in the same run, through the same proxy: the object's bytes over 8
connections, an eighth each, sent and got by nothing but obstore. Encoding and decoding are measured
alone, to and from memory. The proxy's own ceiling comes first: where it is below three times what 8
connections carry, nothing else is reported. Requests are counted at the proxy.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from dev.benchmarks import ceiling, frames, latency
from dev.benchmarks.harness import NAMES, Bar, Bench, Result, median, number, spread

if TYPE_CHECKING:
    from collections.abc import Callable

TITLE = "A frame, 30 ms away, 10 MB/s a connection"
PEERS = ("ours", "common_io")
ROWS, FEW_ROWS = 1_000_000, 10_000
QUICK_ROWS = 100_000
ROUND_TRIP_MS = 30
BYTES_PER_SECOND = 10_000_000
CONNECTIONS = 8
ROUNDS = 3
FEW_TIMES = 7
LIMIT, TIMES, FEW_LIMIT = 1.2, 6, 1.15
FAR = (ROUND_TRIP_MS, BYTES_PER_SECOND)
WAYS = {"push": "encode", "pull": "decode"}


def run(bench: Bench) -> Result:
    bench.say("the proxy's own ceiling")
    needed = CONNECTIONS * BYTES_PER_SECOND
    most = ceiling.measure(bench, CONNECTIONS)
    told = ", ".join(f"{way} {number(rate / 1e6)} MB/s" for way, rate in most.items())
    notes = [f"The proxy's own ceiling, over {CONNECTIONS} connections: {told}."]
    if min(most.values()) < 3 * needed:
        notes.append(f"NOT REPORTED: the ceiling is below 3 × {number(needed / 1e6)} MB/s.")
        return Result(["not reported"], [], [], {"ceiling": most}, notes)
    rows, rounds = (QUICK_ROWS, 1) if bench.quick else (ROWS, ROUNDS)
    found: list[dict[str, Any]] = []
    with bench.s3() as env:
        for round_number in range(rounds):
            bench.say(f"round {round_number + 1} of {rounds}")
            found.append({"large": _large(bench, env, rows), "few": few_requests(bench, env)})
    encoded = median([one["large"]["in memory"]["push"] for one in found])
    notes.append(_least_push(encoded))
    return Result(
        ["rows", "", "push, s", "pull, s"],
        [*_large_rows(rows, [one["large"] for one in found]), *_few_rows(found)],
        [] if bench.quick else _bars(found),
        {"ceiling": most, "rounds": found},
        notes,
    )


def _least_push(encoded: float) -> str:
    """Say why a push cannot take as little as the link: its parts come one after the other."""
    from include.xcom_store.stores.files import PUT_PART_BYTES

    part, trips = PUT_PART_BYTES / BYTES_PER_SECOND, 2 * ROUND_TRIP_MS / 1000
    return (
        f"The last whole part of a push begins when nearly all is encoded, after "
        f"{number(encoded)} s, and takes {number(part)} s, as S3 has no smaller ones than 5 MiB; "
        f"with two round trips that is {number(encoded + part + trips)} s at the least."
    )


def _large(bench: Bench, env: dict[str, str], rows: int) -> dict[str, Any]:
    """Seconds by what was done, and way."""
    found: dict[str, Any] = {}
    with latency.far_away(env, bench, *FAR) as far:
        for peer in PEERS:
            both = frames.round_trip(bench, far, peer, rows, 1)
            seconds = {way: both[f"{way}ed"]["seconds"][0] for way in WAYS}
            found[NAMES[peer]] = seconds
            if peer == "ours":
                found["bytes"] = both["pushed"]["stored"]
        arguments = {"size": found["bytes"], "connections": CONNECTIONS}
        found["the link"] = bench.call("ours", far, "far_frame:link", **arguments)
    found["in memory"] = bench.call("ours", env, "far_frame:in_memory", rows=rows)
    return found


def link(size: int, connections: int) -> dict[str, float]:
    """In the child: seconds to send and to get so many bytes over so many connections."""
    import os
    import time
    from concurrent.futures import ThreadPoolExecutor

    from dev.benchmarks.peers import floor

    store: Any = floor.store()
    store.put("link/first", b"-")
    data = os.urandom(size // connections)
    calls = {
        "push": lambda part: store.put(f"link/{part}", data, use_multipart=False),
        "pull": lambda part: len(store.get(f"link/{part}").bytes()),
    }
    found = {}
    for way, call in calls.items():
        started = time.perf_counter()
        with ThreadPoolExecutor(connections) as threads:
            list(threads.map(call, range(connections)))
        found[way] = time.perf_counter() - started
    return found


def in_memory(rows: int) -> dict[str, float]:
    """In the child: seconds to encode and to decode the frame, to and from memory."""
    import io

    from dev.benchmarks.data import make_frame
    from dev.benchmarks.meters import measure
    from include.xcom_store.codecs import frames as codec

    class Memory(io.BytesIO):
        failure: BaseException | None = None
        in_memory = 0

        def close(self) -> None:
            """Stay readable."""

    def encode(rows: int) -> bytes:
        sink = Memory()
        frame = made[rows]
        codec.encode(frame, "zstd").write(sink)
        return sink.getvalue()

    made = {count: make_frame(count) for count in (100, rows)}
    codec.decode(encode(100), "")
    data, encoded = measure(lambda: encode(rows))
    _frame, decoded = measure(lambda: codec.decode(data, ""))
    return {"push": encoded["seconds"], "pull": decoded["seconds"]}


def few_requests(bench: Bench, env: dict[str, str]) -> dict[str, Any]:
    """What a frame of 10,000 rows takes, its requests, and the same bytes by obstore alone."""
    with latency.counted(env, bench, *FAR) as (far, requests):
        found: dict[str, Any] = bench.call("ours", far, "far_frame:few", rows=FEW_ROWS)
        methods = [method for method, _at_once in requests.all()]
    puts, gets = methods.count("PUT"), methods.count("GET")
    # Those that connect, and the plain ones, are not ours.
    ours = {"push": puts - 2 - FEW_TIMES, "pull": gets - 1 - FEW_TIMES}
    found["requests"] = {way: number / FEW_TIMES for way, number in ours.items()}
    found["requests"]["others"] = len(methods) - puts - gets
    return found


def few(rows: int) -> dict[str, Any]:
    """In the child, connected: push and pull, and a put and a get of the same bytes."""
    import os

    from dev.benchmarks.data import make_frame
    from dev.benchmarks.meters import measure
    from dev.benchmarks.peers import floor, ours

    store: Any = floor.store()
    ours.pull(ours.push(make_frame(100)))
    store.put("few/first", b"-")
    frame = make_frame(rows)
    seconds: dict[str, dict[str, list[float]]] = {
        name: {way: [] for way in WAYS} for name in ("ours", "round trips")
    }

    def take(name: str, way: str, call: Callable[[], Any]) -> Any:
        result, found = measure(call)
        seconds[name][way].append(found["seconds"])
        return result

    for number_of in range(FEW_TIMES):
        record = take("ours", "push", partial(ours.push, frame))
        back = take("ours", "pull", partial(ours.pull, record))
        if not back.equals(frame):
            raise ValueError("another frame came back")
        key, data = f"few/{number_of}", os.urandom(record["bytes"])
        take("round trips", "push", partial(store.put, key, data))
        take("round trips", "pull", partial(_get, store, key))
    return {
        name: {way: median(times) for way, times in ways.items()} for name, ways in seconds.items()
    }


def _get(store: Any, key: str) -> Any:
    return store.get(key).bytes()


def _large_rows(rows: int, rounds: list[dict[str, Any]]) -> list[list[str]]:
    names = [NAMES[peer] for peer in PEERS] + ["the link", "in memory"]
    return [
        [f"{rows:,}", name, *(spread([one[name][way] for one in rounds]) for way in WAYS)]
        for name in names
    ]


def _few_rows(found: list[dict[str, Any]]) -> list[list[str]]:
    rows = [
        [f"{FEW_ROWS:,}", name, *(spread([one["few"][key][way] for one in found]) for way in WAYS)]
        for name, key in ((NAMES["ours"], "ours"), ("a put, a get of as many bytes", "round trips"))
    ]
    requests = found[0]["few"]["requests"]
    return [*rows, [f"{FEW_ROWS:,}", "requests", *(number(requests[way]) for way in WAYS)]]


def _bars(found: list[dict[str, Any]]) -> list[Bar]:
    bars = []
    ours = NAMES["ours"]
    for way, step in WAYS.items():
        shares = [
            one["large"][ours][way]
            / max(one["large"]["the link"][way], one["large"]["in memory"][way])
            for one in found
        ]
        claim = f"{way}, of what the link or to {step} takes, whichever is longer"
        bars.append(Bar(claim, median(shares), LIMIT))
    against = [
        sum(one["large"][NAMES["common_io"]].values()) / sum(one["large"][ours].values())
        for one in found
    ]
    bars.append(Bar("times as fast as common-io", median(against), TIMES, at_least=True))
    for way in WAYS:
        few = [one["few"] for one in found]
        most = max(one["requests"][way] + one["requests"]["others"] for one in few)
        bars.append(Bar(f"{FEW_ROWS:,} rows, {way}, requests", most, 1, unit=""))
        times = [one["ours"][way] / one["round trips"][way] for one in few]
        bars.append(Bar(f"{FEW_ROWS:,} rows, {way}, of that round trip", median(times), FEW_LIMIT))
    return bars
