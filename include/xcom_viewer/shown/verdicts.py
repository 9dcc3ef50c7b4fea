"""Results of Great Expectations as a reader describes them."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Line:
    """One expectation.

    Attributes:
        percent: of the values, how many are unexpected; None where it does not count values.
        samples: unexpected values, with how often they occur.
    """

    success: bool
    sentence: str
    kind: str
    observed: str = ""
    percent: float | None = None
    count: str = ""
    samples: list[str] = field(default_factory=list)
    error: str = ""
    severity: str = ""


@dataclass
class Validation:
    """The expectations of one suite on one batch, failed ones first.

    Attributes:
        met: how many of all expectations are met.
        hidden: expectations that are not among the lines.
    """

    name: str
    success: bool
    lines: list[Line]
    met: int
    hidden: int = 0


@dataclass
class Verdict:
    """All of a result."""

    success: bool
    validations: list[Validation]
    met: int
    failed: int
