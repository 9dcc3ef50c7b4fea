"""The operator's tool on Google Cloud Storage, Azure Blob Storage and HDFS, and on two at once."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("dev.airflow_server", reason="only `python3 -m dev test` runs this")
pytest.importorskip("obstore")
import pandas as pd

from include.xcom_store import settings
from include.xcom_store.stores.base import Store
from include.xcom_store.stores.webhdfs import TEMPORARY
from include.xcom_tools import check, marker
from include.xcom_tools.errors import ToolError
from tests import services
from tests.xcom_store.conftest import DAG, RUN, TASK
from tests.xcom_tools.sweep_airflow import BIG, owner
from tests.xcom_tools.test_sweep import (
    NESTED,
    test_every_kind_of_orphan_and_nothing_else,  # noqa: F401
    test_what_was_just_written_is_left_alone,  # noqa: F401
)
from tests.xcom_tools.test_verify import (
    test_all_is_well as test_verify_says_that_all_is_well,  # noqa: F401
)
from tests.xcom_tools.test_verify import verify  # noqa: F401

service = services.each_other
WHICH = ("--dag-id", DAG, "--run-id", RUN, "--task-id", TASK)
FRAME = pd.DataFrame({"a": [1, 2]})


def list_of(place):
    return place.keys()


def test_what_lies_there_is_listed_and_shown(xcom, command):
    uri = xcom.push(FRAME)["uri"]
    xcom.push({"frame": FRAME}, task_id="other")
    assert {row["uri"] for row in command("ls", "--json").lines()} == {
        f"{xcom.s3.url}/{key}" for key in list_of(xcom.s3)
    }
    assert [row["objects"] for row in command("du", "--json").lines()] == [3]
    assert command("uri", *WHICH).out.strip() == uri
    for which in (WHICH, (uri,)):
        assert command("cat", *which, "--json").lines() == [{"a": 1}, {"a": 2}]


def test_a_check_says_what_it_does_not_look_at(s3):
    lines = {line.about: line for line in check.report()}
    for about in ("list", "write", "read", "delete"):
        assert lines[about].state in ("ok", "warning"), lines[about]
    assert lines["configuration"].state == "not known"
    assert "Versioning" in lines["configuration"].found
    anonymous = {"gs": "error", "az": "ok", "hdfs": "warning"}  # SeaweedFS lets everyone in
    assert lines["anonymous"].state == anonymous[s3.scheme]
    assert s3.keys() == []


def test_a_check_of_a_local_server_is_not_about_its_configuration(s3, command):
    """The emulators are open to everybody, which is no fault on one's own machine."""
    found = command("check", "--local", "--json")
    lines = {line["about"]: line for line in found.lines()}
    assert found.code == 0
    assert "anonymous" not in lines
    assert "a server on your machine" in lines["configuration"]["found"]


def test_a_check_of_what_cannot_be_reached(s3, configure):
    s3.through(9)
    configure(retry_timeout=1)
    errors = [line for line in check.report() if line.state == "error"]
    assert [line.about for line in errors] == ["endpoint"]
    assert "127.0.0.1" in errors[0].found


def claim_by_hand(api, s3):
    api.create_variable(marker.VARIABLE, "by-hand", "")
    said = {"deployment_id": "by-hand", "uri": f"{s3.url}/"}
    s3.write(marker.KEY, json.dumps(said).encode())


def test_only_what_can_be_claimed_safely_is(airflow, connect, s3, store):
    api = connect()
    if s3.scheme == "gs":
        with pytest.raises(ToolError, match=r"cannot be claimed.*overwrites"):
            marker.claim(store(), api)
        assert s3.keys() == []
        claim_by_hand(api, s3)
    else:
        marker.claim(store(), api)
    assert marker.is_ours(store(), api)
    marker.claim(store(), api)
    assert s3.keys() == [marker.KEY]


def test_a_sweep_by_the_command_line(airflow, connect, s3, command, configure):
    claim_by_hand(connect(), s3)
    airflow.push(NESTED, owner())
    airflow.push(BIG, owner(key="other"))
    airflow.delete_xcom(owner())
    configure(operation_timeout=0.001)  # the least grace is twice that
    done = command("sweep", "--delete", "--grace-hours", "0.000001", "--json")
    assert done.code == 0, done.err
    assert [row["kind"] for row in done.lines()] == ["orphan", "dag", "total"]
    assert len(s3.keys()) == 2


def test_what_a_killed_push_has_left_is_an_orphan(airflow, s3, sweep):
    if s3.scheme != "hdfs":
        pytest.skip("only HDFS shows what is not complete")
    live = airflow.push(NESTED, owner())["uri"].removeprefix(f"{s3.url}/")
    folder, _, name = live.rpartition("/")
    stem = name.removesuffix(".json")[:-32]
    s3.write(f"{folder}/{TEMPORARY}{stem}{'1' * 32}.parquet", b"x")
    s3.write(f"{folder}/{stem}{'2' * 32}/{TEMPORARY}0.npy", b"x")
    kept = [key for key in list_of(s3) if TEMPORARY not in key]
    assert sweep().total.deleted == 2
    assert s3.keys() == kept


class TestTwoStores:
    """S3 was used before; `also_read` names it."""

    @pytest.fixture
    def earlier(self, s3_server, s3, configure, monkeypatch):
        place = services.place(services.S3(s3_server), "earlier", configure, monkeypatch)
        for key in list_of(place):
            place.remove(key)
        return place

    @pytest.fixture
    def move(self, s3, earlier, configure):
        def move():
            configure(url=s3.url, also_read=earlier.url)
            return s3

        return move

    def test_values_in_flight_are_read_and_deleted(self, xcom, earlier, move):
        record = xcom.push({"a": FRAME})
        assert record["uri"].startswith("s3://")
        move()
        assert xcom.pull()["a"].equals(FRAME)
        xcom.delete()  # as a new try does
        assert earlier.keys() == []
        assert xcom.push({"a": FRAME})["uri"].startswith(xcom.s3.url)
        assert xcom.pull()["a"].equals(FRAME)

    def test_both_are_swept_and_checked(self, airflow, earlier, move, connect, swept):
        api = connect()
        airflow.push(NESTED, owner(key="live"))
        airflow.push(NESTED, owner(key="pushed again"))
        airflow.push(NESTED, owner(key="gone"))
        s3 = move()
        airflow.push(NESTED, owner(key="pushed again"), later=60)
        airflow.delete_xcom(owner(key="gone"))
        claim_by_hand(api, s3)
        earlier.write(
            marker.KEY, s3.read(marker.KEY).replace(s3.url.encode(), earlier.url.encode())
        )
        assert swept() == []
        found = swept("--url", earlier.url, "--delete")
        assert [(row["kind"], row["deleted"]) for row in found] == [("orphan", True)] * 2
        assert len(earlier.keys()) == 3 + 1
        assert len(s3.keys()) == 3 + 1
        states = {(line.about, line.state) for line in check.report() if line.about == "write"}
        assert states <= {("write", "ok"), ("write", "warning")}
        assert len([line for line in check.report() if line.about == "write"]) == 2

    @pytest.fixture
    def swept(self, command, configure):
        def swept(*arguments):
            configure(operation_timeout=0.001)  # the least grace is twice that
            done = command("sweep", "--grace-hours", "0.000001", "--json", *arguments)
            configure(operation_timeout=None)
            assert done.code == 0, done.err
            return [row for row in done.lines() if row["kind"] not in ("dag", "total")]

        return swept

    def test_a_store_that_is_not_set(self, move, command):
        move()
        done = command("sweep", "--url", "s3://another/xcom")
        assert done.code == 2
        assert "s3://another/xcom is none of those" in done.err

    def test_each_finds_what_lies_in_the_other(self, s3, earlier, move):
        move()
        for options in (
            settings.load(),
            settings.load()._replace(url=earlier.url, also_read=s3.url),
        ):
            for url in (s3.url, earlier.url):
                found, key = Store(options).find(f"{url}/a")
                assert (found.uri(), key) == (f"{url}/", "a")
