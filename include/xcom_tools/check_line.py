"""One line of a check's report."""

from __future__ import annotations

from typing import NamedTuple

OK, WARNING, ERROR, NOT_KNOWN = "ok", "warning", "error", "not known"


class CheckLine(NamedTuple):
    """What was checked, how it is, and what to do about it: four strings, which any table takes.

    Attributes:
        about: `settings`, `connection`, `write`, `lifecycle` …
        state: `ok`, `warning`, `error`, or `not known` where the right to look is missing.
    """

    about: str
    state: str
    found: str
    to_do: str = ""
