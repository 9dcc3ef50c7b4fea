"""What a reader does without: a network, new files, core dumps, and memory without end.

The server watches its memory and its time, and ends it; here is what the system itself enforces. A
system that knows one of these limits not goes without it.
"""

from __future__ import annotations

import contextlib
import ctypes
import resource
import sys

MAX_DATA_BYTES = 320 * 1024 * 1024
"""Of Linux alone; what asks for more gets a MemoryError. Some 80 MB are taken by the libraries."""
MAX_INT_DIGITS = 100_000
"""Of a number in JSON. Python's own limit, 4,300, is for processes that must not be held up."""
_NEW_USER_AND_NETWORK = 0x10000000 | 0x40000000


def confine() -> None:
    """Give up what reading needs not. Before the first thread."""
    sys.set_int_max_str_digits(MAX_INT_DIGITS)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_DATA, (MAX_DATA_BYTES, MAX_DATA_BYTES))
        # Allowed in few containers; where it is not, it returns an error, and nothing else happens.
        ctypes.CDLL(None).unshare(_NEW_USER_AND_NETWORK)
        with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123
            file.write("1000")  # where memory runs out all the same, before the server
