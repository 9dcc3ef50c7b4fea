"""Whatever happens to values and rows, in any order: a sweep never deletes what a row refers to."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("dev.airflow_server", reason="only `python3 -m dev test` runs this")
pytest.importorskip("hypothesis")
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.xcom_tools.sweep_airflow import BIG, owner

VALUES = {"big": BIG, "nested": {"a": np.arange(3), "b": [np.arange(4)]}, "inline": 1}
OWNERS = [
    owner(dag=dag, run=run, index=index, key=key)
    for dag, run in (("a", "r"), ("a", "r-1"), ("a-b", "r"), ("ü" * 100, "r"))
    for index, key in ((-1, "k"), (-1, "k-1"), (1, "ü" * 100))
]
whose = st.sampled_from(OWNERS)
steps = st.one_of(
    st.tuples(st.just("push"), whose, st.sampled_from(sorted(VALUES)), st.sampled_from([0, 60])),
    st.tuples(st.just("retry"), whose, st.sampled_from(sorted(VALUES))),
    st.tuples(st.just("delete_xcom"), whose),
    st.tuples(st.just("delete_run"), whose),
    st.tuples(st.just("sweep"), st.booleans(), st.booleans()),
)


class World:
    """What was pushed, and a check after each sweep."""

    def __init__(self, rows, s3, sweep, store):
        self.rows, self.s3, self.swept, self.store = rows, s3, sweep, store

    def push(self, whose, value, later=0):
        self.rows.push(VALUES[value], whose, later=later)

    def retry(self, whose, value):
        """A new try deletes what the earlier one pushed, through the backend, and pushes again."""
        from include.xcom_store import values
        from include.xcom_store.record import is_record

        record = self.rows.value(whose)
        if is_record(record):
            values.remove(record, whose, self.store)
        self.rows.delete_xcom(whose)
        self.push(whose, value)

    def delete_xcom(self, whose):
        self.rows.delete_xcom(whose)

    def delete_run(self, whose):
        self.rows.delete_run(*whose[:2])

    def sweep(self, delete, thorough):
        needed = self.referenced()
        before = set(self.s3.keys())
        found = self.swept(delete=delete, thorough=thorough)
        after = set(self.s3.keys())
        assert needed <= after
        assert "missing" not in found.kinds
        if not delete:
            assert after == before
        if thorough:
            assert found.total.orphan_objects == len(before - needed)
            assert not delete or after == needed

    def referenced(self):
        """The keys of all objects that rows refer to."""
        records = [self.rows.value(whose) for whose in OWNERS]
        stems = [
            record["uri"].removeprefix(f"{self.s3.url}/").partition(".")[0]
            for record in records
            if isinstance(record, dict)
        ]
        return {key for key in self.s3.keys() if key.startswith(tuple(stems))}  # noqa: SIM118


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=st.lists(steps, min_size=3, max_size=25))
def test_no_referenced_object_is_ever_deleted(api_server, s3, sweep, store, history):
    check(api_server, s3, sweep, store, history)


@pytest.mark.weekly
@settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=st.lists(steps, min_size=5, max_size=60))
def test_no_referenced_object_is_ever_deleted_in_many_histories(
    api_server, s3, sweep, store, history
):
    check(api_server, s3, sweep, store, history)


def check(api_server, s3, sweep, store, history):
    import obstore

    api_server.rows.clear()
    if left := s3.keys():
        obstore.delete(s3.client, left)
    world = World(api_server.rows, s3, sweep, store())
    for what, *with_ in [*history, ("sweep", True, True)]:
        getattr(world, what)(*with_)
