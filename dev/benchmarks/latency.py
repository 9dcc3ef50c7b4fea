"""A proxy that makes an S3 server far away: every byte is late by half the round trip each way.

    python -m dev.benchmarks.latency TARGET_PORT MILLISECONDS

prints its own port and serves until it is stopped. A new connection takes a round trip, too. It
does not limit how much goes through.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from dev import processes
from dev.ports import LOOPBACK
from dev.project import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dev.benchmarks.harness import Bench

_CHUNK = 256 * 1024


@contextmanager
def far_away(env: dict[str, str], bench: Bench, round_trip_ms: float) -> Iterator[dict[str, str]]:
    """Run the proxy; yield the environment of a benchmark with the proxy as its endpoint."""
    near = env["AIRFLOW__XCOM_STORE__ENDPOINT_URL"]
    log = bench.folder / "latency.log"
    command = [sys.executable, "-m", "dev.benchmarks.latency"]
    arguments = [near.rpartition(":")[2], str(round_trip_ms)]
    with (
        log.open("wb") as output,
        processes.start([*command, *arguments], output=output, cwd=ROOT) as proxy,
    ):
        processes.wait_until(lambda: log.read_text().endswith("\n"), proxy, "the proxy", log)
        far = f"http://127.0.0.1:{int(log.read_text())}"
        yield {name: value.replace(near, far) for name, value in env.items()}


async def _pass_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float, first: float
) -> None:
    """Copy one direction; what is read now is written `delay` later, and not before `first`."""
    loop = asyncio.get_running_loop()
    waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def write() -> None:
        while True:
            due, data = await waiting.get()
            await asyncio.sleep(max(due, first) - loop.time())
            if not data:
                break
            writer.write(data)
            await writer.drain()
        writer.close()

    writing = asyncio.create_task(write())
    data = b"-"
    while data:
        with suppress(ConnectionError):
            data = b""  # a broken connection ends like a closed one
            data = await reader.read(_CHUNK)
        waiting.put_nowait((loop.time() + delay, data))
    with suppress(ConnectionError):
        await writing


async def serve(target: int, round_trip: float) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        shaken_hands = asyncio.get_running_loop().time() + 1.5 * round_trip
        there, back = await asyncio.open_connection(LOOPBACK, target)
        await asyncio.gather(
            _pass_on(reader, back, round_trip / 2, shaken_hands),
            _pass_on(there, writer, round_trip / 2, 0.0),
        )

    server = await asyncio.start_server(connected, LOOPBACK, 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2]) / 1000))
