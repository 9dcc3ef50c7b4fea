"""Starting long-running commands so that they can always be ended, with all they started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import weakref
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

from dev.errors import DevError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import FrameType

_GUARD = Path(__file__).with_name("guard.py")
_TAIL_LINES = 30
_START_SECONDS = 60.0  # for a server; they take a second or two, on a loaded machine longer
_KILL_SECONDS = 30.0  # for the kernel to take down what got SIGKILL, on a loaded machine
_running: weakref.WeakSet[Process] = weakref.WeakSet()


class Interrupted(KeyboardInterrupt):
    """SIGINT (Ctrl-C), SIGTERM or SIGHUP: everything started is to be ended, then we are."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_status = 128 + number


def interrupt_on_signals() -> None:
    """The first signal raises Interrupted, wherever we are; each further one ends all grace."""
    interrupted = False

    def interrupt(number: int, _frame: FrameType | None) -> None:
        nonlocal interrupted
        if interrupted:
            for process in list(_running):
                process.hurry()
            return
        interrupted = True
        raise Interrupted(number)

    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # left alone under nohup
        signal.signal(signal.SIGHUP, interrupt)


class Stoppable:
    """What runs until `stop`, which also the end of a `with` block calls."""

    def stop(self) -> None:
        """End it; returns when it is gone."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class Process(Stoppable):
    """A command under its guard (see `guard.py`), in a session and process group of its own."""

    def __init__(self, popen: subprocess.Popen[bytes], grace: float) -> None:
        self._popen = popen
        self._grace = grace
        self._asked = False
        _running.add(self)

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
        self.ask_to_stop()
        try:
            self._popen.wait(self._grace + _KILL_SECONDS)
        except KeyboardInterrupt:
            self.hurry()
            self._popen.wait(_KILL_SECONDS)
            raise
        finally:
            self._close()

    def ask_to_stop(self) -> None:
        """Tell the guard to end the command; `stop` waits for it."""
        if not self._asked and self._popen.poll() is None:
            self._popen.terminate()
        self._asked = True

    def hurry(self) -> None:
        """No more grace: a further signal makes the guard use SIGKILL."""
        if self._popen.poll() is None:
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
        _running.discard(self)


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


def capture(
    command: Sequence[str],
    env: Mapping[str, str],
    cwd: Path | None = None,
    seconds: float | None = None,
) -> tuple[int, str]:
    """Run a command to its end: its exit status and what it printed.

    Raises:
        subprocess.TimeoutExpired: it has not ended in that time, and is stopped.
    """
    with tempfile.TemporaryFile() as output:
        with start(command, env=env, cwd=cwd, output=output) as process:
            status = process.wait(seconds)
        output.seek(0)
        return status, output.read().decode(errors="replace").strip()


def wait_until(
    ready: Callable[[], bool],
    process: Process,
    name: str,
    log: Path,
    seconds: float = _START_SECONDS,
) -> None:
    """Return once a server is ready; DevError with the end of its log if that does not happen."""
    deadline = time.monotonic() + seconds
    while not ready():
        if (status := process.poll()) is not None:
            raise DevError(f"{name} ended with status {status}; {log}:\n{tail(log)}")
        if time.monotonic() > deadline:
            raise DevError(f"{name} was not ready in {seconds:.0f} s; {log}:\n{tail(log)}")
        time.sleep(0.05)


def stop_all(started: Iterable[Process]) -> None:
    """Stop several at the same time."""
    with contextlib.ExitStack() as stack:
        for process in started:
            stack.push(process)
            process.ask_to_stop()


def tail(log: Path, lines: int = _TAIL_LINES) -> str:
    """The last lines of a log file, indented for a message; a note where there are none."""
    text = log.read_text(errors="replace").rstrip() if log.exists() else ""
    return "\n".join(f"  | {line}" for line in text.splitlines()[-lines:]) or "  | (no output)"
