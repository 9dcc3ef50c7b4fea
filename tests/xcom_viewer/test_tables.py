"""Tables: figures equal to pandas', pages of rows and columns, and how little is read for them."""

from __future__ import annotations

import math

import pytest

pytest.importorskip("hypothesis")
pytest.importorskip("polars")
pytest.importorskip("include.xcom_viewer", reason="the viewer was deleted")
import numpy as np
import pandas as pd
import pyarrow as pa
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from include.xcom_viewer.pipe import BUDGET_BYTES, PIECE_BYTES
from include.xcom_viewer.reader import tables
from tests.xcom_store.test_properties import SLOW_IS_FINE
from tests.xcom_viewer.memory import ViewerInMemory, in_a_fresh_process

ROWS = 5_000


@pytest.fixture
def memory():
    return ViewerInMemory()


def column(table, label):
    [found] = [column for column in table.columns if column.label == label]
    return found


def generated(rows, seed=0):
    """Columns of all families, with missing values."""
    rng = np.random.default_rng(seed)
    some = rng.random(rows) < 0.1
    moments = pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 10**9, rows), unit="ms")
    return pd.DataFrame(
        {
            "int": rng.integers(-(10**12), 10**12, rows),
            "small": rng.integers(0, 5, rows).astype("uint8"),
            "large": rng.integers(2**62, 2**63, rows).astype("uint64") * 2,
            "float": np.where(some, np.nan, rng.normal(size=rows)),
            "float32": rng.normal(size=rows).astype("float32"),
            "infinite": np.where(some, np.inf, -rng.random(rows)),
            "empty": np.full(rows, np.nan),
            "Int64": pd.Series(rng.integers(0, 9, rows), dtype="Int64").mask(some),
            "bool": rng.random(rows) < 0.3,
            "boolean": pd.Series(rng.random(rows) < 0.3, dtype="boolean").mask(some),
            "str": pd.Series(rng.choice(["a", "b", "ü"], rows)).mask(some),
            "object": pd.Series(rng.choice(["x", "y"], rows), dtype=object).where(~some, None),
            "category": pd.Categorical(rng.choice(["u", "v", "w"], rows)),
            "datetime": pd.Series(moments).mask(some),
            "zoned": pd.Series(moments).dt.tz_localize("UTC").dt.tz_convert("Asia/Kolkata"),
            "nanoseconds": pd.Series(moments).astype("datetime64[ns]") + pd.Timedelta(1, "ns"),
            "timedelta": pd.Series(pd.to_timedelta(rng.integers(-(10**6), 10**6, rows), unit="s")),
        }
    )


def assert_as_pandas(table, frame, exact=None):
    for label in frame:
        figures, expected = column(table, label).figures, frame[label]
        assert figures.nulls == expected.isna().sum(), label
        assert figures.distinct == expected.nunique(), label
        if label in ("bool", "boolean", "str", "object", "category"):
            counts = expected.value_counts()
            assert [count for _, count in figures.top] == counts.tolist()[:3], label
            continue
        if figures.least is None:
            assert expected.isna().all()
            continue
        if expected.dtype.kind in "iuf":
            same = expected.dtype.type if expected.dtype == "float32" else float
            assert same(figures.least) == expected.min(), label
            assert same(figures.greatest) == expected.max(), label
            mean = float(figures.mean)
            assert math.isclose(mean, expected.mean(), rel_tol=1e-5) or mean == expected.mean()
        elif expected.dtype.kind == "m":
            assert pd.Timedelta(figures.least.replace("-", "-", 1)) == expected.min()
        else:
            assert pd.Timestamp(figures.least) == expected.min(), label
            assert pd.Timestamp(figures.greatest) == expected.max(), label


@pytest.mark.parametrize("seed", range(3))
def test_figures_are_those_of_pandas(memory, seed):
    frame = generated(ROWS, seed)
    table = memory.show(memory.push(frame)).content
    assert table.is_whole
    assert_as_pandas(table, frame)
    assert column(table, "small").dtype == "uint8"
    assert column(table, "zoned").dtype == "datetime64[us, Asia/Kolkata]"
    for figures in (found.figures for found in table.columns):
        present = figures.rows - figures.nulls
        if figures.bars and "infinite" not in frame:
            assert sum(bar.count for bar in figures.bars) == present


def test_a_histogram_counts_every_value(memory):
    frame = generated(ROWS).drop(columns=["infinite", "empty"])
    table = memory.show(memory.push(frame)).content
    for label in frame:
        bars = column(table, label).figures.bars
        assert sum(bar.count for bar in bars) == frame[label].notna().sum(), label
        assert max(bar.height for bar in bars) == 1


@pytest.mark.parametrize("kind", [
    *(f"{name}64[{unit}]" for name in ("datetime", "timedelta") for unit in ("ms", "us", "ns")),
    "timedelta64[s]",  # such datetime64[s] are beyond what Parquet stores
    "datetime64[ms, UTC]", "datetime64[ns, Asia/Kolkata]", "period[D]", "period[h]",
    pd.ArrowDtype(pa.date32()),
], ids=str)  # fmt: skip
@pytest.mark.parametrize("do", ["page", "chart"])
def test_moments_to_the_ends_of_their_type(memory, kind, do):
    greatest = 2**31 - 1 if isinstance(kind, pd.ArrowDtype) else 2**63 - 1
    least = -greatest
    for ends in ([0, greatest], [least, 0], [least, greatest], [greatest]):
        if isinstance(kind, pd.ArrowDtype):
            stored = pa.array(ends, pa.int32())
            series = pd.Series(pd.arrays.ArrowExtensionArray(stored.cast(kind.pyarrow_dtype)))
        elif "period" in kind:
            series = pd.Series(pd.PeriodIndex.from_ordinals(ends, freq=kind[7:-1]))
        else:
            plain, _, zone = kind.partition(", ")
            series = pd.Series(np.array(ends).view(plain.removesuffix("]") + "]"))
            series = series.dt.tz_localize("UTC").dt.tz_convert(zone[:-1]) if zone else series
        entry = memory.push(pd.DataFrame({"a": series}))
        if do == "chart":
            ticks = memory.show(entry, do="chart", y=0).content.y.ticks
            assert ticks
            assert all(text for _, text in ticks)
        else:
            figures = column(memory.show(entry).content, "a").figures
            assert figures.least
            assert sum(bar.count for bar in figures.bars) == len(ends)


@hypothesis_settings(max_examples=60, derandomize=True, **SLOW_IS_FINE)
@given(st.lists(st.floats() | st.none(), max_size=30))
def test_figures_of_any_floats(numbers):
    frame = pd.DataFrame({"a": pd.Series(numbers, dtype="float64")})
    memory = ViewerInMemory()
    with np.errstate(all="ignore"):
        figures = column(memory.show(memory.push(frame)).content, "a").figures
        assert figures.nulls == frame["a"].isna().sum()
        assert figures.distinct == frame["a"].nunique()
        if figures.least is not None:
            assert float(figures.least) == frame["a"].min()
            assert float(figures.greatest) == frame["a"].max()


def test_of_a_large_frame_missing_least_and_greatest_are_of_all_rows(memory):
    rng = np.random.default_rng(0)
    rows = 300_000
    frame = pd.DataFrame({f"c{n}": rng.random(rows) for n in range(8)})
    frame["i"] = np.arange(rows)
    frame["s"] = pd.Series(
        [True] * 1_000 + [None] * 100 + [False] * (rows - 1_100), dtype="boolean"
    )
    frame["t"] = pd.date_range("2026", periods=rows, freq="s")
    late = frame.index % 5 == 0
    late &= frame.index > 2_000
    frame.loc[late, "c0"] = np.nan
    frame["text"] = pd.Series("x", frame.index).mask(late)
    frame["choice"] = pd.Categorical(frame["text"])
    frame["interval"] = pd.Categorical(pd.cut(frame["c0"], 3))
    table = memory.show(memory.push(frame)).content
    assert (table.rows, table.rows_read, table.readable_rows) == (rows, 1_000, 1_000)
    figures = column(table, "i").figures
    assert (figures.least, figures.greatest) == ("0", "299999")
    assert set(figures.exact) == {"nulls", "least", "greatest"}
    assert figures.distinct == 1_000
    assert float(column(table, "c0").figures.greatest) == frame["c0"].max()
    for label in ("c0", "text", "choice", "interval"):
        assert column(table, label).figures.nulls == frame[label].isna().sum(), label
    assert column(table, "s").figures.nulls == 100
    assert column(table, "s").figures.exact == ["nulls"]
    assert pd.Timestamp(column(table, "t").figures.greatest) == frame["t"].max()
    html = memory.show(memory.push(frame)).html
    assert "of the first 1,000 rows" in html
    assert "≥ 1,000" in html
    assert "Rows from 1,001 on" in html


@pytest.mark.parametrize(
    ("numbers", "counts"),
    [
        ([1, 1, 2, 3], [2, 1, 1]),
        (range(32), [2] * 16),
        (range(20), [2] * 10),
        ([2**62, 2**62 + 1], [1, 1]),
        ([-(2**63), 2**63 - 1], [1, *[0] * 14, 1]),
        ([5, 5], [2]),
        ([1e16, 1e16 + 2], [1, *[0] * 14, 1]),
        ([0.5], [1]),
        ([-1e308, 1e308], []),
        ([np.inf, 1.0], [1]),
        ([np.nan], []),
    ],
    ids=str,
)
def test_histograms(memory, numbers, counts):
    bars = column(memory.show(memory.push(pd.DataFrame({"a": numbers}))).content, "a").figures.bars
    assert [bar.count for bar in bars] == counts


def test_a_float_looks_like_one(memory):
    numbers = [0.0, 40.0, -2.0, 1.5, 1e20, np.inf, np.nan]
    frame = pd.DataFrame({"a": numbers, "b": [*range(6), -0.0], "n": range(7), "l": [[1.0]] * 7})
    table = memory.show(memory.push(frame)).content
    shown = {label: column(table, label).cells for label in frame}
    assert shown["a"] == ["0.0", "40.0", "-2.0", "1.5", "1e+20", "inf", "NaN"]
    assert (shown["b"][6], shown["n"][6], shown["l"][6]) == ("0.0", "6", "[1.0]")
    figures = column(table, "b").figures
    assert (figures.least, figures.greatest) == ("0.0", "5.0")


# ---------------------------------------------------------------------------- pages


def test_rows_are_paged(memory):
    entry = memory.push(pd.DataFrame({"a": range(135)}, index=pd.RangeIndex(100, 235, name="n")))
    shown = [memory.show(entry, row=row) for row in (0, 50, 100)]
    assert [column(one.content, "a").cells for one in shown] == [
        [str(n) for n in range(start, min(start + 50, 135))] for start in (0, 50, 100)
    ]
    assert shown[1].content.row_labels[0] == "150"
    assert "rows 101 to 135 of 135" in " ".join(shown[2].html.split())
    assert "Next rows" in shown[0].html
    assert "Next rows" not in shown[2].html
    assert memory.show(entry, row=10**6).content.first_row == 0


def test_rows_of_a_later_row_group(memory):
    frame = pd.DataFrame({"a": np.arange(450_000), "b": 1.5})
    entry = memory.push(frame)
    table = memory.show(entry, row=250_000).content
    assert column(table, "a").cells[0] == "250000"
    assert table.row_labels[0] == "250000"
    assert table.readable_rows == 450_000
    assert column(table, "a").figures.least == "0"  # of all rows


def test_columns_are_paged(memory):
    frame = pd.DataFrame({f"c{n}": [n] for n in range(95)}, index=["row"])
    frame.index.name = "key"
    entry = memory.push(frame)
    labels = [
        [c.label for c in memory.show(entry, column=start).content.columns] for start in (0, 30, 90)
    ]
    assert labels[0] == ["key", *(f"c{n}" for n in range(30))]
    assert labels[1][1] == "c30"
    assert labels[2] == ["key", *(f"c{n}" for n in range(90, 95))]
    assert "columns 91 to 95 of 95" in " ".join(memory.show(entry, column=90).html.split())


def test_a_wide_frame(memory):
    """Of ten thousand columns those of the page are read."""
    frame = pd.DataFrame(np.random.default_rng(0).random((1_000, 10_000)))
    shown = memory.show(memory.push(frame))
    assert shown.content.columns_total == 10_000
    assert len(shown.content.columns) == 30
    assert shown.body.bytes_read <= BUDGET_BYTES


@pytest.mark.parametrize("columns", [
    [1, 2], ["a", "a"], ["a", 1, None], list(pd.date_range("2026", periods=2)),
    pd.MultiIndex.from_tuples([("a", 1), ("b", 2)]), ["a.b", ""], [("t", 1), ("t", 2)],
], ids=str)  # fmt: skip
def test_labels(memory, columns):
    frame = pd.DataFrame([range(len(columns))], columns=columns)
    shown = [found.label for found in memory.show(memory.push(frame)).content.columns]
    assert len(shown) == len(columns)
    for label, wanted in zip(shown, frame.columns, strict=True):
        if isinstance(wanted, tuple):
            assert all(str(part) in label for part in wanted)
        elif not pd.isna(wanted):
            assert str(wanted) in label or str(wanted)[:10] in label


def test_index_levels_come_first(memory):
    index = pd.MultiIndex.from_product([["b", "a"], [2, 1]], names=["letter", None])
    table = memory.show(memory.push(pd.DataFrame({"v": range(4)}, index=index))).content
    assert [(found.label, found.is_index) for found in table.columns] == [
        ("letter", True), ("", True), ("v", False),
    ]  # fmt: skip
    assert table.columns[0].cells == ["b", "b", "a", "a"]
    assert table.columns[1].cells == ["2", "1", "2", "1"]


def test_no_rows(memory):
    dates = pd.Categorical(pd.to_datetime(["2026-01-01"])[:0])
    frame = pd.DataFrame({"c": dates, "f": np.array([], "f2"), "s": pd.Series([], dtype="str")})
    shown = memory.show(memory.push(frame))
    assert shown.content.rows == 0
    assert "Figures of all 0 rows" in " ".join(shown.html.split())


def test_half_precision(memory):
    figures = column(
        memory.show(memory.push(pd.DataFrame({"a": np.array([1, 3], "f2")}))).content, "a"
    ).figures
    assert (figures.least, figures.greatest, figures.distinct) == ("1.0", "3.0", 2)


def test_nested_cells(memory):
    kinds = {
        "map": (pa.map_(pa.string(), pa.int64()), [[("a", 1)], None, [("b", 2), ("c", 3)], []]),
        "struct": (pa.struct({"x": pa.int64()}), [{"x": 1}, None, {"x": None}, {"x": 4}]),
        "list": (pa.list_(pa.string()), [["a"], None, ["b", "c"], []]),
    }
    columns = {
        name: pd.array(cells, dtype=pd.ArrowDtype(kind)) for name, (kind, cells) in kinds.items()
    }
    table = memory.show(memory.push(pd.DataFrame(columns))).content
    assert column(table, "map").cells == ["{a: 1}", None, "{b: 2, c: 3}", "{}"]
    assert column(table, "struct").cells == ["{x: 1}", None, "{x: None}", "{x: 4}"]
    assert column(table, "list").cells == ["[a]", None, "[b, c]", "[]"]


def test_a_category_of_dates(memory):
    frame = pd.DataFrame({"d": pd.Categorical(pd.to_datetime(["2026-01-02", "2026-01-01"] * 3))})
    table = memory.show(memory.push(frame)).content
    assert column(table, "d").cells[:2] == ["2026-01-02 00:00:00", "2026-01-01 00:00:00"]


# ---------------------------------------------------------------------------- limits


def test_of_a_large_frame_little_is_read(memory):
    frame = pd.DataFrame(np.random.default_rng(0).random((250_000, 25)))
    shown = memory.show(entry := memory.push(frame))
    assert entry.stored["bytes"] > 40_000_000
    assert sum(memory.asked) == shown.body.bytes_read < 1_000_000
    assert len(memory.asked) <= 4
    for row in (980, 1_000, 200_000):
        memory.show(entry, row=row)
    assert sum(memory.asked) < 5_000_000


def test_a_small_object_is_one_request_and_checked(memory):
    shown = memory.show(memory.push(pd.DataFrame({"a": range(100)})))
    assert len(memory.asked) == 1
    assert shown.body.checked
    assert "size and SHA-256 are as written" in shown.html


@pytest.mark.parametrize("kind", ["pyarrow", "polars"])
def test_a_large_arrow_batch(memory, kind):
    import polars as pl

    values = {f"c{n}": np.random.default_rng(n).random(200_000) for n in range(5)}
    shown = memory.show(
        memory.push(pa.table(values) if kind == "pyarrow" else pl.DataFrame(values))
    )
    assert sum(memory.asked) <= BUDGET_BYTES
    assert [found.label for found in shown.content.columns] == list(values)
    assert "too large" in shown.html


def test_many_arrow_batches(memory):
    batches = [pa.record_batch({"a": np.random.default_rng(n).random(50_000)}) for n in range(30)]
    shown = memory.show(memory.push(pa.Table.from_batches(batches)))
    assert sum(memory.asked) <= BUDGET_BYTES
    assert 50_000 <= shown.content.rows_read < 30 * 50_000
    assert shown.content.rows == 30 * 50_000


def test_thousands_of_small_arrow_batches_take_few_requests(memory):
    """Two for each took longer than a page waits, wherever a request takes milliseconds."""
    numbers = np.random.default_rng(0).random(1_500_000)
    parts = [pa.table({"a": numbers[start : start + 500]}) for start in range(0, 1_500_000, 500)]
    shown = memory.show(entry := memory.push(pa.concat_tables(parts)))
    assert shown.content.rows_read > 100_000
    assert len(memory.asked) < 25
    memory.asked.clear()
    assert memory.csv(memory.locate(entry)).count(b"\n") == 1_500_001
    hashed = -(-entry.stored["bytes"] // PIECE_BYTES)
    assert len(memory.asked) - hashed < entry.stored["bytes"] / 200_000


@pytest.mark.parametrize("kind", ["frame", "texts", "arrow", "arrow texts", "array", "json"])
def test_what_unpacks_to_much_is_not_unpacked(memory, tmp_path, kind):
    """Constant columns shrink to a thousandth; a page must not hold what they grow to."""
    rows = 10_000_000
    values = {
        "frame": lambda: pd.DataFrame({f"c{n}": np.zeros(2_000_000) for n in range(30)}),
        "texts": lambda: pd.DataFrame({"a": pd.Series(["x" * 100_000]).repeat(2_000)}),
        "arrow": lambda: pa.table({"a": np.zeros(rows), "b": np.zeros(rows)}),
        "arrow texts": lambda: pa.table({"a": pa.array(["x" * 1_000_000] * 100)}),
        "array": lambda: np.zeros(rows),
        "json": lambda: ["y" * 1000] * 20_000,
    }
    most, state = in_a_fresh_process(memory, [memory.push(values[kind]())], tmp_path, """
import pyarrow as pa
state = None
[(codec, source)] = objects()
try:
    preview.read(source, preview.Job("show", codec, source.size))
except shown.TooLarge:
    state = "too large"
print(json.dumps([pa.default_memory_pool().max_memory(), state]))
""")  # fmt: skip
    assert most < 3 * tables.MAX_UNPACKED_BYTES
    assert (state is not None) is (kind == "json")


def test_pandas_is_never_imported(memory, tmp_path):
    """Nor is Great Expectations: it costs the API server seconds and hundreds of megabytes."""
    import polars as pl

    frame = generated(300)
    frame["period"] = pd.period_range("2026", periods=300, freq="D")
    frame["interval"] = pd.arrays.IntervalArray.from_breaks(range(301))
    frame["mixed"] = pd.Series([1, "a", None] * 100, dtype=object)
    frame[5] = 1
    values = [frame, frame.set_index("str")["int"], pa.table({"a": [1], "b": [[1, 2]]}),
              pl.DataFrame({"a": ["x"]}), np.arange(5), {"f": frame, "t": (1, 2)}, b"x" * 9]  # fmt: skip
    imported = in_a_fresh_process(memory, [memory.push(value) for value in values], tmp_path, """
for codec, source in objects():
    kind, content = preview.read(source, preview.Job("show", codec, source.size))
    shown.dump(kind, content)
    if kind == "table":
        assert list(csv_pieces.pieces(source, codec))
unwanted = {"pandas", "great_expectations", "polars", "airflow", "obstore", "psutil", "pydantic"}
print(json.dumps(sorted(unwanted & sys.modules.keys())))
""")  # fmt: skip
    assert imported == []
