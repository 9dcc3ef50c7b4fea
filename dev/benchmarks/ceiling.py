"""How much the latency proxy itself lets through, before anything is said of what is behind it."""

from __future__ import annotations

import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from dev.ports import LOOPBACK

if TYPE_CHECKING:
    from dev.benchmarks.harness import Bench

_BLOCK = 1024 * 1024
_EACH = 64 * _BLOCK


def measure(bench: Bench, connections: int) -> dict[str, float]:
    """Bytes per second to and from a server that does nothing, over so many connections."""
    from dev.benchmarks import latency

    with socket.create_server((LOOPBACK, 0)) as server:
        threading.Thread(target=_serve, args=(server,), daemon=True).start()
        endpoint = f"http://{LOOPBACK}:{server.getsockname()[1]}"
        with latency.far_away({"AIRFLOW__XCOM_STORE__ENDPOINT_URL": endpoint}, bench, 0) as env:
            port = int(env["AIRFLOW__XCOM_STORE__ENDPOINT_URL"].rpartition(":")[2])
            arguments = {"port": port, "connections": connections}
            found: dict[str, float]
            found = bench.call("ours", bench.settings(""), "ceiling:both_ways", **arguments)
            return found


def both_ways(port: int, connections: int) -> dict[str, float]:
    """In the child: bytes per second of each way."""
    found = {}
    for way, sign in (("push", b"<"), ("pull", b">")):
        started = time.perf_counter()
        with ThreadPoolExecutor(connections) as threads:
            list(threads.map(_ask, [port] * connections, [sign] * connections))
        found[way] = connections * _EACH / (time.perf_counter() - started)
    return found


def _ask(port: int, sign: bytes) -> None:
    with socket.create_connection((LOOPBACK, port)) as connection:
        connection.sendall(sign)
        if sign == b"<":
            _send(connection)
            connection.recv(1)
        else:
            _take(connection)


def _serve(server: socket.socket) -> None:
    while True:
        try:
            connection, _address = server.accept()
        except OSError:  # closed
            return
        threading.Thread(target=_answer, args=(connection,), daemon=True).start()


def _answer(connection: socket.socket) -> None:
    with connection:
        if connection.recv(1) == b"<":
            _take(connection)
            connection.sendall(b".")
        else:
            _send(connection)


def _send(connection: socket.socket) -> None:
    block = bytes(_BLOCK)
    for _ in range(_EACH // _BLOCK):
        connection.sendall(block)


def _take(connection: socket.socket) -> None:
    block, left = bytearray(_BLOCK), _EACH
    while left:
        count = connection.recv_into(block)
        if not count:
            sys.exit(f"the connection was closed {left} bytes early")
        left -= count
