"""Ours is at least as good as Airflow's own backend, for every value that tasks return.

Each is pushed and pulled by both: Airflow's by its own `set` and `get_one`, through the messages and
the JSON of the database. What comes back is ranked, and compared apart from the backend (`identical`).
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest

pytest.importorskip("polars")
pytest.importorskip("sqlalchemy")
pytest.importorskip("boto3")
pytest.importorskip("hypothesis")
import numpy as np
import pandas as pd
import pyarrow as pa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from include.xcom_store.errors import ObjectCorrupt, ValueNotStorable
from tests.xcom_store import peers, returned
from tests.xcom_store.cases import VALUES
from tests.xcom_store.classes import (
    NOON,
    Access,
    Client,
    Frozen,
    Level,
    Loose,
    Model,
    Open,
    Own,
    Pair,
    Stop,
    WithLock,
    set_by_hand,
)  # fmt: skip
from tests.xcom_store.conftest import DAG, RUN, TASK
from tests.xcom_store.identical import assert_identical
from tests.xcom_store.test_properties import SLOW_IS_FINE

PAGE = Path(__file__).resolve().parents[2] / "docs/types.md"
IDENTICAL, EQUAL, OTHER, UNREADABLE, REFUSED = 3, 2, 1, 0, -1
RANKS = {
    IDENTICAL: "identical: types, fields, slots", EQUAL: "equal by `==`, all the way down",
    OTHER: "something else", UNREADABLE: "cannot be read", REFUSED: "the push fails",
}  # fmt: skip
LISTS = {"default": "airflow.*", "wide": "airflow.* [a-z]*"}
ROWS = {**VALUES, **returned.RETURNED, **{f"Airflow's: {k}": v for k, v in peers.VALUES.items()}}
WHERE = {"dag_id": DAG, "run_id": RUN, "task_id": TASK, "map_index": -1}


def is_equal(one, other):
    """Tell whether two values are equal by `==`, all the way down."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(is_equal(one[key], other[key]) for key in one)
    for kind in (list, tuple):
        if isinstance(one, kind) and isinstance(other, kind):
            return len(one) == len(other) and all(map(is_equal, one, other))
    if isinstance(one, (pd.DataFrame, pd.Series, pd.Index)):
        return type(one) is type(other) and one.equals(other)
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and np.array_equal(one, other)
    return bool(one == other)


def rank(backend, make, between=lambda: None):
    """Return how well a value comes back."""
    value = make()
    try:
        backend.set("return_value", value, **WHERE)
    except Exception:
        return REFUSED
    between()
    try:
        back = backend.get_one(key="return_value", **WHERE)
    except Exception:
        return UNREADABLE
    try:
        assert_identical(make(), back)
    except Exception:
        with suppress(Exception):
            return EQUAL if is_equal(make(), back) else OTHER
        return OTHER
    return IDENTICAL


@pytest.fixture(params=LISTS)
def allowed(request, allow):
    """Set a list of classes that may be read back; returns its name."""
    allow(LISTS[request.param])
    return request.param


@pytest.fixture
def both(xcom):
    """Rank a value by Airflow's own backend and by ours."""
    from airflow.sdk.bases.xcom import BaseXCom

    def both(make, old=None, new=None):
        def use(kind):
            if kind:
                returned.Grown = kind

        ranks = []
        for backend in (BaseXCom, xcom.backend):
            use(old)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ranks.append(rank(backend, make, lambda: use(new)))
        return ranks

    return both


def test_no_value_comes_back_worse_than_with_airflows_own(both, allowed, capsys):
    found = {name: both(make) for name, make in ROWS.items()}
    found |= {
        f"a field added between push and pull: {name}": both(lambda: returned.Grown(a=1), *kinds)
        for name, kinds in returned.GROWN.items()
    }
    assert {name: ranks for name, ranks in found.items() if ranks[1] < ranks[0]} == {}
    counts = [Counter(ranks[which] for ranks in found.values()) for which in (0, 1)]
    with capsys.disabled():
        print(f"\n{len(found)} values, {allowed} list of classes: Airflow's own, this backend")
        for rank, meaning in RANKS.items():
            print(f"{rank:>3} {counts[0][rank]:>4} {counts[1][rank]:>4}  {meaning}")
    check_page(allowed, counts)


# Rows of the table within each other: in what Airflow takes as its base, in objects, as keys.
KEYS = ["a", 1, "1", None, True, (1, 2), Level.HIGH, Access.READ, len, returned.Name("a"), b"a",
        frozenset([1]), "__id__", "__classname__", "$xcom", Frozen(1)]  # fmt: skip
LEAVES = sorted(name for name in ROWS if "deep" not in name and "itself" not in name)


class OwnList(Own):
    """What it returns as a list, Airflow passes through as it is."""

    def serialize(self):
        return [self.value]

    @staticmethod
    def deserialize(data, _version):
        return OwnList(data[0])


def inside(inner):
    """Return the strategy for what holds these values."""
    pairs, items = (
        st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
        st.lists(inner, max_size=3),
    )
    holders = (Stop, Loose, Own, OwnList, WithLock, lambda v: Open(x=1, other=v), lambda v: Pair(v, 1),
               lambda v: returned.Generated(1, v), lambda v: set_by_hand(Client(name="x"), _calls=v),
               lambda v: Model(at=NOON, anything=v))  # fmt: skip
    return st.one_of(
        pairs, items, items.map(tuple), items.map(returned.Tags), pairs.map(returned.Config),
        pairs.map(OrderedDict), pairs.map(lambda v: defaultdict(lambda: 1, v)), *map(inner.map, holders),
    )  # fmt: skip


values = st.recursive(st.sampled_from(LEAVES).map(lambda name: ROWS[name]()), inside, max_leaves=5)
SOME = "airflow.* tests.xcom_store.classes.[OMC]* tests.xcom_store.classes.Stop"


@pytest.mark.parametrize("classes", [*LISTS.values(), SOME])
@pytest.mark.parametrize("count", [60, pytest.param(3_000, marks=pytest.mark.weekly)])
def test_no_nested_value_comes_back_worse(both, allow, classes, count):
    allow(classes)
    logging.disable(logging.WARNING)  # thousands of lines

    @settings(max_examples=count, derandomize=count < 100, **SLOW_IS_FINE)
    @given(values)
    @example(Stop(Loose(ROWS["isocalendar"]())))  # whose copy is a tuple
    @example(WithLock(Loose(Pair(ROWS["isocalendar"](), 1))))
    def run(value):
        theirs, ours = both(lambda: value)
        assert theirs <= ours

    try:
        run()
    finally:
        logging.disable(logging.NOTSET)


def check_page(allowed, counts):
    """The table of docs/types.md says the same; a few values are others in other versions of Python."""
    if not PAGE.exists() or sys.version_info[:2] != (3, 11):
        return
    column = 2 * [*LISTS].index(allowed)
    lines = [line.split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    for rank, meaning in RANKS.items():
        [cells] = [line[1:] for line in lines if line[0] == f"| {meaning}"]
        assert [int(cell.strip(" |")) for cell in cells[column : column + 2]] == [
            count[rank] for count in counts
        ]


@pytest.mark.parametrize("name", peers.VALUES)
def test_the_values_of_airflows_own_tests(xcom, allow, name):
    """Those that Airflow takes come back the same; the rest, and three that it cannot read, do not."""
    allow("airflow.* tests.*")
    if name in peers.REFUSED:
        with pytest.raises(ValueNotStorable):
            xcom.push(peers.VALUES[name]())
        return
    xcom.push(peers.VALUES[name]())
    if name in peers.NOT_READ:
        with pytest.raises(ValueNotStorable, match="of which the push has warned"):
            xcom.pull()
        return
    assert_identical(peers.CHANGED.get(name, peers.VALUES[name])(), xcom.pull())


class TestPackagesThatTheTemplateDoesNotInstall:
    """What Airflow has serializers for; each test runs where the package is."""

    def test_a_kubernetes_pod_cannot_be_read_by_airflow_either(self, xcom, allow):
        allow("airflow.* kubernetes.*")
        xcom.push(peers.pod())
        with pytest.raises(ValueNotStorable, match="of which the push has warned"):
            xcom.pull()

    @pytest.mark.parametrize("options", [None, {"key": "value"}])
    def test_a_delta_table(self, xcom, allow, fernet, tmp_path, options):
        deltalake = pytest.importorskip("deltalake")
        allow("airflow.*")
        deltalake.write_deltalake(tmp_path, pa.table({"a": [1, 2]}))
        value = deltalake.DeltaTable(tmp_path, storage_options=options)
        assert "inexact" not in xcom.push([value])
        [back] = xcom.pull()
        assert (back.table_uri, back.version()) == (value.table_uri, 0)
        assert back._storage_options == options  # noqa: SLF001 - nothing else tells
        assert back.to_pyarrow_table() == pa.table({"a": [1, 2]})

    def test_an_iceberg_table_of_which_airflow_loses_the_catalog_is_warned_of(
        self, xcom, allow, fernet, tmp_path, caplog
    ):
        sql = pytest.importorskip("pyiceberg.catalog.sql")
        allow("airflow.*")
        where = {"uri": f"sqlite:///{tmp_path}/c.db", "warehouse": f"file://{tmp_path}"}
        catalog = sql.SqlCatalog("default", **where)
        catalog.create_namespace("n")
        xcom.push([catalog.create_table("n.t", schema=pa.schema([("a", pa.int64())]))])
        assert "Table at [0] cannot be read back" in caplog.text
        with pytest.raises(ObjectCorrupt, match="IndexError"):
            xcom.pull()


@pytest.fixture
def fernet(monkeypatch):
    """Have the key by which Airflow's serializers encrypt options."""
    fernet = pytest.importorskip("cryptography.fernet")
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", fernet.Fernet.generate_key().decode())


@pytest.mark.parametrize("name", peers.STORED)
def test_rows_of_airflows_own_backend_are_read_as_it_reads_them(xcom, supervisor, allow, name):
    from airflow.sdk.bases.xcom import BaseXCom

    allow("airflow.* tests.*")
    supervisor.put(peers.STORED[name], key="return_value", dag_id=DAG, run_id=RUN, task_id=TASK)
    expected = BaseXCom.get_one(key="return_value", **WHERE)
    assert type(expected) is not dict or "__var" not in str(expected)
    assert_identical(expected, xcom.pull())


@pytest.mark.parametrize("name", peers.UNREADABLE)
def test_rows_that_airflow_cannot_read_raise_what_it_raises(xcom, supervisor, allow, name):
    from airflow.sdk.bases.xcom import BaseXCom

    allow("airflow.* tests.*")
    supervisor.put(peers.UNREADABLE[name], key="return_value", dag_id=DAG, run_id=RUN, task_id=TASK)
    errors = []
    for backend in (BaseXCom, xcom.backend):
        with pytest.raises((TypeError, ValueError)) as error:
            backend.get_one(key="return_value", **WHERE)
        errors.append((type(error.value), str(error.value)))
    assert errors[0] == errors[1]


def test_a_setting_that_is_no_pattern_allows_no_class(both, allow):
    """Airflow takes patterns of `re`; with `*` it reads no class at all, and does not say so at push."""
    allow("*")
    for name in ("str enum", "dataclass, plain", "named tuple", "parsed URL"):
        theirs, ours = both(ROWS[name])
        assert theirs <= ours
