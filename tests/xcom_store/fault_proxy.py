"""A proxy between the backend and a real S3 server, which breaks what it is told to break.

    with FaultProxy(port_of_s3) as proxy:          # proxy.url is the endpoint to configure
        proxy.inject(Fault("reset answer", at=0.5))
        …
        proxy.hits                                 # how many requests were hit
        proxy.most_at_once                         # how many there were, since that, at one time

It understands as much of HTTP as it needs: one request and its answer after the other, of a known
length. What it passes on it does not change, so the signatures stay valid.
"""

from __future__ import annotations

import contextlib
import random
import re
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

MAX_HEAD = 64 * 1024
ERROR = "<Error><Code>{}</Code><Message>injected</Message></Error>"


@dataclass
class Fault:
    """What to do to requests.

    Attributes:
        kind: one of `KINDS`.
        at: where in the bytes of the request or of the answer, from 0 to 1.
        after: how many requests pass before the first that is hit.
        times: how many requests are hit; None for all.
        seconds: of a delay.
        call: what to call in place of `at`, for the kinds "call", "call before" and "call after".
    """

    kind: str
    at: float = 0.5
    after: int = 0
    times: int | None = None
    seconds: float = 0.0
    call: Callable[[], None] | None = None


class FaultProxy:
    """Listens on a free port of 127.0.0.1; one fault at a time."""

    def __init__(self, upstream: int) -> None:
        self.upstream = upstream
        self.hits = self.most_at_once = self._at_once = self._seen = 0
        self._fault: Fault | None = None
        self._lock, self._of_thread = threading.Lock(), threading.local()
        self.turn: contextlib.AbstractContextManager[object] = contextlib.nullcontext()
        self._server = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def inject(self, fault: Fault | None) -> None:
        """Break requests from now on in this way; None: pass all on."""
        with self._lock:
            self._fault, self.hits, self._seen = fault, 0, 0
            self.most_at_once = self._at_once

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()

    def _next(self) -> Fault | None:
        """The fault for a request that has come in, if it is to be hit."""
        with self._lock:
            fault = self._fault
            if fault is None:
                return None
            self._seen += 1
            if self._seen <= fault.after or (fault.times is not None and self.hits >= fault.times):
                return None
            self.hits += 1
            return fault

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = self._server.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        # A connection that breaks, on either side, is what this is for.
        with client, contextlib.suppress(OSError, EOFError):
            client.settimeout(60)
            buffer = Buffer(client)
            while True:
                head = buffer.head()
                self._count(1)
                try:
                    self.arrived(buffer, head)
                    with self.turn:
                        fault = self._next()
                        answer = KINDS[fault.kind] if fault else pass_on
                        if not answer(self, fault, client, buffer, head):
                            return
                finally:
                    self._count(-1)

    def _count(self, more: int) -> None:
        """Count this thread's request as one that is here; no more, once its answer is known."""
        with self._lock:
            if getattr(self._of_thread, "is_here", False) != (more > 0):
                self._of_thread.is_here = more > 0
                self._at_once += more
                self.most_at_once = max(self.most_at_once, self._at_once)

    def arrived(self, buffer: Buffer, head: bytes) -> None:
        """A request has come in, and may have to wait for its turn."""

    def server(self, _head: bytes) -> socket.socket:
        """A connection to the server that a request is for."""
        return socket.create_connection(("127.0.0.1", self.upstream), timeout=60)

    def ask(self, head: bytes, body: bytes) -> bytes:
        """The server's whole answer to a request, head and body."""
        with self.server(head) as server:
            server.sendall(head + body)
            answer = Buffer(server)
            answer_head = answer.head()
            while answer_head.split(b" ", 2)[1] == b"100":  # HDFS says so without being asked
                answer_head = answer.head()
            without = head.startswith(b"HEAD ") or answer_head.split(b" ", 2)[1] in (b"204", b"304")
            body = b"" if without else answer.body(answer_head)
            self._count(-1)  # before it is sent: who has it may ask for the next thing
            return answer_head + body


class HdfsFaultProxy(FaultProxy):
    """Stands before the name node and, by what that answers, before the data node as well."""

    def __init__(self, upstream: int) -> None:
        super().__init__(upstream)
        self._behind: dict[bytes, FaultProxy] = {}

    def ask(self, head: bytes, body: bytes) -> bytes:
        """Lead to a proxy for each data node; all ports have five digits, the length stays."""
        return re.sub(
            rb"(?<=http://127\.0\.0\.1:)\d{5}(?=/webhdfs)", self._lead, super().ask(head, body)
        )

    def _lead(self, found: re.Match[bytes]) -> bytes:
        with self._lock:
            if found[0] not in self._behind:
                made = FaultProxy(int(found[0]))
                made._next = self._next  # noqa: SLF001 - one fault for all of them
                self._behind[found[0]] = made
            return self._behind[found[0]].url.rpartition(":")[2].encode()

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        for made in self._behind.values():
            made.__exit__()


class Buffer:
    """Reads heads and bodies from a socket."""

    def __init__(self, source: socket.socket) -> None:
        self._source = source
        self._data = b""

    def _more(self) -> None:
        data = self._source.recv(1 << 20)
        if not data:
            raise EOFError
        self._data += data

    def take(self, size: int) -> bytes:
        parts, missing = [self._data[:size]], size - len(self._data[:size])
        self._data = self._data[size:]
        while missing > 0:
            data = self._source.recv(min(1 << 20, missing))
            if not data:
                raise EOFError
            parts.append(data)
            missing -= len(data)
        return b"".join(parts)

    def head(self) -> bytes:
        while b"\r\n\r\n" not in self._data:
            if len(self._data) > MAX_HEAD:
                raise EOFError
            self._more()
        return self.take(self._data.index(b"\r\n\r\n") + 4)

    def body(self, head: bytes) -> bytes:
        if b"chunked" not in header(head, "transfer-encoding"):
            return self.take(length(head))
        parts = []
        while True:
            while b"\r\n" not in self._data:
                self._more()
            line = self.take(self._data.index(b"\r\n") + 2)
            size = int(line.split(b";")[0], 16)
            parts += [line, self.take(size + 2)]
            if not size:
                return b"".join(parts)

    def read_ahead(self, head: bytes) -> None:
        """Take what belongs to a request off the wire; it is still here to be asked for."""
        self._data = self.body(head) + self._data


def header(head: bytes, name: str) -> bytes:
    for line in head.split(b"\r\n")[1:]:
        found, _, value = line.partition(b":")
        if found.strip().lower() == name.encode():
            return value.strip().lower()
    return b""


def length(head: bytes) -> int:
    return int(header(head, "content-length") or 0)


def reset(connection: socket.socket) -> None:
    """Close with RST, as a machine that died or a firewall does."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


# Each returns whether the connection goes on.


def pass_on(proxy, _fault, client, buffer, head):
    client.sendall(proxy.ask(head, buffer.body(head)))
    return True


def _reset_request(proxy, fault, client, buffer, head):
    """Part of the request arrives at the server, then both sides are cut off."""
    passed = int(fault.at * (len(head) + length(head)))
    data = head + buffer.take(max(0, passed - len(head)))
    with proxy.server(head) as server:
        server.sendall(data[:passed])
        reset(server)
    reset(client)
    return False


def _reset_answer(proxy, fault, client, buffer, head):
    """The server does what was asked; of its answer only a part arrives."""
    answer = proxy.ask(head, buffer.body(head))
    client.sendall(answer[: int(fault.at * len(answer))])
    time.sleep(0.01)  # RST overtakes what was sent
    reset(client)
    return False


def _truncate(proxy, fault, client, buffer, head):
    """The answer's body ends early, the connection is closed in an orderly way."""
    answer = proxy.ask(head, buffer.body(head))
    start = answer.index(b"\r\n\r\n") + 4
    client.sendall(answer[: start + int(fault.at * (len(answer) - start))])
    return False


def _shorten(proxy, fault, client, buffer, head):
    """The answer's body ends early, and its head says that this is all."""
    answer = proxy.ask(head, buffer.body(head))
    start = answer.index(b"\r\n\r\n") + 4
    body = answer[start:][: int(fault.at * (len(answer) - start))]
    lines = answer[: start - 4].split(b"\r\n")
    kept = [line for line in lines if not line.lower().startswith(b"content-length:")]
    client.sendall(b"\r\n".join([*kept, b"Content-Length: %d" % len(body), b"", b""]) + body)
    return True


def _flip_answer(proxy, fault, client, buffer, head):
    answer = bytearray(proxy.ask(head, buffer.body(head)))
    _flip(answer, answer.index(b"\r\n\r\n") + 4, fault.at)
    client.sendall(answer)
    return True


def _flip_request(proxy, fault, client, buffer, head):
    body = bytearray(buffer.body(head))
    _flip(body, 0, fault.at)
    client.sendall(proxy.ask(head, bytes(body)))
    return True


def _flip(data: bytearray, start: int, at: float) -> None:
    if len(data) > start:
        data[start + int(at * (len(data) - start))] ^= 1 << random.Random(at).randrange(8)


def _delay(proxy, fault, client, buffer, head):
    body = buffer.body(head)
    time.sleep(fault.seconds)
    client.sendall(proxy.ask(head, body))
    return True


def _slowly(proxy, fault, client, buffer, head):
    """The answer comes, in ten pieces over the time."""
    answer = proxy.ask(head, buffer.body(head))
    piece = len(answer) // 10 + 1
    for start in range(0, len(answer), piece):
        time.sleep(fault.seconds / 10)
        client.sendall(answer[start : start + piece])
    return True


def _call(proxy, fault, client, buffer, head):
    """Something else happens when half of the request has arrived."""
    body = buffer.body(head)
    with proxy.server(head) as server:
        server.sendall((head + body)[: (len(head) + len(body)) // 2])
        fault.call()
    reset(client)
    return False


def _call_before(_proxy, fault, client, buffer, head):
    """Something else happens when the request has arrived here, and nothing at the server."""
    buffer.body(head)
    fault.call()
    reset(client)
    return False


def _call_after(proxy, fault, client, buffer, head):
    """Something else happens when the server has done what was asked, and has said so."""
    proxy.ask(head, buffer.body(head))
    fault.call()
    reset(client)
    return False


def _answer(status: str, code: str):
    def answer(_proxy, _fault, client, buffer, head):
        buffer.body(head)
        body = b"" if head.startswith(b"HEAD ") else ERROR.format(code).encode()
        client.sendall(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        return True

    return answer


KINDS = {
    "reset request": _reset_request,
    "reset answer": _reset_answer,
    "truncated answer": _truncate,
    "shortened answer": _shorten,
    "bit flipped in answer": _flip_answer,
    "bit flipped in request": _flip_request,
    "delay": _delay,
    "slow answer": _slowly,
    "call": _call,
    "call before": _call_before,
    "call after": _call_after,
    "500 InternalError": _answer("500 Internal Server Error", "InternalError"),
    "503 ServiceUnavailable": _answer("503 Service Unavailable", "ServiceUnavailable"),
    "503 SlowDown": _answer("503 Slow Down", "SlowDown"),
    "403 ExpiredToken": _answer("403 Forbidden", "ExpiredToken"),
    "400 ExpiredToken": _answer("400 Bad Request", "ExpiredToken"),
    "403 AccessDenied": _answer("403 Forbidden", "AccessDenied"),
}
