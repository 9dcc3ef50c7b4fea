"""The way back to Airflow's own backend, in the order of docs/switching.md."""

from __future__ import annotations

import pytest

pytest.importorskip("obstore")
pytest.importorskip("polars")
from airflow.sdk.bases.xcom import BaseXCom

from include.xcom_store.errors import ValueNotStorable
from include.xcom_store.record import is_record
from tests.xcom_store import cases
from tests.xcom_store.conftest import DAG, RUN, TASK
from tests.xcom_store.identical import assert_identical

OLD = {
    "old list": [{"trip": i} for i in range(100)],
    "old frame": cases.frame(miles=[1.5, 2.5]),
    "old frame in a dict": {"train": cases.frame(miles=[1.5])},
    "old tuple": (1, "a"),
    "old dict": {"a": 1},
}
"""Three references, an inline record, and plain JSON."""
PLAIN = {"old dict"}
NEW = (
    "none in a list", "bool", "int", "int of 64 bits", "float", "str", "str like a URI", "list",
    "dict", "tuple", "set", "frozenset", "date", "datetime", "zoneinfo", "timedelta", "UUID",
    "dataclass", "attrs object", "pydantic model", "object with serialize",
)  # fmt: skip
"""What Airflow's own backend gives back exactly, by name in the round-trip table."""
REFUSED = (
    "frame, str", "frames in a dict", "array", "bytes", "complex", "named tuple", "enum",
    "int beyond 64 bits", "str with lone surrogate", "str with NUL",
)  # fmt: skip


@pytest.fixture
def switched_off(xcom, configure):
    """A deployment that has stored values in S3, has set `offload` to False, and goes on."""
    for key, value in OLD.items():
        xcom.push(value, key=key)
    objects = xcom.s3.keys()
    assert len(objects) == 4  # the dict of a frame is two
    configure(offload=False)
    for name in NEW:
        xcom.push(cases.VALUES[name](), key=name)
    assert xcom.s3.keys() == objects
    return xcom


def airflows_own(key):
    return BaseXCom.get_one(key=key, dag_id=DAG, run_id=RUN, task_id=TASK)


def test_old_and_new_values_are_readable_while_the_backend_stays(switched_off):
    for key, value in OLD.items():
        assert_identical(value, switched_off.pull(key), key)
    for name in NEW:
        assert_identical(cases.VALUES[name](), switched_off.pull(name), name)


@pytest.mark.parametrize("name", REFUSED)
def test_what_airflow_would_not_give_back_is_refused(switched_off, name):
    rows = dict(switched_off.rows)
    with pytest.raises(ValueNotStorable, match="offload is False"):
        switched_off.push(cases.VALUES[name](), key="refused")
    assert switched_off.rows == rows


def test_a_number_that_postgresql_changes_is_stored_with_a_warning(switched_off, configure, caplog):
    """Airflow's own backend takes it."""
    switched_off.push([1.5, -0.0, 1e16])
    assert "holds -0.0, which PostgreSQL changes" in caplog.text
    assert_identical([1.5, -0.0, 1e16], airflows_own("return_value"))
    configure(inexact="refuse")
    with pytest.raises(ValueNotStorable, match="PostgreSQL"):
        switched_off.push(1e16)


def test_airflows_own_backend_reads_every_new_value(switched_off):
    for name in NEW:
        assert_identical(cases.VALUES[name](), airflows_own(name), name)


def test_airflows_own_backend_reads_an_old_record_as_the_dict_it_is(switched_off, supervisor):
    for key, value in OLD.items():
        stored = supervisor.value(dag_id=DAG, run_id=RUN, task_id=TASK, key=key)
        assert is_record(stored) is (key not in PLAIN)
        assert_identical(stored, airflows_own(key), key)
        if key in PLAIN:
            assert_identical(value, stored, key)
