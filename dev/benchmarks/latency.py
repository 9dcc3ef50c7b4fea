"""A proxy that makes an S3 server far away: every byte is late by half the round trip each way.

    python -m dev.benchmarks.latency TARGET_PORT MILLISECONDS [BYTES_PER_SECOND [PEM]]

prints its own port, then a line for each request: the method, how many were under way, and the
bytes that have come back from the server so far. It serves until it is stopped. A new connection
takes a round trip, too. The bytes per second are those of one connection in one direction, as a
distant bucket gives them; without them nothing is limited. With a PEM file of key and certificate
it is reached by TLS.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from dev import processes
from dev.ports import LOOPBACK
from dev.project import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dev.benchmarks.harness import Bench

_MOST_WAITING = 4 * 1024 * 1024
"""Bytes of a connection that are on their way in one direction."""
_METHODS = (b"GET /", b"PUT /", b"POST /", b"HEAD /", b"DELETE /")
_MARK = "far_away"


@dataclass
class Requests:
    """What came through the proxy, by its log."""

    log: Path

    def all(self) -> list[tuple[str, int]]:
        """The method of each request so far, and how many were under way with it."""
        return [
            (method, int(at_once))
            for method, at_once, _bytes in self._lines()
            if method != "closed"
        ]

    def bytes(self) -> int:
        """That have come back, as of the last connection that was closed."""
        return max((int(count) for *_, count in self._lines()), default=0)

    def _lines(self) -> list[list[str]]:
        return [line.split() for line in self.log.read_text().splitlines()[1:]]


@contextmanager
def far_away(
    env: dict[str, str], bench: Bench, round_trip_ms: float, bytes_per_second: float = 0
) -> Iterator[dict[str, str]]:
    """Run the proxy; yield the environment of a benchmark with the proxy as its endpoint."""
    with counted(env, bench, round_trip_ms, bytes_per_second) as (far, _requests):
        yield far


@contextmanager
def counted(
    env: dict[str, str],
    bench: Bench,
    round_trip_ms: float,
    bytes_per_second: float = 0,
    pem: Path | None = None,
) -> Iterator[tuple[dict[str, str], Requests]]:
    """Like `far_away`; yield also the requests. With a PEM file, its endpoint is one of TLS."""
    near = env["AIRFLOW__XCOM_STORE__ENDPOINT_URL"]
    log = bench.folder / "latency.log"
    command = [sys.executable, "-m", "dev.benchmarks.latency"]
    arguments = [near.rpartition(":")[2], str(round_trip_ms), str(bytes_per_second)]
    arguments += [str(pem)] if pem else []
    with (
        log.open("wb") as output,
        processes.start([*command, *arguments], output=output, cwd=ROOT) as proxy,
    ):
        processes.wait_until(lambda: log.read_text().endswith("\n"), proxy, "the proxy", log)
        far = f"{'https' if pem else 'http'}://{LOOPBACK}:{int(log.read_text())}"
        yield {name: value.replace(near, far) for name, value in env.items()}, Requests(log)


class _Way(asyncio.Protocol):
    """One end of a connection: what it receives is sent from the other end, later."""

    under_way = came_back = 0

    def __init__(self, round_trip: float, rate: float, target: int = 0) -> None:
        self._delay, self._rate, self._target = round_trip / 2, rate, target
        self._loop = asyncio.get_running_loop()
        self._round_trip = round_trip
        self.transport: asyncio.Transport | None = None
        self.other: _Way | None = None
        self._waiting: list[tuple[float, bytes]] = []
        self._bytes = 0
        self._due = 0.0
        self.asked = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(_MOST_WAITING)
        if self._target:  # shaking hands takes a round trip, before the first byte goes over
            self._due = self._loop.time() + 1.5 * self._round_trip
            self._connecting = self._loop.create_task(self._connect())

    async def _connect(self) -> None:
        def make() -> _Way:
            self.other = _Way(self._round_trip, self._rate)
            self.other.other = self
            return self.other

        await self._loop.create_connection(make, LOOPBACK, self._target)
        self._later()

    def data_received(self, data: bytes) -> None:
        if self._target and data.startswith(_METHODS):
            self.asked = True
            _Way.under_way += 1
            self._tell(data.split(b" ", 1)[0].decode())
        elif self.other and self.other.asked:
            self.other.asked = False
            _Way.under_way -= 1
        if not self._target:
            _Way.came_back += len(data)
        self._receive(data)

    def _tell(self, what: str) -> None:
        print(what, _Way.under_way, _Way.came_back, flush=True)

    def eof_received(self) -> bool:
        self._receive(b"")
        return True

    def connection_lost(self, _error: Any) -> None:
        self._tell("closed")
        self._receive(b"")

    def _receive(self, data: bytes) -> None:
        now = self._loop.time()
        self._due = max(now + self._delay, self._due)
        if self._rate:
            self._due += len(data) / self._rate
        self._waiting.append((self._due, data))
        self._bytes += len(data)
        if self._bytes > _MOST_WAITING and self.transport:
            self.transport.pause_reading()
        if len(self._waiting) == 1:
            self._later()

    def _later(self) -> None:
        if self._waiting and self.other and self.other.transport:
            self._loop.call_at(self._waiting[0][0], self._send)

    def _send(self) -> None:
        target = cast("_Way", self.other).transport
        now = self._loop.time()
        while self._waiting and self._waiting[0][0] <= now and target:
            _due, data = self._waiting.pop(0)
            self._bytes -= len(data)
            if data:
                target.write(data)
            else:
                target.close()
        if self._bytes <= _MOST_WAITING and self.transport and not self.transport.is_closing():
            self.transport.resume_reading()
        self._later()


async def serve(target: int, round_trip: float, rate: float = 0, pem: str = "") -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if pem else None
    if context:
        context.load_cert_chain(pem)
    loop = asyncio.get_running_loop()
    made = loop.create_server(lambda: _Way(round_trip, rate, target), LOOPBACK, 0, ssl=context)
    server = await made
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    given = dict(enumerate(sys.argv))
    port, milliseconds, rate, pem = given[1], given[2], given.get(3, "0"), given.get(4, "")
    asyncio.run(serve(int(port), float(milliseconds) / 1000, float(rate), pem))
