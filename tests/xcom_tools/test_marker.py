"""A prefix belongs to one deployment: the marker in the bucket and the Variable in Airflow."""

from __future__ import annotations

import json

import obstore
import pytest

pytest.importorskip("dev.airflow_server", reason="no dev/ here")

from include.xcom_tools import marker
from include.xcom_tools.errors import OK, UNREACHABLE, USAGE, ToolError
from tests.xcom_tools.sweep_airflow import BIG, PASSWORD, owner


@pytest.fixture
def bucket(s3):
    from include.xcom_store import settings
    from include.xcom_tools.sweep_bucket import SweepBucket

    return SweepBucket(settings.load())


def written(s3):
    return json.loads(bytes(obstore.get(s3.client, f"{s3.prefix}/{marker.NAME}").bytes()))


def test_nobody_has_claimed_it(airflow, bucket, connect):
    assert marker.is_ours(bucket, connect()) is False


def test_claimed_once_and_again(airflow, bucket, connect, s3):
    api = connect()
    marker.claim(bucket, api)
    first = written(s3)
    assert marker.is_ours(bucket, api)
    assert first["deployment_id"] == api.variable(marker.VARIABLE)
    assert first["uri"] == f"s3://{s3.bucket}/{s3.prefix}/"
    marker.claim(bucket, api)
    assert written(s3) == first


def test_two_prefixes_of_one_deployment(airflow, bucket, connect, s3, configure):
    api = connect()
    marker.claim(bucket, api)
    first = written(s3)["deployment_id"]
    bucket.prefix = f"{s3.prefix}/second"
    marker.claim(bucket, api)
    assert api.variable(marker.VARIABLE) == first


@pytest.mark.parametrize("theirs", ["another", None])
def test_another_deployment_is_refused(airflow, bucket, connect, s3, theirs):
    marker.claim(bucket, connect())
    airflow.clear()
    if theirs:
        airflow.set_variable(marker.VARIABLE, theirs)
    before = written(s3)
    for attempt in (marker.is_ours, marker.claim):
        with pytest.raises(marker.ForeignPrefix, match="belongs to another Airflow deployment"):
            attempt(bucket, connect())
    assert written(s3) == before


def test_a_marker_that_was_copied_is_refused(airflow, bucket, connect, s3):
    marker.claim(bucket, connect())
    copied = bytes(obstore.get(s3.client, f"{s3.prefix}/{marker.NAME}").bytes())
    bucket.prefix = f"{s3.prefix}/copy"
    obstore.put(s3.client, f"{bucket.prefix}/{marker.NAME}", copied)
    with pytest.raises(marker.ForeignPrefix, match="it was copied here"):
        marker.is_ours(bucket, connect())


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"deployment_id": 1}', b"\xff", b"x" * 9999])
def test_what_is_no_marker_is_refused(airflow, bucket, connect, s3, text):
    obstore.put(s3.client, f"{s3.prefix}/{marker.NAME}", text)
    with pytest.raises(marker.ForeignPrefix, match="is not a marker of this tool"):
        marker.claim(bucket, connect())


def test_two_claim_at_once(airflow, bucket, connect, s3, monkeypatch):
    """The one who comes second sees the other's marker, and does not overwrite it."""
    create = type(bucket).create

    def late(self, key, text):
        theirs = {**json.loads(text), "deployment_id": "faster"}
        create(self, key, json.dumps(theirs))
        create(self, key, text)

    monkeypatch.setattr(type(bucket), "create", late)
    with pytest.raises(marker.ForeignPrefix, match="faster"):
        marker.claim(bucket, connect())


# ------------------------------------------------------------- as the command has it


@pytest.fixture
def command(command, api_server, s3, configure, monkeypatch):
    """Run `sweep`; its exit code and what it printed."""
    monkeypatch.setenv("AIRFLOW_API_URL", api_server.url)
    monkeypatch.setenv("AIRFLOW_API_USERNAME", "sweeper")
    monkeypatch.setenv("AIRFLOW_API_PASSWORD", PASSWORD)
    configure(operation_timeout=0.001)

    def sweep(*arguments):
        done = command("sweep", *arguments)
        return done.code, done.out, done.err

    return sweep


def test_deleting_wants_a_claim_and_a_dry_run_does_not(airflow, command, s3):
    airflow.push(BIG, owner())
    airflow.delete_xcom(owner())
    code, out, _err = command("--grace-hours", "0.000001")
    assert code == OK
    assert "1 orphans of 1 objects" in out
    code, out, err = command("--delete", "--grace-hours", "0.000001")
    assert code == USAGE
    assert "is not marked as this Airflow's" in err
    assert len(s3.keys()) == 1
    code, out, _err = command("--claim", "--delete", "--grace-hours", "0.000001", "--json")
    assert code == OK
    found, dag, total = map(json.loads, out.splitlines())
    assert (found["kind"], found["deleted"], found["objects"]) == ("orphan", True, 1)
    assert (dag["dag_id"], dag["deleted"], total["deleted"]) == ("trips", 1, 1)
    assert s3.keys() == [f"{s3.prefix}/{marker.NAME}"]


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


def test_the_grace_period_is_longer_than_a_push_may_take(airflow, command, configure):
    configure(operation_timeout=3600)
    code, _out, err = command("--grace-hours", "1.9")
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
