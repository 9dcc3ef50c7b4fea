"""Whatever is pushed comes back equal, type for type, or is refused at push. Never changed.

The default run tries a hundred of each, always the same; `--long` thousands of new ones.
"""

from __future__ import annotations

import datetime as dt
import functools
import warnings
from collections import Counter
from decimal import Decimal

import pytest

pytest.importorskip("hypothesis")
pytest.importorskip("pyarrow")
import pandas as pd
import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from include.xcom_store import documents
from include.xcom_store.documents import inexact
from include.xcom_store.errors import ValueNotStorable
from include.xcom_store.values import stays
from tests.xcom_store.generated import Trip, frames, keys, numbers, objects, texts, values
from tests.xcom_store.identical import assert_identical
from tests.xcom_store.memory import there_and_back

SLOW_IS_FINE = {"deadline": None, "suppress_health_check": list(HealthCheck)}
normal = settings(max_examples=100, derandomize=True, **SLOW_IS_FINE)


def check(value, threshold, counts=None):
    counts = Counter() if counts is None else counts
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            back = there_and_back(value, threshold)
        except ValueNotStorable:
            counts["refused"] += 1
            return
        counts["stored"] += 1
        assert_identical(value, back)


def check_warned(value, threshold):
    """Whatever no warning tells of is the same; the rest can be pulled, or says why it cannot."""
    with warnings.catch_warnings(), inexact.collected("warn") as changed:
        warnings.simplefilter("ignore")
        try:
            back = there_and_back(value, threshold)
        except ValueNotStorable:
            return
    if not changed.count:
        assert_identical(value, back)


thresholds = st.sampled_from([0, 1_000_000])


def times(number):
    return pa.array([number, None], pa.int64()).cast(pa.time64("ns"))


@pytest.mark.parametrize(
    "column",
    [
        times,
        lambda n: times(n).dictionary_encode(),
        lambda n: pa.ListArray.from_arrays([0, 1], times(n).dictionary_encode()),
        lambda n: pa.StructArray.from_arrays([times(n)], ["a"]),
        lambda n: pa.array([2**62 + n, None]).cast(pa.timestamp("s")),
    ],
    ids=["times", "dictionary", "list of dictionary", "struct", "year 10,000"],
)
def test_the_comparison_sees_what_python_and_pandas_cannot_show(column):
    one, same, other = (column(n) for n in (1, 1, 2))
    frames = [
        pd.DataFrame({"a": pd.Series(pd.arrays.ArrowExtensionArray(array)), "b": b})
        for array, b in ((one, 0.0), (same, 0.0), (other, 0.0), (one, -0.0))
    ]
    assert_identical(one, same)
    assert_identical(frames[0], frames[1])
    assert_identical(one[0], same[0])
    for changed in frames[2:]:
        with pytest.raises(AssertionError):
            assert_identical(frames[0], changed)
    with pytest.raises(AssertionError):
        assert_identical(one, other)
    with pytest.raises(AssertionError):
        assert_identical(one[0], other[0])


@normal
@given(values(), thresholds)
def test_a_nested_value_is_the_same_or_refused(value, threshold):
    check(value, threshold)


@normal
@given(objects(values()), thresholds)
def test_an_object_is_the_same_or_refused(value, threshold):
    check(value, threshold)


@normal
@given(values(), thresholds)
def test_what_is_not_noted_is_the_same(value, threshold):
    check_warned(value, threshold)


JSON = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=9) | st.dictionaries(keys, inner, max_size=4),
)


@normal
@given(JSON, st.sampled_from([0, 30, 200, 1_024]))
def test_what_stays_at_once_is_what_a_push_would_leave_as_it_is(value, threshold):
    with inexact.collected("warn"):
        writer = documents.Writer()
        document = documents.dump(writer.write(value))
    if stays(value, threshold):
        assert writer.is_plain_json
        assert len(document) <= threshold


def test_what_is_deep_does_not_stay_at_once():
    deep = functools.reduce(lambda inner, _: [inner], range(documents.MAX_DEPTH + 1), 1)
    assert not stays(deep, 10**9)
    assert not stays("s3://a/b", 10**9)
    assert stays([[["a"]]], 10**9)


@normal
@given(frames())
def test_a_frame_is_the_same_or_refused(frame):
    check(frame, 0)


@pytest.mark.parametrize("inside", [
    dt.datetime(2000, 1, 1, fold=1),
    dt.datetime(2000, 1, 1, tzinfo=dt.UTC),
    Decimal("1.50"),
    complex(-0.0, 0), {True}, {True: 1}, (1, [2]), -0.0, {"a": -0.0}, b"x", {"\ud800"},
], ids=repr)  # fmt: skip
def test_what_is_in_a_dataclass_is_the_same_or_refused(inside):
    check(Trip(inside), 0)


@pytest.mark.weekly
@pytest.mark.parametrize(
    ("strategy", "examples"),
    [(values(), 8_000), (objects(values()), 3_000), (frames(), 3_000)],
    ids=["values", "objects", "frames"],
)
# Of the strategy, which Hypothesis writes out where an example could not be drawn.
@pytest.mark.filterwarnings("ignore:Generating overly large repr")
def test_thousands(strategy, examples, capsys):
    counts = Counter()

    @settings(max_examples=examples, print_blob=True, **SLOW_IS_FINE)
    @given(strategy, thresholds)
    def run(value, threshold):
        check(value, threshold, counts)

    run()
    with capsys.disabled():
        print(f"\n{dict(counts)}")
    assert counts.total() >= examples
    assert counts["stored"] > counts["refused"]
