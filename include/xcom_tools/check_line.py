"""What a check says about one thing."""

from __future__ import annotations

from typing import NamedTuple

OK, WARNING, ERROR, NOT_KNOWN = "ok", "warning", "error", "not known"


class Line(NamedTuple):
    """What was looked at, how it is, and what to do about it; four strings, so any table takes it.

    Attributes:
        about: `settings`, `connection`, `write`, `lifecycle` …
        state: `ok`, `warning`, `error`, or `not known` where a right to look is missing.
    """

    about: str
    state: str
    found: str
    to_do: str = ""
