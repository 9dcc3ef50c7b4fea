"""Free TCP ports on loopback, and whether a port that the user names can be had."""

from __future__ import annotations

import random
import socket

LOOPBACK = "127.0.0.1"
# Below the range that Linux (32768) and macOS (49152) give to outgoing connections, so that a port
# found free here is not taken by an unrelated connection before its server binds it.
_LOWEST, _HIGHEST = 10_000, 20_000
# A server stops listening a moment before the kernel lets go of its port.
_CONNECT_SECONDS = 1.0


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now.

    Binding alone is not enough: macOS lets 127.0.0.1 be bound beside a listener on all addresses.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(_CONNECT_SECONDS)
        return probe.connect_ex((LOOPBACK, port)) != 0


def free_ports(count: int, *, twin: int = 0) -> list[int]:
    """That many different loopback ports, all free at this moment.

    With `twin`, the port that many numbers higher is free too: SeaweedFS derives its gRPC ports so.
    """
    candidates = random.sample(range(_LOWEST, _HIGHEST), _HIGHEST - _LOWEST)
    found: list[int] = []
    for port in candidates:
        if is_free(port) and (not twin or is_free(port + twin)):
            found.append(port)
        if len(found) == count:
            return found
    raise OSError(f"fewer than {count} free ports between {_LOWEST} and {_HIGHEST}")
