"""The table of engines in docs/by_reference.md is what engines make of the matrix's frames.

`python3 -m dev test tests/test_engines.py --long --write-docs` makes it again.
"""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("polars")
from include import xcom_reference
from tests import engines
from tests.xcom_store.cases import VALUES
from tests.xcom_store.conftest import configure, s3, service, supervisor, xcom

__all__ = ["configure", "s3", "service", "supervisor", "xcom"]

PAGE = Path(__file__).resolve().parents[1] / "docs" / "by_reference.md"
MARK = "<!-- measured: engines -->\n"
pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="docs/ is not shipped")


def of_the_page() -> dict[str, dict[str, str]]:
    """Return the page's table: the columns, and in each the cell of each row."""
    text = PAGE.read_text(encoding="utf-8").partition(MARK)[2].partition("\n\n")[0]
    lines = [line.strip("| ").split(" | ") for line in text.splitlines()]
    (_, *names), _, *rows = lines
    return {name: {row[0]: row[n] for row in rows} for n, name in enumerate(names, 1)}


def write(found: dict[str, dict[str, str]]) -> None:
    """Put columns into the page's table."""
    columns = {**of_the_page(), **found}
    rows = [["a column of", *columns], ["---"] * (len(columns) + 1)]
    rows += [
        [title, *(column.get(title, "?") for column in columns.values())]
        for title in engines.KINDS.values()
    ]
    table = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    before, _, after = PAGE.read_text(encoding="utf-8").partition(MARK)
    PAGE.write_text(before + MARK + table + "\n" + after.partition("\n\n")[2], "utf-8")


@pytest.fixture
def assert_as_on_the_page(xcom, request):
    def check(*kinds: type[engines.Engine]) -> None:
        access = xcom_reference.bucket_access()
        readers = [kind(access) for kind in kinds]
        found = engines.table(readers, lambda value: xcom.push(value)["uri"], VALUES)
        for reader in readers:
            reader.close()
        if request.config.getoption("--write-docs"):
            write(found)
        page = of_the_page()
        assert found == {name: page[name] for name in found}, "if it is meant: --write-docs"

    return check


def test_the_table_is_what_engines_read(assert_as_on_the_page):
    assert_as_on_the_page(engines.DuckDB, engines.Polars, engines.Pandas, engines.PyArrow)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas")
def test_the_table_is_what_spark_reads(assert_as_on_the_page):
    spark = pytest.importorskip("dev.spark", reason="only `python3 -m dev test` runs this")
    if reason := spark.missing():
        pytest.skip(reason)
    assert_as_on_the_page(engines.Spark)
