"""Starting long-running commands so that they can always be ended, with all they started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

_GUARD = Path(__file__).with_name("guard.py")
_TAIL_LINES = 30


class Process:
    """A command under its guard (see `guard.py`), in a session and process group of its own."""

    def __init__(self, popen: subprocess.Popen[bytes], grace: float) -> None:
        self._popen = popen
        self._grace = grace

    @property
    def pid(self) -> int:
        """The guard's process id; the command is its child and in its process group."""
        return self._popen.pid

    def poll(self) -> int | None:
        """The command's exit status, None while it or anything it started still runs."""
        return self._popen.poll()

    def wait(self, timeout: float | None = None) -> int:
        return self._popen.wait(timeout)

    def stop(self) -> None:
        """End the command and all its descendants; returns when they are gone."""
        with contextlib.suppress(ProcessLookupError):
            self._popen.terminate()
        self._popen.wait(self._grace + 30)
        self._close()

    def hurry(self) -> None:
        """A second signal to the guard: no more grace. For use in signal handlers."""
        with contextlib.suppress(ProcessLookupError):
            self._popen.terminate()

    def kill(self) -> None:
        """SIGKILL to the whole process group, as a crash would look."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()
        self._close()

    def _close(self) -> None:
        assert self._popen.stdin is not None
        self._popen.stdin.close()


def start(
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    output: IO[bytes] | None = None,
    grace: float = 10.0,
) -> Process:
    """Start a command that ends when we do, however we end.

    Its output goes to `output`, otherwise where ours goes. `grace`: seconds between the polite
    signal and SIGKILL.
    """
    popen = subprocess.Popen(
        [sys.executable, "-I", "-S", str(_GUARD), str(grace), *command],
        stdin=subprocess.PIPE,  # closed by the kernel when we end: the guard's sign to clean up
        stdout=output,
        stderr=subprocess.STDOUT if output else None,
        env=env,
        cwd=cwd,
        start_new_session=True,
    )
    return Process(popen, grace)


def tail(log: Path, lines: int = _TAIL_LINES) -> str:
    """The last lines of a log file, indented for a message; a note where there are none."""
    text = log.read_text(errors="replace").rstrip() if log.exists() else ""
    return "\n".join(f"  | {line}" for line in text.splitlines()[-lines:]) or "  | (no output)"
