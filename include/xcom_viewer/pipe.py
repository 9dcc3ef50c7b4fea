"""What goes over the pipe between the server and a reader: frames of a letter, a length, and bytes.

server                         reader
JOB    what to read, as JSON
DATA   the whole object, if it was read in advance
RANGE   from where to where it needs bytes
DATA   these,
LIMIT  or: more than it may have, or STOP: they cannot be had
PIECE   of a CSV file
NEXT   and the next one
ANSWER  (`shown`), the last frame of a job
"""

from __future__ import annotations

import struct

JOB, DATA, LIMIT, STOP, NEXT = b"J", b"D", b"L", b"S", b"N"
RANGE, PIECE, ANSWER = b"R", b"P", b"A"
HEAD = struct.Struct(">cI")
ENDS = struct.Struct(">QQ")
"""Where a range begins, and where it ends."""
BUDGET_BYTES = 4 * 1024 * 1024
"""Bytes of an object that one preview reads at most."""
PIECE_BYTES = 4 * 1024 * 1024
"""Of a download; the most that a frame holds, but for an object that was read whole."""
