"""Two columns of a table as points: where they lie, what the axes say, and of which rows they are."""

from __future__ import annotations

import math
import re

import pytest

pytest.importorskip("include.xcom_viewer", reason="the viewer was deleted")
import numpy as np
import pandas as pd

from include.xcom_viewer.shown import NoPreview
from include.xcom_viewer.shown.tables import MAX_POINTS
from tests.xcom_viewer.memory import ViewerInMemory
from tests.xcom_viewer.test_pages import state


def chart(value, y=0, x=None, **window):
    memory = ViewerInMemory()
    return memory.show(memory.push(value), do="chart", y=y, x=x, **window)


def placed(numbers):
    low, high = min(numbers), max(numbers)
    return [(number - low) / (high - low) for number in numbers]


def test_points_lie_where_the_values_are():
    frame = pd.DataFrame({"a": [3.0, 1.0, 2.0], "b": pd.array([10, 40, 20], "Int16")})
    found = chart(frame, x=0, y=1).content
    assert found.points == list(zip(placed(frame["a"]), placed(frame["b"].tolist()), strict=True))
    assert (found.x.label, found.y.label, found.sample) == ("a", "b", "all rows")
    assert [text for _, text in found.y.ticks] == ["10", "15", "20", "25", "30", "35", "40"]
    for place, text in found.y.ticks:
        assert math.isclose(place, (float(text) - 10) / 30)


def test_by_the_rows_numbers():
    found = chart(pd.Series([5, 7, 9, 4])).content
    assert [x for x, _ in found.points] == [0, 1 / 3, 2 / 3, 1]
    assert found.x.label == "row"


@pytest.mark.parametrize("unit", ["s", "us", "ns"])
def test_moments_have_an_axis(unit):
    moments = pd.date_range("2026-03-28", periods=5, freq="D", tz="Europe/Berlin").as_unit(unit)
    found = chart(pd.DataFrame({"t": moments, "n": range(5)}), x=0, y=1).content
    texts = [text for _, text in found.x.ticks]
    assert texts[::2] == ["2026-03-28 00:00:00+0100", "2026-04-01 00:00:00+0200"]
    assert len(found.points) == 5


@pytest.mark.parametrize("values", [
    pd.to_timedelta([1, 2, 3], unit="h"), pd.PeriodIndex(["2026-01", "2026-02", "2026-03"], freq="M"),
    np.array([1, 2, 3], "f2"), np.array([1, 2, 2**64 - 1], "u8"), [-1e308, 0, 1e300],
    pd.array([1, 2, 3], pd.ArrowDtype(__import__("pyarrow").decimal128(5, 2))), [7, 7, 7], [1.7e308] * 3,
])  # fmt: skip
def test_all_that_has_an_order_has_an_axis(values):
    found = chart(pd.DataFrame({"a": values})).content
    assert len(found.points) == 3
    assert all(0 <= place <= 1 for point in found.points for place in point)
    assert found.y.ticks
    assert all(0 <= place <= 1 and text for place, text in found.y.ticks)


def test_a_period_is_a_period_on_its_axis():
    frame = pd.DataFrame({"a": pd.period_range("2026-01", periods=5, freq="M")})
    assert [text for _, text in chart(frame).content.y.ticks] == ["2026-01", "2026-03", "2026-05"]


def test_what_is_missing_or_infinite_has_no_point_and_is_counted():
    frame = pd.DataFrame({"a": [1, np.nan, np.inf, 4], "b": pd.array([1, 2, 3, None], "Int8")})
    shown = chart(frame, x=0, y=1)
    assert (len(shown.content.points), shown.content.left_out) == (1, 3)
    assert "3 of these are missing or infinite" in shown.html
    empty = chart(pd.DataFrame({"a": [np.nan]})).content
    assert (empty.points, empty.left_out) == ([], 1)


@pytest.mark.parametrize("frame", [
    pd.DataFrame({"a": ["x"]}), pd.DataFrame({"a": [True]}), pd.DataFrame({"a": pd.Categorical([1])}),
    pd.DataFrame({"a": [[1]]}), pd.DataFrame({"b": []}), pd.DataFrame({"a": [-1e308, 1.7e308]}), [1] * 100,
], ids=str)  # fmt: skip
def test_what_has_no_axis(frame):
    with pytest.raises(NoPreview):
        chart(frame, y=0 if "a" in frame else 7)


def test_of_a_long_table_it_is_a_sample_and_says_so():
    rows = 600_000
    frame = pd.DataFrame({f"c{n}": np.random.default_rng(n).random(rows) for n in range(5)})
    frame["n"] = np.arange(rows)
    shown = chart(frame, x=0, y=5)  # random numbers cannot be packed
    [step, read] = re.search(r"every (\d+)\w\w of the first ([\d,]+) rows", shown.html).groups()
    read = int(read.replace(",", ""))
    assert 200_000 < read < rows  # more than the page's, as two columns are less to read
    assert len(shown.content.points) <= MAX_POINTS
    assert [y for _, y in shown.content.points] == placed(range(0, read, int(step)))
    assert shown.body.bytes_read < 4 * 1024 * 1024


@pytest.mark.parametrize("library", ["pyarrow", "polars"])
def test_tables_of_arrow(library):
    made = pytest.importorskip(library)
    columns = {"t": ["a", "b", "c"], "n": [1, 2, 4]}
    table = made.table(columns) if library == "pyarrow" else made.DataFrame(columns)
    assert [y for _, y in chart(table, y=1).content.points] == placed([1, 2, 4])
    assert 'data-tab="chart"' in chart_page(table)


def chart_page(value):
    memory = ViewerInMemory()
    return memory.show(memory.push(value)).html


def test_a_page_offers_the_columns_that_have_an_axis():
    html = chart_page(pd.DataFrame({"text": ["x"], "n": [1], "t": [pd.Timestamp("2026")]}))
    axis = html.partition('data-axis="y"')[2].partition("</select>")[0]
    assert re.findall(r'value="(\d)">(\w+)<', axis) == [("1", "n"), ("2", "t")]
    assert "data-chart" not in chart_page(pd.DataFrame({"text": ["x"]})).partition("<script")[0]


def test_points_or_a_line():
    frame = pd.DataFrame({"a": [3, 1, 2]})
    assert chart(frame, x=0).html.count("<circle") == 3
    line = re.search(r'<polyline points="([^"]+)"', chart(frame, x=0, line=True).html)[1]
    across = [float(point.partition(",")[0]) for point in line.split()]
    assert across == sorted(across)


def test_the_route(viewer):
    hostile = "<script>alert(1)</script>"
    viewer.push(pd.DataFrame({hostile: [1.5, 2.5]}))
    answer = viewer.get("chart", view="card")
    assert "<circle" in answer.text
    assert hostile not in answer.text
    assert state(viewer.get("chart", y=9)) == "no-preview"
    assert viewer.get("chart", y="x").status_code == 400
    viewer.push({"part": pd.DataFrame({"b": [1, 2]})})
    assert "<circle" in viewer.get("chart", leaf=0).text
