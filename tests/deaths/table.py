"""The table of docs/tools.md: what became of each operation at each of its requests."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from tests.deaths.cases import WAYS, Site

PAGE = Path(__file__).resolve().parents[2] / "docs" / "tools.md"
BEGIN, END = "<!-- python -m tests.deaths -->\n", "<!-- end -->\n"


def rows(site: Site, name: str, only: int | None = None) -> list[str]:
    """The rows of an operation, or of one of its requests.

    Requests in a row of which all became the same share one.
    """
    requests = site.points(name)
    found = [
        (number, request, " | ".join(map(str, site.outcomes(name, requests, number))))
        for number, request in enumerate(requests, 1)
        if only in (number, None)
    ]
    made = []
    for cells, group in groupby(found, key=lambda each: each[2]):
        numbers, asked, _cells = zip(*group, strict=True)
        span = f"{numbers[0]}–{numbers[-1]}" if len(numbers) > 1 else str(numbers[0])
        said = [f"{one} ×{len(list(all_))}".removesuffix(" ×1") for one, all_ in groupby(asked)]
        made.append(f"| {name} | {span} | {'; '.join(said)} | {cells} |")
    return made


def text(lines: list[str]) -> str:
    """The table, under how much it tells of."""
    requests = count(lines)
    head = ["operation", "request", "which", *WAYS]
    return "\n".join(
        [
            "",
            f"{requests} requests, {requests * len(WAYS)} cases:",
            "",
            f"| {' | '.join(head)} |",
            f"|{'---|' * len(head)}",
            *lines,
            "\n",
        ]
    )


def count(lines: list[str]) -> int:
    """How many requests the rows tell of."""
    last = {line.split(" | ")[0]: line.split(" | ")[1] for line in lines}
    return sum(int(span.rpartition("–")[2]) for span in last.values())


def documented() -> str:
    """What the page has."""
    return PAGE.read_text().partition(BEGIN)[2].partition(END)[0]


def write(made: str) -> None:
    """Put the table into the page."""
    page, old = PAGE.read_text(), BEGIN + documented() + END
    assert old in page
    PAGE.write_text(page.replace(old, BEGIN + made + END))
