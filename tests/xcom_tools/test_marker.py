"""A prefix belongs to one deployment: the marker in the bucket and the Variable in Airflow."""

from __future__ import annotations

import json

import obstore
import pytest

pytest.importorskip("dev.airflow_server", reason="only `python3 -m dev test` runs this")

from include.xcom_store.stores.base import Store
from include.xcom_tools import marker
from include.xcom_tools.errors import OK, UNREACHABLE, USAGE, ToolError
from tests.xcom_tools.sweep_airflow import BIG, PASSWORD, owner


@pytest.fixture
def here(s3, store):
    """The store whose prefix is claimed."""
    return store()


def elsewhere(store, name):
    """The store of another prefix in the same bucket."""
    options = store.settings
    return Store(options._replace(url=f"{options.url}/{name}"))


def written(s3):
    return json.loads(bytes(obstore.get(s3.client, marker.KEY).bytes()))


def test_nobody_has_claimed_it(airflow, here, connect):
    assert marker.is_ours(here, connect()) is False


def test_claimed_once_and_again(airflow, here, connect, s3):
    api = connect()
    marker.claim(here, api)
    first = written(s3)
    assert marker.is_ours(here, api)
    assert first["deployment_id"] == api.variable(marker.VARIABLE)
    assert first["uri"] == f"{s3.url}/"
    marker.claim(here, api)
    assert written(s3) == first


def test_two_prefixes_of_one_deployment(airflow, here, connect, s3, configure):
    api = connect()
    marker.claim(here, api)
    first = written(s3)["deployment_id"]
    marker.claim(elsewhere(here, "second"), api)
    assert api.variable(marker.VARIABLE) == first


@pytest.mark.parametrize("theirs", ["another", None])
def test_another_deployment_is_refused(airflow, here, connect, s3, theirs):
    marker.claim(here, connect())
    airflow.clear()
    if theirs:
        airflow.set_variable(marker.VARIABLE, theirs)
    before = written(s3)
    for attempt in (marker.is_ours, marker.claim):
        with pytest.raises(marker.ForeignPrefix, match="belongs to another Airflow deployment"):
            attempt(here, connect())
    assert written(s3) == before


def test_a_marker_that_was_copied_is_refused(airflow, here, connect, s3):
    marker.claim(here, connect())
    obstore.copy(s3.client, marker.KEY, f"copy/{marker.KEY}")
    with pytest.raises(marker.ForeignPrefix, match="it was copied here"):
        marker.is_ours(elsewhere(here, "copy"), connect())


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"deployment_id": 1}', b"\xff", b"x" * 9999])
def test_what_is_no_marker_is_refused(airflow, here, connect, s3, text):
    obstore.put(s3.client, marker.KEY, text)
    with pytest.raises(marker.ForeignPrefix, match="is not a marker of this tool"):
        marker.claim(here, connect())


def test_two_claim_at_once(airflow, here, connect, s3, monkeypatch):
    """The one who comes second sees the other's marker, and does not overwrite it."""
    create = here.create

    def late(key, data):
        if key != marker.KEY:
            return create(key, data)
        theirs = {**json.loads(data), "deployment_id": "faster"}
        assert create(key, json.dumps(theirs).encode())
        return create(key, data)

    monkeypatch.setattr(here, "create", late)
    with pytest.raises(marker.ForeignPrefix, match="faster"):
        marker.claim(here, connect())


# ------------------------------------------------------------- as the command has it


@pytest.fixture
def command(command, api_server, s3, configure, monkeypatch):
    """Run `sweep`; its exit code and what it printed."""
    monkeypatch.setenv("AIRFLOW_API_URL", api_server.url)
    monkeypatch.setenv("AIRFLOW_API_USERNAME", "sweeper")
    monkeypatch.setenv("AIRFLOW_API_PASSWORD", PASSWORD)

    def sweep(*arguments, operation_timeout=0.001):  # the least grace is twice that
        configure(operation_timeout=operation_timeout)
        done = command("sweep", *arguments)
        configure(operation_timeout=None)  # what is pushed has the time it needs
        return done.code, done.out, done.err

    return sweep


def test_deleting_wants_a_claim_and_a_dry_run_does_not(airflow, command, s3):
    airflow.push(BIG, owner())
    airflow.delete_xcom(owner())
    code, out, _err = command("--grace-hours", "0.000001")
    assert code == OK
    assert "1 orphan (1 object, " in out
    code, out, _err = command("--grace-hours", "72")
    assert (code, "\nLeft alone: 1 value younger than 72 hours (--" in out) == (OK, True)
    code, out, err = command("--delete", "--grace-hours", "0.000001")
    assert code == USAGE
    assert "is not marked as this Airflow's" in err
    assert len(s3.keys()) == 1
    code, out, _err = command("--claim", "--delete", "--grace-hours", "0.000001", "--json")
    assert code == OK
    found, dag, total = map(json.loads, out.splitlines())
    assert (found["kind"], found["deleted"], found["objects"]) == ("orphan", True, 1)
    assert (dag["dag_id"], dag["deleted"], total["deleted"]) == ("trips", 1, 1)
    assert s3.keys() == [marker.KEY]


def test_a_second_deployment_may_not_even_look(airflow, command, s3):
    airflow.push(BIG, owner())
    command("--claim")
    airflow.clear()  # which is another Airflow now
    for arguments in ((), ("--delete",), ("--claim", "--delete")):
        code, out, err = command(*arguments)
        assert code == USAGE
        assert "belongs to another Airflow deployment" in err
        assert "orphan" not in out
    assert len(s3.keys()) == 2


def test_the_grace_period_is_longer_than_a_push_may_take(airflow, command):
    code, _out, err = command("--grace-hours", "1.9", operation_timeout=3600)
    assert code == USAGE
    assert "operation_timeout" in err


def test_an_airflow_that_is_not_there(airflow, command, monkeypatch):
    airflow.push(BIG, owner())
    monkeypatch.delenv("AIRFLOW_API_USERNAME")
    code, out, err = command("--airflow-url", "http://127.0.0.1:9", "--grace-hours", "0.000001")
    assert code == UNREACHABLE
    assert "does not answer" in err
    assert out == ""


def test_rate(airflow, command):
    with pytest.raises(SystemExit):
        command("--rate", "x")
    assert command("--rate", "0")[0] == USAGE


def test_tool_errors_are_told_from_others():
    assert issubclass(marker.ForeignPrefix, ToolError)
