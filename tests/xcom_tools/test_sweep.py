"""The sweep on a real API server of Airflow and a real S3: what it deletes, and what it must not."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import obstore
import pytest

pytest.importorskip("dev.airflow_server", reason="only `python3 -m dev test` runs this")

from include.xcom_store.keys import Owner
from include.xcom_tools import check_access, marker
from include.xcom_tools.airflow_api import AirflowApiError
from tests.xcom_tools.sweep_airflow import BIG, HIDDEN_DAG, LIMITED_USER, owner

NESTED = {"a": np.arange(3), "b": [np.arange(4)]}


def key(record, s3):
    return record["uri"].removeprefix(f"{s3.url}/")


def left(s3):
    """The keys of the objects in the bucket."""
    return s3.keys()


def test_every_kind_of_orphan_and_nothing_else(airflow, s3, sweep):
    live = [airflow.push(BIG, owner(index=index)) for index in range(5)]
    live.append(airflow.push(NESTED, owner(task="nested")))
    before = set(left(s3))
    airflow.push(BIG, owner(run="manual__2"))
    airflow.push(NESTED, owner(run="manual__2", task="nested"))
    airflow.push(BIG, owner(key="deleted"))
    airflow.push(BIG, owner(dag="gone"))
    airflow.push(BIG, owner(index=3, key="twice"))
    airflow.delete_run("trips", "manual__2")
    airflow.delete_xcom(owner(key="deleted"))
    airflow.delete_dag("gone")
    twice = airflow.push(NESTED, owner(index=3, key="twice"))
    airflow.push(BIG, owner(key="then inline"))
    airflow.push(1, owner(key="then inline"), later=60)
    kept = before | {k for k in left(s3) if k.startswith(key(twice, s3).removesuffix(".json"))}

    dry = sweep(delete=False)
    found = sweep()
    assert dry.total.orphans == found.total.orphans == found.total.deleted == 6
    assert [f.uri for f in dry.told] == [f.uri for f in found.told]
    assert {f.reason for f in found.told} == {"there is no such row", "its row holds another value"}
    assert found.kinds == ["orphan"] * 6
    assert found.total.orphan_objects == 8
    assert set(left(s3)) == kept
    assert found.total.live == len(live) + 1
    assert sweep().told == []
    assert dry.total.deleted == 0


def test_what_was_just_written_is_left_alone(airflow, s3, sweep):
    airflow.push(NESTED, owner())
    airflow.delete_run("trips", "manual__1")
    found = sweep(grace=timedelta(minutes=5))
    assert (found.told, found.total.young, found.total.objects) == ([], 1, 3)
    assert found.run.api.requests == 0  # not even asked for
    assert sweep().total.deleted == 1
    assert left(s3) == []


def test_a_replaced_value_whose_row_was_written_at_once_is_found_by_the_thorough(
    airflow, s3, sweep
):
    airflow.push(BIG, owner())
    airflow.push(1, owner())
    assert sweep().told == []
    assert sweep(thorough=True).total.deleted == 1


def test_leaves_without_their_main_object(airflow, s3, sweep):
    live = airflow.push(NESTED, owner())
    orphan = airflow.push(NESTED, owner(key="other"))
    airflow.delete_xcom(owner(key="other"))
    obstore.delete(s3.client, [key(live, s3), key(orphan, s3)])
    found = sweep()
    assert sorted(found.kinds) == ["missing", "orphan"]
    assert [f.uri for f in found.told if f.kind == "missing"] == [live["uri"]]
    assert all(k.startswith(key(live, s3).removesuffix(".json")) for k in left(s3))
    assert len(left(s3)) == 2


def test_an_interrupted_deletion_is_finished(airflow, s3, sweep):
    """Leaves go first; a main object that is left is an orphan still."""
    record = airflow.push(NESTED, owner())
    airflow.delete_xcom(owner())
    leaves = [k for k in left(s3) if k != key(record, s3)]
    obstore.delete(s3.client, leaves)
    assert sweep().total.deleted == 1
    assert left(s3) == []


def test_objects_of_other_names_are_told_and_kept(airflow, s3, sweep):
    partition = "dag_id=trips/run_id=r/task_id=t/map_index=-1"
    names = [
        "notes.txt",
        f"{partition}/table.parquet",
        f"{partition}/k-{'0' * 31}.json",
        f"team/{partition}/k-{'0' * 32}.json",  # of a prefix within this one
    ]
    for name in names:
        obstore.put(s3.client, name, b"mine")
    unreadable = f"dag_id=a b/run_id=r/task_id=t/map_index=-1/k-{'0' * 32}.json"
    obstore.put(s3.client, unreadable, b"mine")
    found = sweep()
    assert sorted(found.kinds) == ["not ours"] * 4 + ["unsure"]
    assert found.run.others == 4
    assert len(left(s3)) == 5


@pytest.mark.parametrize("begin", [marker.PROBE, f"{check_access.FOLDER}/"])
def test_what_an_interrupted_claim_or_check_has_left_is_deleted_once_it_is_old(s3, sweep, begin):
    obstore.put(s3.client, f"{begin}{'0' * 32}", b"1")
    assert sweep(grace=timedelta(hours=1)).told == []  # it may be under way
    [found] = sweep(delete=False).told
    assert (found.kind, found.objects, found.deleted) == ("left over", 1, False)
    assert sweep().told == [found._replace(deleted=True)]
    assert left(s3) == []


LONG = "ü" * 100  # 600 bytes when it is encoded


@pytest.mark.parametrize("name", ["run_id", "task_id", "key"])
def test_names_that_are_cut_in_keys(airflow, s3, sweep, name):
    # … of the same first 147 bytes
    live, gone = (owner()._replace(**{name: LONG + end}) for end in ("a", "b"))
    airflow.push(BIG, live)
    kept = left(s3)
    airflow.push(BIG, gone)
    assert sweep().told == []
    airflow.delete_xcom(gone)
    found = sweep()
    assert found.kinds == ["orphan"]
    assert left(s3) == kept
    airflow.push(BIG, live)
    assert sweep(thorough=True).total.deleted == 1
    assert len(left(s3)) == 1


def test_a_cut_dag_name(airflow, s3, sweep):
    airflow.push(BIG, owner(dag=LONG))
    airflow.push(BIG, owner(dag=LONG, key="twice"))
    airflow.push(BIG, owner(dag=LONG, key="twice"))
    assert sweep().total.deleted == 1
    airflow.delete_dag(LONG)  # now nobody knows its name
    found = sweep()
    assert found.kinds == ["unsure"] * 2
    assert len(left(s3)) == 2


def test_too_many_rows_to_tell_a_cut_name_by(airflow, s3, sweep):
    for number in range(101):
        airflow.put(1, owner(key=f"k{number}"))
    airflow.push(BIG, owner(key=LONG))
    assert sweep().told == []
    assert sweep(thorough=True).kinds == ["unsure"]
    airflow.delete_xcom(owner(key=LONG))
    assert sweep().kinds == ["unsure"]
    assert len(left(s3)) == 1


@pytest.mark.parametrize("odd", ["a/b", "/a", "a?b=c#d", "%2F", "a b", "…", "a~b", "&", "a//b/"])
def test_names_that_urls_do_not_like(airflow, s3, sweep, odd):
    airflow.push(BIG, owner(key=odd))
    gone = owner(key=odd + "2")
    airflow.push(BIG, gone)
    airflow.delete_xcom(gone)
    assert sweep(thorough=True).total.deleted == 1
    assert len(left(s3)) == 1


@pytest.mark.parametrize("dots", [".", ".."])
def test_what_no_url_can_hold_is_kept(airflow, s3, sweep, dots):
    airflow.push(BIG, owner(key=dots))
    assert sweep(thorough=True).kinds == ["unsure"]
    assert len(left(s3)) == 1


def test_a_run_that_no_url_can_hold_stops_the_sweep(airflow, s3, sweep):
    """uvicorn decodes %2F, and no route of Airflow's fits: not its words for a missing row."""
    airflow.push(BIG, owner(run="a/b"))
    airflow.delete_run("trips", "a/b")
    with pytest.raises(AirflowApiError, match="not understood"):
        sweep()
    assert len(left(s3)) == 1


def test_a_dag_that_the_token_may_not_read_is_refused(airflow, s3, connect, sweep):
    for dag in ("a", HIDDEN_DAG, "z"):
        airflow.push(BIG, owner(dag=dag))
        airflow.push(BIG, owner(dag=dag, key="gone"))
        airflow.delete_xcom(owner(dag=dag, key="gone"))
    airflow.delete_run(HIDDEN_DAG, "manual__1")
    for thorough in (False, True):
        found = sweep(connect(LIMITED_USER), thorough=thorough, delete=thorough)
        assert found.kinds == ["orphan", "refused", "orphan"]
        assert f"/dag_id={HIDDEN_DAG}/" in found.told[1].uri
    assert found.total.deleted == 2
    assert len([k for k in left(s3) if HIDDEN_DAG in k]) == 2
    assert sweep().total.deleted == 2


class Around:
    """Another client, of which a subclass changes what it answers."""

    def __init__(self, api):
        self.api = api

    def __getattr__(self, name):
        return getattr(self.api, name)


class Misleading(Around):
    """Its lists leave rows out, as lists do while rows come and go."""

    def xcoms(self, *args, **more):
        return iter(())


def test_lists_that_shift_delete_nothing(airflow, s3, connect, sweep):
    records = [airflow.push(BIG, owner(index=index)) for index in range(20)]
    found = sweep(Misleading(connect()))
    assert (found.told, found.total.live) == ([], 20)
    assert len(left(s3)) == len(records)


class Failing(Around):
    """Does not answer after some requests."""

    left = 12

    def xcom(self, owner):
        self.left -= 1
        if not self.left:
            raise AirflowApiError("killed")
        return self.api.xcom(owner)


def test_an_error_ends_it_where_it_is_and_it_can_go_on(airflow, s3, store, connect, sweep):
    from include.xcom_tools.sweep_run import Sweep

    for index in range(30):
        airflow.push(BIG, owner(index=index))
    airflow.delete_run("trips", "manual__1")
    run = Sweep(store(), Failing(connect()), delete=True, grace=timedelta(0))
    told = []
    with pytest.raises(AirflowApiError, match="killed"):
        told += run.findings()
    assert run.total.deleted == 11
    assert len(left(s3)) == 19
    assert run.reached not in left(s3)
    assert sweep(after=run.reached).total.deleted == 19


def test_a_row_that_comes_back_is_seen(airflow, s3, connect, sweep):
    record = airflow.push(BIG, owner())
    airflow.delete_xcom(owner())

    class Late(Around):
        def xcom(self, whose):
            airflow.put(record, whose)  # after the list, before the question
            return self.api.xcom(whose)

    assert sweep(Late(connect())).told == []
    assert len(left(s3)) == 1


def test_rows_whose_object_is_gone(airflow, s3, sweep):
    from include.xcom_tools.sweep_missing import rows_without_objects

    whole = airflow.push(NESTED, owner(task="whole"))
    cut = airflow.push(NESTED, owner(task="cut"))
    gone = airflow.push(BIG, owner(task="gone"))
    replaced = airflow.push(BIG, owner(task="replaced"))
    newer = airflow.push(BIG, owner(task="replaced"))
    airflow.push(1, owner(task="inline"))
    nested = key(cut, s3).removesuffix(".json")
    leaf = next(k for k in left(s3) if k.startswith(f"{nested}/"))
    obstore.delete(s3.client, [key(gone, s3), key(newer, s3), leaf])
    found = sweep(thorough=True)
    assert {f.uri for f in found.told if f.kind == "missing"} == {cut["uri"], newer["uri"]}
    assert [f.uri for f in found.told if f.kind == "orphan"] == [replaced["uri"]]
    run = found.run
    # The sweep has deleted what was left of the row of `newer`; before, it met that row itself.
    lost = [f.uri for f in rows_without_objects(run.store, run.api, run.owner)]
    assert sorted(lost) == sorted([gone["uri"], newer["uri"]])
    assert [f.uri for f in rows_without_objects(run.store, run.api, owner(task="gone"))] == [
        gone["uri"]
    ]
    assert key(whole, s3) in left(s3)


def test_only_of_one_dag(airflow, s3, sweep):
    for dag in ("a", "b"):
        airflow.push(BIG, owner(dag=dag))
        airflow.delete_dag(dag)
    assert sweep(owner=Owner("b", None)).total.deleted == 1
    [kept] = left(s3)
    assert kept.startswith("dag_id=a/")


def test_s3_refuses_to_delete(aws, store):
    """The whole value is kept, and nobody is told that it was deleted."""
    from datetime import UTC, datetime

    from include.xcom_store.errors import AccessDenied
    from include.xcom_tools.listing import parse
    from include.xcom_tools.sweep_values import Value

    stem = f"dag_id=d/run_id=r/task_id=t/map_index=-1/k-{'0' * 32}"
    names = [f"{stem}.json", f"{stem}/0.npy", f"{stem}/1.npy"]
    for name in names:
        aws.s3.put_object(Bucket="tools-bucket", Key=f"xcom/{name}", Body=b"x")
    aws.enforce("s3:GetObject", "s3:PutObject")
    value = Value(parse(names[0]), datetime.now(UTC), names)
    with pytest.raises(AccessDenied):
        value.delete(store())
