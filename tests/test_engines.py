"""The table of engines in docs/by_reference.md is what engines make of the matrix's frames.

`python3 -m dev test tests/test_engines.py --write-docs` makes it anew.
"""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("polars")
from include import xcom_reference
from tests import engines
from tests.xcom_store.cases import VALUES
from tests.xcom_store.conftest import configure, s3, supervisor, xcom

__all__ = ["configure", "s3", "supervisor", "xcom"]

PAGE = Path(__file__).resolve().parents[1] / "docs" / "by_reference.md"
MARK = "<!-- measured: engines -->\n"
pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="docs/ is not shipped")


def as_text(table: dict[str, dict[str, str]]) -> str:
    names = [*next(iter(table.values()))]
    rows = [["a column of", *names], ["---"] * (len(names) + 1)]
    rows += [[title, *cells.values()] for title, cells in table.items()]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def of_the_page() -> dict[str, dict[str, str]]:
    text = PAGE.read_text(encoding="utf-8").partition(MARK)[2].partition("\n\n")[0]
    header, _, *rows = [
        [cell.strip() for cell in line.strip("|\n").split("|")] for line in text.splitlines()
    ]
    return {row[0]: dict(zip(header[1:], row[1:], strict=True)) for row in rows}


def test_the_table_of_the_page_is_what_engines_read(xcom, request):
    access = xcom_reference.bucket_access()
    readers = [
        kind(access) for kind in (engines.DuckDB, engines.Polars, engines.Pandas, engines.PyArrow)
    ]
    found = engines.table(readers, lambda value: xcom.push(value)["uri"], VALUES)
    if request.config.getoption("--write-docs"):
        text = PAGE.read_text(encoding="utf-8")
        before, _, rest = text.partition(MARK)
        PAGE.write_text(before + MARK + as_text(found) + "\n" + rest.partition("\n\n")[2], "utf-8")
    assert found == of_the_page(), "if it is meant: run this test with --write-docs"
