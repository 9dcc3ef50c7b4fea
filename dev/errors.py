"""What stops a command with one clear message instead of a traceback."""

from __future__ import annotations


class DevError(RuntimeError):
    """The message says what was being done, what is wrong and what to do about it."""
