"""docs/operations.md: its messages are the code's, its counts of requests are what is sent."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

pytest.importorskip("obstore")
pytest.importorskip("pandas")
import numpy as np
import pandas as pd

from tests.xcom_store import fault_proxy
from tests.xcom_store.fault_proxy import Fault, FaultProxy

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "operations.md"

pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="docs/ is not shipped")

FRAME = pd.DataFrame({"a": [1.5] * 10})
VALUES = {
    "a value of up to 5 MiB": lambda: ["x" * 2_000],
    "one of 20 MiB": lambda: np.random.default_rng(1).bytes(20 * 1024**2),
    "a dict with two frames": lambda: {"one": FRAME, "two": FRAME},
}


def table(heading: str) -> list[list[str]]:
    """The cells of the first table under a heading."""
    part = PAGE.read_text(encoding="utf-8").split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


@pytest.fixture
def requests(s3, configure, monkeypatch):
    """Count the requests to S3, by what they are."""
    seen = []

    def count(proxy, fault, client, buffer, head):
        method, target = head.decode("latin-1").split(" ", 2)[:2]
        kind = {"GET": "LIST" if "list-type" in target else "GET", "POST": "POST"}.get(
            method, method
        )
        seen.append("DELETE" if target.endswith("?delete") else kind)
        return fault_proxy.pass_on(proxy, fault, client, buffer, head)

    monkeypatch.setitem(fault_proxy.KINDS, "count", count)

    def counted(call):
        seen.clear()
        call()
        return {kind: seen.count(kind) for kind in dict.fromkeys(sorted(seen))}

    with FaultProxy(int(s3.server.endpoint_url.rpartition(":")[2])) as proxy:
        proxy.inject(Fault("count"))
        configure(endpoint_url=proxy.url)
        yield counted


def test_requests(xcom, requests):
    found = {}
    for name, make in VALUES.items():
        value = make()
        calls = (lambda value=value: xcom.push(value), xcom.pull, xcom.delete)
        found[name] = [requests(call) for call in calls]
    said = {
        name: [dict(reversed(part.split(" ")) for part in cell.split(", ")) for cell in cells]
        for name, *cells in table("Requests")
    }
    assert said == {
        name: [{kind: str(count) for kind, count in one.items()} for one in each]
        for name, each in found.items()
    }


PRICES = {"PUT": 5.00, "POST": 5.00, "LIST": 5.00, "GET": 0.40, "DELETE": 0.00}
"""Dollars a million; the page names its source."""
STORAGE = 0.023
"""Dollars a GB and month."""
COSTS = {  # by the rows of the cost table: those of the requests table, and bytes
    "10 KB, one object": ("a value of up to 5 MiB", 10_000),
    "1 MB, one object": ("a value of up to 5 MiB", 1_000_000),
    "a dict with two frames, 100 KB together": ("a dict with two frames", 100_000),
    "20 MiB, one object": ("one of 20 MiB", 20 * 1024**2),
}


def test_cost_is_requests_times_price():
    requests = {name: cells for name, *cells in table("Requests")}

    def price(cell):
        parts = (part.split(" ") for part in cell.split(", "))
        return sum(int(count) * PRICES[kind] for count, kind in parts)

    (free, *rows) = table("Cost")
    assert free[1:] == ["$0.00"] * 3
    assert {name: said for name, *said in rows} == {
        name: [
            f"${price(requests[row][0]):.2f}",
            f"${price(requests[row][1]):.2f}",
            f"${size * 10**6 / 10**9 * STORAGE:.2f}",
        ]
        for name, (row, size) in COSTS.items()
    }


def test_the_rate_is_the_day_divided():
    seconds = {"24 hours": 86_400, "8 hours": 28_800, "1 hour": 3_600, "45 minutes": 2_700}
    rates = {name: 10_000_000 / length for name, length in seconds.items()}
    assert table("Ten million XComs a day") == [
        [name, f"{rate:,.0f}", f"{rate / 35:.0f} %"] for name, rate in rates.items()
    ]


# ------------------------------------------------------------------------ the incident table


def sayings() -> str:
    """All text in the backend's code, with the fields of f-strings left out."""
    folder = ROOT / "include"
    files = [*folder.glob("*backend.py"), *(folder / "xcom_store").rglob("*.py")]
    found = []
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = (v.value if isinstance(v, ast.Constant) else "…" for v in node.values)
                found.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return "\n".join(found)


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_the_messages_are_those_of_the_code():
    from include.xcom_store import errors

    said = sayings()
    for row in table("When something fails"):
        assert len(row) == 4, row
        for text in quoted(row[1]):
            if not hasattr(errors, text) and text != "No module named 'include'":
                assert text in said, text


def test_no_failure_is_left_out():
    from include.xcom_store import errors
    from include.xcom_store.stores import failures, s3

    messages = [text for row in table("When something fails") for text in quoted(row[1])]
    kinds = {kind.__name__ for kind in errors.XComStoreError.__subclasses__()}
    assert kinds <= set(messages)
    for module in (failures, s3):  # what the others say is in their modules alone
        for held in vars(module).values():
            for failure in held.values() if isinstance(held, dict) else [held]:
                if isinstance(failure, failures.Failure):
                    assert any(failure.advice.startswith(text) for text in messages), failure
