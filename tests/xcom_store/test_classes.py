"""Objects of classes: whose may be read, what of them is stored, and what a new version makes of it.

That they come back exactly is in the round-trip table.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import sys
import types
from decimal import Decimal

import pytest

pytest.importorskip("attrs")
pytest.importorskip("pydantic")
pytest.importorskip("polars")
import pydantic
from dateutil import tz

from include.xcom_store import documents
from include.xcom_store.documents import inexact
from include.xcom_store.errors import ObjectCorrupt, ValueNotStorable
from tests.xcom_store import cases
from tests.xcom_store.classes import (
    NOON,
    Access,
    Bits,
    Built,
    Calling,
    Client,
    Counting,
    Failed,
    Frozen,
    HoldsLock,
    Level,
    Locked,
    Login,
    Model,
    Nested,
    Open,
    Own,
    Page,
    Pair,
    Ride,
    Stop,
    Undecorated,
    WithLock,
    set_by_hand,
)
from tests.xcom_store.identical import assert_identical


def stored(value, setting="warn"):
    """Return a value's document, and what its push says."""
    with inexact.collected(setting) as changed:
        return documents.Writer().write(value), changed


OF_EACH_KIND = [
    cases.Color.RED, Stop(1), Ride(1), Open(), Own(1), Access.READ | Access.RUN, Page[int](items=[1]),
    Page[Open](items=[]),
]  # fmt: skip


@pytest.mark.parametrize("value", OF_EACH_KIND, ids=lambda value: type(value).__name__)
def test_a_class_that_is_not_allowed_is_stored_with_a_warning_and_refused_at_the_pull(allow, value):
    allow()
    document, changed = stored(value)
    assert changed.count == 1
    assert "AIRFLOW__CORE__ALLOWED_DESERIALIZATION_CLASSES='airflow.* tests.xcom_store." in str(
        changed
    )
    with pytest.raises(ValueNotStorable, match="'airflow\\.\\* tests\\.xcom_store\\."):
        documents.read(document)
    with pytest.raises(ValueNotStorable, match="INEXACT=warn"):
        stored(value, "refuse")
    allow("airflow.* tests.*")
    assert_identical(value, documents.read(document))
    assert stored(value, "refuse")[0] == document


def test_what_airflow_gives_back_of_any_class_needs_no_permission(allow):
    allow()
    value = [Pair(1, Decimal("1.50")), Level.HIGH, Bits.A | Bits.B]
    document, changed = stored(value)
    assert_identical([(1, Decimal("1.50")), "high", 3], documents.read(document))
    assert changed.count == 3
    assert "classes.Pair at [0] comes back as tuple (and 2 more)" in str(changed)


def test_the_regexp_is_honoured(allow):
    allow("airflow.*", r"tests\..*\.Stop")
    assert_identical(Stop(1), documents.read(stored(Stop(1), "refuse")[0]))
    with pytest.raises(ValueNotStorable):
        stored(Ride(1), "refuse")


def test_what_the_operators_of_the_dag_declare_is_honoured(allow, monkeypatch):
    from airflow.sdk import serde

    allow()
    monkeypatch.setattr(serde, "_extra_allowed", set())
    serde.allow_class(Open)
    assert_identical(Open(y=1), documents.read(stored(Open(y=1), "refuse")[0]))


def test_a_push_imports_nothing_and_asks_no_class_of_another_name(allow):
    allow("*")
    local = dataclasses.make_dataclass("Local", ["x"])
    document, changed = stored([local(1)])
    name = f"{local.__module__}.Local"  # `types` before Python 3.12
    assert document == [{"$xcom": ["unreadable", name, document[0]["$xcom"][2]]}]
    assert "Local at [0] cannot be read back" in str(changed)
    with pytest.raises(ValueNotStorable, match="of which the push has warned"):
        documents.read(document)


def test_a_class_of_a_dag_file_is_stored_with_the_advice_to_move_it(allow, monkeypatch):
    allow("*")
    module = types.ModuleType("unusual_prefix_1a2b_trips")
    kind = dataclasses.make_dataclass("Trip", ["x"])
    kind.__module__ = module.__name__
    module.Trip = kind
    monkeypatch.setitem(sys.modules, module.__name__, module)
    _document, changed = stored(kind(1))
    assert "Move it to a module in include/" in str(changed)


@pytest.mark.parametrize(
    "make",
    [lambda: WithLock("x"), lambda: Locked([1]), lambda: HoldsLock({1: 2})],
    ids=["dataclass", "attrs", "field"],
)
def test_what_cannot_be_stored_beside_the_fields_is_made_anew(make):
    value = make()
    document, changed = stored(value, "refuse")
    back = documents.read(document)
    assert type(back) is type(value)
    assert getattr(back, "x", None) == getattr(value, "x", None)
    assert getattr(back, "name", None) == getattr(value, "name", None)
    lock = getattr(back, "lock", None) or vars(back)["_lock"]
    assert lock.acquire(blocking=False)
    assert not changed.count


def test_private_attributes_that_cannot_be_stored_are_made_anew():
    value = set_by_hand(Client(name="x"), _calls=7)
    back = documents.read(stored(value, "refuse")[0])
    private, new = value.__pydantic_private__, back.__pydantic_private__
    assert (back.name, new["_calls"], type(new["_lock"])) == ("x", 7, type(private["_lock"]))
    assert new["_lock"] is not private["_lock"]


def test_what_can_be_stored_beside_a_lock_comes_back_as_it_was():
    value = set_by_hand(Counting([1]), later=(2,))
    value.items.append(2)
    back = documents.read(stored([value], "refuse")[0])[0]
    assert (back.size, back.items, back.later) == (1, [1, 2], (2,))
    assert vars(back)["_lock"] is not vars(value)["_lock"]


def test_what_is_compared_by_its_value_is_not_replaced_in_silence():
    value = Calling("x")
    assert stored(value)[1].count == 0
    value.calls.append(print)
    assert "Calling at the top comes back as __init__ makes it" in str(stored(value)[1])


@pytest.mark.parametrize("make", [
    lambda: set_by_hand(Failed(1), args=(1, 2)), lambda: set_by_hand(WithLock("x"), _lock=len),
    lambda: set_by_hand(Stop(1), note=len), lambda: set_by_hand(Model(at=NOON), _count=len),
])  # fmt: skip
def test_what_is_beside_the_fields_and_not_made_anew_is_noted(make):
    document, changed = stored(make())
    assert changed.count == 1
    documents.read(document)


class TestANewVersionOfAClass:
    """Its field is found missing, or too many, by name."""

    @pytest.mark.parametrize(("kind", "document"), [
        ("dataclass", ["dataclass", "tests.xcom_store.classes.Stop", {"at": 1}]),
        ("attrs", ["attrs", "tests.xcom_store.classes.Ride", {"_secret": 1, "made": []}]),
        ("pydantic", ["pydantic", "tests.xcom_store.classes.Open", {}, {"__pydantic_fields_set__": []}]),
        ("named tuple", ["namedtuple", "tests.xcom_store.classes.Pair", {"left": 1}]),
    ])  # fmt: skip
    def test_a_new_field_with_a_default_is_filled_with_a_warning(self, caplog, kind, document):
        made = documents.read({"$xcom": document})
        names = {"dataclass": "fare", "attrs": "count", "pydantic": "x", "named tuple": "right"}
        defaults = {"dataclass": Decimal("19.90"), "attrs": 2, "pydantic": 1, "named tuple": 5}
        assert_identical(defaults[kind], getattr(made, names[kind]))
        assert f"stored without the field {names[kind]!r}" in caplog.text

    @pytest.mark.parametrize(("document", "says"), [
        (["dataclass", "tests.xcom_store.classes.Stop", {"fare": 1}], "needs a field 'at'"),
        (["dataclass", "tests.xcom_store.classes.Stop", {"at": 1, "was": 2}], "has no field 'was'"),
        (["attrs", "tests.xcom_store.classes.Key", {}], "needs a field 'name'"),
        (["pydantic", "tests.xcom_store.classes.Model", {}], "needs a field 'at'"),
        (["pydantic", "tests.xcom_store.classes.Open", {"gone": 1}], "no field 'gone'"),
        (["pydantic", "tests.xcom_store.classes.Client", {"name": "", "_gone": 1}], "no field '_gone'"),
        (["namedtuple", "tests.xcom_store.classes.Pair", {"was": 1}], "has no field 'was'"),
        (["enum", "tests.xcom_store.classes.Access", "GONE"], "no member 'GONE'"),
        (["dataclass", "tests.xcom_store.classes.Gone", {}], "class tests.xcom_store.classes.Gone is not there"),
    ])  # fmt: skip
    def test_a_field_that_is_gone_or_needed_is_named(self, document, says):
        with pytest.raises(ObjectCorrupt, match=says):
            documents.read({"$xcom": document})


def test_what_is_deep_or_contains_itself_takes_no_time():
    for make in (
        lambda inner: Stop(inner),
        lambda inner: Open(x=1, inner=inner),
        lambda inner: Ride(inner),
    ):
        deep = object()
        for _ in range(40):
            deep = make(deep)
        with pytest.raises(ValueNotStorable):
            stored(deep)
    locked = "x"
    for _ in range(40):
        locked = WithLock(locked)
    assert not stored(locked)[1].count
    itself = Open(x=1, inner=[])
    itself.inner.append(itself)
    with pytest.raises(ValueNotStorable, match="contains itself"):
        stored(itself)


def test_reading_runs_no_code_of_the_class(monkeypatch):
    document, _ = stored([Built(1, 2), Ride(1), Model(at=NOON), Undecorated(1)])
    for kind in (Built, Ride, Model, Undecorated):
        for name in ("__init__", "__setattr__", "__post_init__", "model_post_init"):
            monkeypatch.setattr(kind, name, pytest.fail, raising=False)
    documents.read(document)


@pytest.mark.parametrize("make", [
    lambda: Login(user="u", password="hunter2"), lambda: Stop(pydantic.SecretStr("hunter2")),
    lambda: [pydantic.SecretBytes(b"hunter2")], lambda: Open(extra=pydantic.SecretStr("hunter2")),
    lambda: {pydantic.SecretStr("hunter2"): 1}, lambda: set_by_hand(Model(at=NOON), _count=pydantic.SecretStr("hunter2")),
    lambda: set_by_hand(Stop(1), beside=pydantic.SecretStr("hunter2")), lambda: Pair(pydantic.SecretStr("hunter2")),
])  # fmt: skip
def test_a_secret_is_never_written_in_clear(make):
    document, changed = stored(make())
    assert "hunter2" not in f"{document} {changed}"
    assert changed.count == 1
    assert "comes back as its mask" in str(changed)
    assert "**********" in str(document)
    documents.read(document)
    with pytest.raises(ValueNotStorable) as error:
        stored(make(), "refuse")
    assert "hunter2" not in str(error.value)


def test_models_in_a_model_that_is_allowed_need_no_permission_of_their_own(allow):
    """As with Airflow, whose pydantic makes them by the model's own annotations."""
    allow("airflow.* tests.xcom_store.classes.Nested")
    value = Nested(one=Open(x=2), many={"a": [Model(at=NOON)]}, stop=None)
    document, _ = stored(value, "refuse")
    assert_identical(value, documents.read(document))


@pytest.mark.parametrize(("value", "expected"), [
    (Stop(Pair(1, Ride(1)), Stop(2)), None),  # Airflow cannot read it, either
    (Stop([Frozen(1)], Frozen((2,))), Stop([{"key": 1}], {"key": (2,)})),
    (Model(at=NOON, anything=[Frozen(Decimal("1.50"))]), Model(at=NOON, anything=[{"key": "1.50"}])),
    (set_by_hand(Model(at=NOON), _count=dt.datetime(2026, 1, 1, tzinfo=tz.tzstr("EST5EDT"))), Model(at=NOON)),
], ids=["attrs", "dataclass", "pydantic", "private"])  # fmt: skip
def test_a_part_that_cannot_be_read_comes_back_as_airflow_would_give_it(allow, value, expected):
    """If the object around it may be read: Airflow knows the part by that."""
    allow("airflow.* tests.xcom_store.classes.Stop tests.xcom_store.classes.Model")
    document, changed = stored([value])
    assert changed.count >= 1
    if expected is None:
        with pytest.raises(ValueNotStorable):
            documents.read(document)
        return
    back = documents.read(document)[0]
    assert back == expected
    assert changed.count == 1
    assert "at [0] comes back as tests.xcom_store.classes." in str(changed)
    assert "a part of it cannot be read back" in str(changed)
    with pytest.raises(ValueNotStorable):
        stored([value], "refuse")
