"""A small HTTP service on loopback, for what a real server cannot be made to answer."""

from __future__ import annotations

import contextlib
import http.server
import ssl
import threading
from collections.abc import Iterator


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers in one call, and logs nothing."""

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        """`Content_Range` is the header Content-Range."""
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name.replace("_", "-"), text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def serve(
    handler: type[Handler], tls: ssl.SSLContext | None = None
) -> Iterator[http.server.ThreadingHTTPServer]:
    """A server on a free port; `server.url` is its address, `server.asked` a list to fill."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.url = f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}"
        server.asked = []
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        # Of the default, half a second, `shutdown` would wait a quarter on average.
        run = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        run.start()
        try:
            yield server
        finally:
            server.shutdown()
