"""The sweep of uploads that were never completed, on SeaweedFS; AWS's own answers are moto's."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest

pytest.importorskip("dev.airflow_server", reason="only `python3 -m dev test` runs this")
pytest.importorskip("boto3")

from include.xcom_store.errors import StoreUnreachable
from include.xcom_store.keys import Owner
from include.xcom_tools import s3_client, sweep_uploads
from include.xcom_tools.listing import ANY
from tests import local_s3
from tests.xcom_store.test_beyond_plain_s3 import tls  # noqa: F401
from tests.xcom_tools.conftest import MOTO_BUCKET
from tests.xcom_tools.sweep_airflow import BIG, owner


def key(dag="trips", unique="1"):
    return f"dag_id={dag}/run_id=r/task_id=t/map_index=-1/k-{unique * 32}.parquet"


@pytest.fixture
def uploads(s3):
    return local_s3.Uploads(s3.server, s3.prefix)


@pytest.fixture
def findings(store):
    """Look for all there are, and abort them; permissions and answers differ by test."""
    from collections import defaultdict

    from include.xcom_tools.sweep_findings import Tally

    def findings():
        tallies = defaultdict(Tally)
        old = datetime.now(UTC) + timedelta(hours=1)
        return list(sweep_uploads.findings(store(), ANY, old, tallies, delete=True))

    return findings


def test_those_of_killed_pushes_are_aborted_and_nothing_else(airflow, s3, uploads, sweep):
    live = airflow.push(BIG, owner())["uri"].removeprefix(f"{s3.url}/")
    beside = local_s3.Uploads(s3.server, f"{s3.prefix}2")
    for name in (live, key(), key(), key("gone"), "notes.txt"):  # one was begun twice
        uploads.begin(name)
    beside.begin(key())
    there = uploads.keys()
    assert sweep(grace=timedelta(hours=1)).kinds == ["not ours"]  # the others may be under way

    dry = sweep(delete=False)
    assert uploads.keys() == there
    assert sorted(f.uri for f in dry.told if f.kind == "upload") == [
        f"{s3.url}/{k}" for k in there if k != "notes.txt"
    ]
    found = sweep()
    assert sorted(found.kinds) == ["not ours", *["upload"] * 4]
    assert all(f.deleted for f in found.told if f.kind == "upload")
    by_dag = {dag: tally.uploads for dag, tally in found.run.tallies.items()}
    assert by_dag == {"trips": 3, "gone": 1}
    assert (found.total.uploads, found.total.deleted) == (4, 0)
    assert uploads.keys() == ["notes.txt"]
    assert beside.keys() == [key()]
    assert s3.keys() == [live]
    assert sweep().kinds == ["not ours"]


def test_only_of_one_dag(airflow, uploads, sweep):
    for dag in ("trips", "trips2"):
        uploads.begin(key(dag))
    assert sweep(owner=Owner("trips", None)).total.uploads == 1
    assert uploads.keys() == [key("trips2")]


def test_the_command_tells_of_them(airflow, uploads, command, connect, configure):
    connect()
    uploads.begin(key())
    configure(operation_timeout=0.001)  # the least grace is twice that
    which = ("sweep", "--grace-hours", "0.000001")
    found, dag, total = command(*which, "--json").lines()
    assert (found["kind"], found["deleted"]) == ("upload", False)
    assert dag["uploads"] == total["uploads"] == 1
    assert "unfinished uploads: 1 (a dry run" in command(*which).out
    done = command(*which, "--claim", "--delete")
    assert done.code == 0, done.err
    assert done.out.startswith("deleted")
    assert "an upload that was never completed" in done.out
    assert uploads.keys() == []


def begin(aws, name):
    where = {"Bucket": MOTO_BUCKET, "Key": f"xcom/{name}"}
    return where | {"UploadId": aws.s3.create_multipart_upload(**where)["UploadId"]}


def test_one_that_is_gone_meanwhile_is_no_error(aws, store):
    which = begin(aws, key())
    [upload] = sweep_uploads.unfinished(store(), ANY)
    aws.s3.abort_multipart_upload(**which)
    assert upload.abort() is None


def test_without_the_right_the_sweep_says_so_and_goes_on(aws, findings):
    begin(aws, key())
    aws.enforce("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload")
    [found] = findings()
    assert (found.kind, found.uri) == ("not seen", f"s3://{MOTO_BUCKET}/xcom/")
    assert "left to the bucket's lifecycle rule: An error occurred (AccessDenied)" in found.reason
    assert f"s3:ListBucketMultipartUploads on arn:aws:s3:::{MOTO_BUCKET}," in found.reason


def test_any_other_answer_ends_the_sweep(aws, findings, monkeypatch):
    from botocore.exceptions import ClientError

    begin(aws, key())

    class Busy:
        def get_paginator(self, _name):
            return self

        def paginate(self, **_where):
            raise ClientError({"Error": {"Code": "SlowDown"}}, "ListMultipartUploads")
            yield

    monkeypatch.setattr(sweep_uploads.s3_client, "connect", lambda _store: Busy())
    with pytest.raises(StoreUnreachable, match="SlowDown"):
        findings()


def test_nobody_answers(s3, findings):
    s3.through(9)
    with pytest.raises(StoreUnreachable, match="never completed: Could not connect"):
        findings()


@pytest.mark.parametrize(("style", "host"), [
    ("virtual", "bucket.s3.example.com"), ("path", "s3.example.com"), ("auto", "s3.example.com"),
])  # fmt: skip
def test_it_asks_in_the_style_that_the_connection_names(configure, store, connection, style, host):
    extra = {"region_name": "r", "config_kwargs": {"s3": {"addressing_style": style}}}
    connection(login="k", password="s", extra=extra)
    configure(url="s3://bucket/x", endpoint_url="https://s3.example.com")
    client = s3_client.connect(store())
    url = client.generate_presigned_url("list_multipart_uploads", {"Bucket": "bucket"})
    assert urlsplit(url).hostname == host


@pytest.mark.skipif(sys.platform != "linux", reason="SSL_CERT_FILE counts on Linux only")
def test_it_trusts_whom_the_backend_trusts(uploads, findings, tls, configure, monkeypatch):  # noqa: F811
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    for name in ("AWS_CA_BUNDLE", "SSL_CERT_FILE"):
        uploads.begin(key())
        configure(endpoint_url=tls.url)
        with pytest.raises(StoreUnreachable, match="certificate"):
            findings()
        with monkeypatch.context() as patch:
            patch.setenv(name, tls.authority)
            configure()
            assert [f.uri.endswith(key()) for f in findings()] == [True]
