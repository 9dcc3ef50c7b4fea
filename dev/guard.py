"""Runs one command and sees to it that nothing of it outlives us: `python guard.py GRACE COMMAND…`.

Started by `processes.start` in a session of its own, with a pipe from its parent as standard
input. It ends the command and every descendant of it, also those in sessions of their own (as
Airflow's BashOperator makes them), when
- the pipe closes, that is when the parent has ended in any way, SIGKILL included,
- it gets SIGTERM, SIGINT or SIGHUP: politely at first, by SIGKILL after GRACE seconds or on a
  second signal,
- the command itself has ended.
Not covered: the guard itself killed with SIGKILL while its parent is too, and, on macOS, a
descendant that left the process group and whose own parent had ended before (Linux hands such
orphans to the guard, macOS to process 1).

A script, not a module: it imports nothing of this project and only the standard library.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

_POLL_SECONDS = 0.1
_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
_signals_seen: list[int] = []


def _note_signal(number: int, _frame: FrameType | None) -> None:
    _signals_seen.append(number)


def _adopt_orphans() -> None:
    """Let orphaned descendants become our children, where the system knows how (Linux)."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _parents() -> dict[int, int]:
    """Parent process id by process id, of every process that is not a zombie."""
    if sys.platform == "linux":
        rows = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):  # ended since it was listed
                state, parent = stat.read_text(errors="replace").rpartition(")")[2].split()[:2]
                rows.append((stat.parent.name, parent, state))
    else:
        listing = subprocess.run(
            ["ps", "-A", "-o", "pid=,ppid=,stat="], capture_output=True, text=True, check=True
        )
        rows = [(row[0], row[1], row[2]) for row in map(str.split, listing.stdout.splitlines())]
    return {int(pid): int(parent) for pid, parent, state in rows if not state.startswith("Z")}


def _descendants() -> set[int]:
    parents = _parents()
    family = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return family - {os.getpid()}


def _signal_all(pids: set[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _end_family(command: int, grace: float) -> None:
    """SIGTERM to the command, or to what it left behind; SIGKILL to all that will not go.

    The command goes first and alone: it may have an order in which to end its own children.
    """
    signals_before = len(_signals_seen)
    known: set[int] = set()
    asked: set[int] = set()
    deadline = time.monotonic() + grace
    while alive := _descendants() | (known & _parents().keys()):
        known |= alive
        if time.monotonic() > deadline or len(_signals_seen) > signals_before:
            _signal_all(alive, signal.SIGKILL)
        else:
            to_ask = {command} if command in alive else alive
            _signal_all(to_ask - asked, signal.SIGTERM)
            asked |= to_ask
        time.sleep(_POLL_SECONDS)
        _reap()


def main(grace: float, command: list[str]) -> int:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _note_signal)
    _adopt_orphans()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    while not _signals_seen and child.poll() is None:
        if select.select([sys.stdin], [], [], _POLL_SECONDS)[0]:
            break  # the parent never writes: readable means that its end is closed
    status = child.poll()
    _end_family(child.pid, grace)
    if status is None:
        return 128 + signal.SIGTERM
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), sys.argv[2:]))
