"""A Redis of our own on loopback: the queue between Airflow's scheduler and its Celery workers.

    with redis_server.serve(folder) as url:
        ...                              # redis://:password@127.0.0.1:port/0

The program is this machine's; port and password are new each time, and nothing is written to disk.
The server ends with the process that started it (see `guard.py`).
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
from typing import TYPE_CHECKING

from dev import ports, processes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOLDER = "/opt/homebrew/bin"  # not on the PATH of everything that starts programs on macOS


@contextlib.contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Serve; yields the URL. `folder` gets the configuration and the log."""
    binary = find()
    folder.mkdir(parents=True)
    password = secrets.token_urlsafe(24)
    (port,) = ports.free_ports(1)
    log, config = folder / "redis.log", folder / "redis.conf"
    config.touch(mode=0o600)  # everyone can read a process' arguments
    config.write_text(
        f"bind {ports.LOOPBACK}\nport {port}\nrequirepass {password}\n"
        'save ""\nappendonly no\ndaemonize no\n'
    )
    with (
        log.open("wb") as output,
        processes.start([binary, str(config)], cwd=folder, output=output) as process,
    ):
        processes.wait_until(lambda: _answers(port, password), process, "Redis", log)
        yield f"redis://:{password}@{ports.LOOPBACK}:{port}/0"


def find() -> str:
    """The path of `redis-server`; FileNotFoundError if there is none."""
    on_path = os.environ.get("PATH", os.defpath)
    found = shutil.which("redis-server", path=f"{on_path}{os.pathsep}{FOLDER}")
    if found is None:
        raise FileNotFoundError("Redis (redis-server)")
    return found


def _answers(port: int, password: str) -> bool:
    try:
        with socket.create_connection((ports.LOOPBACK, port), timeout=1) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            answers = connection.makefile("rb")
            return (answers.readline(), answers.readline()) == (b"+OK\r\n", b"+PONG\r\n")
    except OSError:
        return False
