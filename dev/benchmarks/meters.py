"""Time, CPU and memory that one call takes in this process."""

from __future__ import annotations

import ctypes
import gc
import mmap
import os
import resource
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from include.xcom_store.stores import files

if TYPE_CHECKING:
    from collections.abc import Callable


WARM_BYTES = 1024 * 1024 * 1024
"""What most calls take less than."""


def measure(call: Callable[[], Any], warm: int = WARM_BYTES) -> tuple[Any, dict[str, Any]]:
    """Return a call's result, its seconds, those of CPU, and the bytes the process grew by at most.

    The result is part of that growth. CPU is that of all threads, of user and system; that of the
    S3 server beside it. The call finds so many bytes of `warm` memory (see `_warm`).
    """
    _warm(warm)
    before = _start_peak()
    server, cpu, started = _server_cpu(), time.process_time(), time.perf_counter()
    result = call()
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    found = {"seconds": seconds, "cpu": cpu, "peak_bytes": peak() - before}
    return result, found | {"server_cpu": _server_cpu() - server}


def _warm(size: int) -> None:
    """Take memory, and give it back, so that what is measured finds it warm.

    The host of a virtual machine takes back what nobody has used for some seconds. Whoever is next
    to touch it waits for the host: 1.5 to 2.3 seconds for 1 GB, instead of 0.1. Of the peers it was
    always the same one, the one that followed the slowest.
    """
    if sys.platform == "linux":
        free = os.sysconf("SC_AVPHYS_PAGES") * mmap.PAGESIZE
        size = min(size, free // 2)
        with files.memory(size) as memory:
            for start in range(0, size, mmap.PAGESIZE):
                memory[start] = 1


def _server_cpu() -> float:
    """Seconds of CPU that the S3 server has taken, whose process group the environment names."""
    group, found = os.environ.get("BENCHMARK_SERVER", ""), 0
    for path in Path("/proc").glob("[0-9]*/stat") if group else ():
        with suppress(OSError):  # ended meanwhile
            fields = path.read_text().rpartition(")")[2].split()
            found += int(fields[11]) + int(fields[12]) if fields[2] == group else 0
    return found / os.sysconf("SC_CLK_TCK")


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
