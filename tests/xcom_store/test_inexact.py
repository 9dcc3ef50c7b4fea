"""`[xcom_store] inexact`: what cannot come back exactly, but what Airflow's own backend takes."""

from __future__ import annotations

import collections
import datetime as dt
import enum
import logging
import re
import threading
import time

import pytest

pytest.importorskip("attrs")
pytest.importorskip("pydantic")
pytest.importorskip("polars")
pytest.importorskip("obstore")
import numpy as np
import pandas as pd
import pendulum

from include.xcom_store.errors import ObjectCorrupt, ValueNotStorable
from tests.xcom_store.classes import Boxed, Decimal, Login, Loose, OnlyWrites, Own, Pair, Stop, T
from tests.xcom_store.identical import assert_identical
from tests.xcom_store.test_forgery import RECORD, Smuggler


class Masked(str):
    """A text that shows another."""

    __slots__ = ()

    def __str__(self):
        return "***"

    __repr__ = __str__


class Strange(str):
    """Equal to nothing else, so that a dict may have it beside its text."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other):
        return self is other


class Tree(dict):
    pass


class Rows(list):
    pass


class Miles(float):
    __slots__ = ()

    def __repr__(self):
        return "many miles"


class Count(int):
    def __str__(self):
        return "many"


class Zone(dt.tzinfo):
    """Is not what its name says."""

    name = "Africa/Harare"

    def utcoffset(self, _):
        return dt.timedelta(hours=1)


def with_attributes():
    made = collections.OrderedDict(a=Decimal("1.50"))
    made.note = 1
    return made


Plain = enum.Enum("NotItsName", ["A"])
Plain.A.__class__.__str__ = lambda self: f"Plain.{self.name}"
Local = collections.namedtuple("NotItsName", "x y")  # noqa: PYI024

CHANGED = {
    "dict subclass": (
        lambda: Tree(a=Decimal("1.50"), b=(1,)),
        lambda: {"a": Decimal("1.50"), "b": (1,)},
    ),
    "dict subclass with other keys": (lambda: Tree({1: {2}}), lambda: {1: {2}}),
    "list subclass": (lambda: Rows([(1, {2})]), lambda: [(1, {2})]),
    "str subclass": (lambda: Masked("content"), lambda: "content"),
    "str subclass with NUL": (lambda: Masked("a\0"), lambda: "a\0"),
    "float subclass": (lambda: Miles("nan"), lambda: float("nan")),
    "int subclass": (lambda: Count(2**70), lambda: 2**70),
    "named tuple of no importable class": (lambda: Local(1, (2, b"x")), lambda: (1, (2, b"x"))),
    "key": (lambda: {Masked("a"): 1, 2: 3}, lambda: {"a": 1, 2: 3}),
    "in a set": (lambda: {Masked("a"), 1}, lambda: {"a", 1}),
    "in a field": (lambda: Stop(Rows([1]), Own(2)), lambda: Stop([1], Own(2))),
    "defaultdict of a function": (
        lambda: collections.defaultdict(lambda: 1, {"a": (1,), 2: {3}}),
        lambda: {"a": (1,), 2: {3}},
    ),
    "OrderedDict with attributes": (with_attributes, lambda: {"a": Decimal("1.50")}),
    "key of a class that may not be read": (lambda: {Plain.A: (1,)}, lambda: {"Plain.A": (1,)}),
    "key of no known class": (lambda: {len: 1, (2, 3): 2}, lambda: {str(len): 1, (2, 3): 2}),
    "datetime of a zone that only Airflow knows": (
        lambda: dt.datetime(2026, 1, 1, tzinfo=Zone()),
        lambda: dt.datetime(2026, 1, 1, 1, tzinfo=pendulum.timezone("Africa/Harare")),
    ),
    "object that its deserialize makes otherwise": (
        lambda: Forgetful(1, 2),
        lambda: Forgetful(1, None),
    ),
    "in an object in a dataclass, where its copy is a tuple": (
        lambda: Stop([Loose(dt.date(2026, 1, 1).isocalendar())], Decimal("1.50")),
        lambda: Stop([Loose((2026, 1, 4))], Decimal("1.50")),
    ),
    "object in a dataclass, whose copy is without its lock": (
        lambda: Stop(Locked(threading.Lock())),
        lambda: Stop(Locked(None)),
    ),
}


class Locked(Loose):
    def __deepcopy__(self, _):
        return Locked(None)


class Forgetful:
    def __init__(self, kept, lost):
        self.kept, self.lost = kept, lost

    def serialize(self):
        return {"kept": self.kept}

    @staticmethod
    def deserialize(data, _version):
        return Forgetful(data["kept"], None)


@pytest.fixture
def warnings_of(caplog):
    """Return the lines in the log of a task that are warnings of the backend."""
    caplog.set_level(logging.WARNING)
    return lambda: [r.getMessage() for r in caplog.records if r.name == "include.xcom_backend"]


@pytest.mark.parametrize("threshold", [0, 1_000_000], ids=["offloaded", "inline"])
@pytest.mark.parametrize("name", CHANGED)
def test_it_comes_back_as_airflow_would_give_it_with_one_warning(
    xcom, configure, warnings_of, name, threshold
):
    configure(threshold=threshold)
    value, expected = (make() for make in CHANGED[name])
    record = xcom.push({"x": [0, value]})
    assert_identical({"x": [0, expected]}, xcom.pull())
    assert record["inexact"] == 1
    [warning] = warnings_of()
    assert "['x'][1]" in warning
    assert "content" not in warning


@pytest.mark.parametrize("name", CHANGED)
def test_it_is_refused_where_that_is_set(xcom, configure, name):
    configure(inexact="refuse")
    with pytest.raises(ValueNotStorable, match="AIRFLOW__XCOM_STORE__INEXACT=warn"):
        xcom.push(CHANGED[name][0]())
    assert (xcom.rows, xcom.s3.keys()) == ({}, [])


def test_another_word_for_the_setting_is_an_error(xcom, configure):
    configure(inexact="ignore")
    with pytest.raises(ValueError, match="takes warn or refuse"):
        xcom.push(1)


@pytest.mark.parametrize("value", [
    {Strange("a"): 1, "a": 2}, Tree({Strange("a"): 1, Strange("a"): 2}), {Strange("a"), "a"},
    Stop({Strange("a"): 1, "a": 2}), frozenset({Strange("a"), Strange("a")}), {len: 1, str(len): 2},
], ids=str)  # fmt: skip
def test_keys_that_would_become_equal_are_refused(xcom, value):
    with pytest.raises(ValueNotStorable, match="two keys"):
        xcom.push(value)
    assert (xcom.rows, xcom.s3.keys()) == ({}, [])


@pytest.mark.parametrize("argument", [T, int | str, tuple[int, ...]], ids=str)
def test_type_arguments_that_have_no_name_are_warned_of(xcom, warnings_of, argument):
    assert xcom.push(Boxed[argument](1))["inexact"] == 1
    assert "comes back without its type arguments" in warnings_of()[0]
    assert (type(back := xcom.pull()), hasattr(back, "__orig_class__")) == (Boxed, False)


def test_a_hundred_thousand_rows_are_one_warning(xcom, warnings_of):
    rows = [Local(n, "x") for n in range(100_000)]
    started = time.process_time()
    record = xcom.push(rows)
    assert time.process_time() - started < 20
    assert record["inexact"] == 100_000
    [warning] = warnings_of()
    assert "NotItsName at [0] comes back as tuple (and 99,999 more)" in warning
    assert len(warning) < 1_000
    assert_identical([tuple(row) for row in rows], xcom.pull())


def test_in_a_frame_the_cell_is_changed(xcom, warnings_of):
    frame = pd.DataFrame({"a": [1, 2], "b": pd.Series([Rows([1]), Decimal("1.0")], dtype=object)})
    record = xcom.push({"frame": frame})
    expected = frame.assign(b=pd.Series([[1], Decimal("1.0")], dtype=object))
    assert_identical({"frame": expected}, xcom.pull())
    assert record["inexact"] == 1
    assert "column 'b', row 0" in warnings_of()[0]


def test_a_zone_without_a_name_is_told_what_to_use(xcom, configure, warnings_of):
    from dateutil import tz

    value = {"x": [dt.datetime(2026, 1, 1, tzinfo=tz.tzstr("EST5EDT"))]}
    xcom.push(value)
    assert "datetime at ['x'][0] cannot be read back" in warnings_of()[0]
    assert "Use zoneinfo.ZoneInfo('Area/City')" in warnings_of()[0]
    with pytest.raises(ValueNotStorable, match="Use zoneinfo"):
        xcom.pull()
    configure(inexact="refuse")
    with pytest.raises(ValueNotStorable, match="Use zoneinfo"):
        xcom.push(value)


def test_what_airflow_writes_and_cannot_read_is_stored_so(xcom, warnings_of):
    record = xcom.push({"a": [OnlyWrites()], "b": 1})
    assert (record["inexact"], len(warnings_of())) == (1, 1)
    assert "OnlyWrites at ['a'][0] cannot be read back" in warnings_of()[0]
    with pytest.raises(ValueNotStorable, match="OnlyWrites, of which the push has warned"):
        xcom.pull()


@pytest.mark.parametrize("value", [
    np.ma.array([1], mask=[True]), type("Geo", (pd.DataFrame,), {})({"a": [1]}), object(), len, iter([1]),
    np.array([object()]), ValueError("x"), Stop(object()), Tree(a=object()),
], ids=lambda value: type(value).__name__)  # fmt: skip
def test_what_airflow_refuses_is_refused(xcom, value):
    with pytest.raises(ValueNotStorable):
        xcom.push([value])
    assert (xcom.rows, xcom.s3.keys()) == ({}, [])


def test_what_no_copy_mends_is_refused_soon_in_many_dataclasses(xcom):
    value = object()
    for _ in range(100):
        value = Stop(value)
    with pytest.raises(ValueNotStorable, match=r"the builtins.object at .* cannot be stored"):
        xcom.push(value)


@pytest.mark.parametrize(("name", "advice"), [
    ("matplotlib.figure.FigureBase", "figure.savefig(buffer, format='png')"),
    ("matplotlib.artist.Artist", "its .figure.savefig"),
    ("PIL.Image.Image", "image.save(buffer, 'PNG')"),
    ("plotly.basedatatypes.BaseFigure", "figure.to_json()"),
])  # fmt: skip
def test_what_is_made_to_be_looked_at_is_refused_with_what_to_return(xcom, name, advice):
    """Stand-ins by name: none of these libraries is installed here."""
    module, _, short = name.rpartition(".")
    base = type(short, (), {"__module__": module})
    with pytest.raises(ValueNotStorable, match=re.escape(advice)):
        xcom.push({"plot": type("Own", (base,), {})()})


@pytest.mark.parametrize("content", [
    [{"__classname__": "builtins.tuple", "__version__": 1, "__data__": [1]}],
    [{"__classname__": "os.system", "__version__": 1, "__data__": "x"}],
    {"$xcom": ["tuple", [1]]}, [{"$xcom": ["leaf", 0]}], [{"$xcom": ["unreadable", "x", "y"]}],
], ids=str)  # fmt: skip
@pytest.mark.parametrize("wrap", [Smuggler, lambda c: Tree(a=c), lambda c: Rows([c])])
def test_nodes_and_tags_that_a_value_brings_are_data(xcom, content, wrap):
    xcom.push(wrap(content))
    back = xcom.pull()
    found = back.content if isinstance(back, Smuggler) else back["a" if "a" in back else 0]
    assert_identical(content, found)


@pytest.mark.parametrize(
    "wrap", [Rows, lambda d: Tree(a=d), Smuggler, lambda d: Stop([d]), lambda d: Pair(d)]
)
def test_a_forged_record_stays_refused(xcom, wrap):
    with pytest.raises(ValueNotStorable):
        xcom.push(wrap([RECORD]))


class TestWithoutTheStore:
    """`offload` is False: Airflow's own serializer writes."""

    def test_what_it_changes_is_noted(self, xcom, configure, warnings_of):
        configure(offload=False)
        xcom.push(Stop(Decimal("19.90")))
        assert_identical(Decimal("19.9"), xcom.pull().fare)
        assert "classes.Stop comes back as tests.xcom_store.classes.Stop" in warnings_of()[0]
        xcom.push([Pair(1, 2), Rows([1])])
        assert_identical([(1, 2), [1]], xcom.pull())
        assert len(warnings_of()) == 2

    def test_what_it_gives_back_is_not(self, xcom, configure, warnings_of):
        configure(offload=False)
        xcom.push([Stop(1, None), {"a": 1}])
        assert_identical([Stop(1, None), {"a": 1}], xcom.pull())
        assert warnings_of() == []

    def test_it_is_refused_where_that_is_set(self, xcom, configure):
        configure(offload=False, inexact="refuse")
        for value in (Stop(Decimal("19.90")), [Pair(1, 2)], Rows([1]), OnlyWrites(), Masked("x")):
            with pytest.raises(ValueNotStorable):
                xcom.push(value)
        assert xcom.rows == {}


def test_plain_json_for_clients_without_this_backend_stays_so(xcom, configure, warnings_of):
    configure(keep_in_database="*")
    assert xcom.push({"a": Masked("x")}) == {"a": "x"}
    assert len(warnings_of()) == 1


@pytest.mark.parametrize("threshold", [0, 1_000_000])
@pytest.mark.parametrize("offload", [True, False])
def test_a_secret_is_nowhere_in_clear(  # noqa: PLR0917
    xcom, configure, caplog, capfd, threshold, offload
):
    import obstore

    configure(threshold=threshold, offload=offload)
    caplog.set_level(logging.DEBUG)
    xcom.push(Login(user="u", password="hunter2", token=b"hunter2"))
    assert xcom.pull().password.get_secret_value() == "**********"
    configure(inexact="refuse")
    with pytest.raises(ValueNotStorable) as refused:
        xcom.push(Login(user="u", password="hunter2"))
    bucket = b"".join(bytes(obstore.get(xcom.s3.client, key).bytes()) for key in [*xcom.s3.keys()])
    everything = f"{bucket} {xcom.rows} {caplog.text} {capfd.readouterr()} {refused.value}"
    assert "**********" in everything
    assert "hunter2" not in everything


@pytest.mark.parametrize("count", [-1, "1", None, 1.5, [1], 2**63])
def test_a_count_that_is_none_is_a_typed_error(xcom, supervisor, count):
    where = {"key": "return_value", "dag_id": "trips", "task_id": "load"}
    for value in (Rows([1]), Rows([b"x" * 5_000])):
        record = xcom.push(value)
        run_id = next(iter(xcom.rows))[1]
        supervisor.put({**record, "inexact": count}, run_id=run_id, **where)
        with pytest.raises(ObjectCorrupt):
            xcom.pull()
