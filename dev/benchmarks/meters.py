"""Time and memory that one call takes in this process."""

from __future__ import annotations

import ctypes
import gc
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def measure(call: Callable[[], Any]) -> tuple[Any, dict[str, Any]]:
    """Return a call's result, its seconds, and the bytes by which the process grew at most.

    The result is part of that growth.
    """
    before = _start_peak()
    started = time.perf_counter()
    result = call()
    seconds = time.perf_counter() - started
    return result, {"seconds": seconds, "peak_bytes": peak() - before}


def _start_peak() -> int:
    """Give back what is free, forget the peak so far, where the system can; return what is used."""
    gc.collect()
    if pa := sys.modules.get("pyarrow"):
        pa.default_memory_pool().release_unused()
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):  # glibc
        trim(0)
    clear = Path("/proc/self/clear_refs")
    if clear.exists():
        clear.write_text("5")
    return peak()


def peak(process: str = "self") -> int:
    """The most memory that a process has had, in bytes; of another one, Linux alone tells it."""
    status = Path("/proc", process, "status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
