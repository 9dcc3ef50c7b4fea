"""The backend on Google Cloud Storage, Azure Blob Storage and HDFS: the same tests as on S3.

Of each service there is a running server, or its tests are skipped and say what is missing. The
servers are emulators but for HDFS: SeaweedFS without keys, Azurite, Hadoop's mini cluster.
"""

from __future__ import annotations

import json
import socket
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

pytest.importorskip("pandas")
pytest.importorskip("obstore")
from include.xcom_store.errors import (
    AccessDenied,
    ConfigurationError,
    ObjectMissing,
    StoreUnreachable,
)
from tests import services
from tests.http_service import Handler, serve
from tests.xcom_store.cases import VALUES
from tests.xcom_store.identical import assert_identical
from tests.xcom_store.test_delete import *  # noqa: F403
from tests.xcom_store.test_faults import proxy, right_values_or_typed_errors  # noqa: F401
from tests.xcom_store.test_forgery import TestWrittenIntoTheRow  # noqa: F401
from tests.xcom_store.test_store import TestTheSurface as OnS3

FEW = {*list(VALUES)[::10]}
service = services.each_other  # in place of S3, for all that is imported here


class TestTheSurface(OnS3):
    def test_create_never_overwrites(self, filled, s3):
        if s3.scheme == "gs":
            pytest.skip("SeaweedFS ignores the condition of GCS; claiming finds that out")
        super().test_create_never_overwrites(filled)


def test_a_push_takes_little_memory_besides_the_value(s3, store):
    data = bytes(100 * 1024**2)
    tracemalloc.start()
    try:
        store().put("x", lambda sink: sink.write(data))
        assert tracemalloc.get_traced_memory()[1] < 50 * 1024**2
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n in FEW else pytest.mark.weekly) for n in VALUES]
)
def test_a_value_comes_back_exactly(xcom, configure, name):
    configure(threshold=0)
    xcom.push(VALUES[name]())
    assert_identical(VALUES[name](), xcom.pull())


@pytest.mark.parametrize(
    "wanted",
    [pytest.param(34, marks=pytest.mark.long), pytest.param(520, marks=pytest.mark.weekly)],
)
def test_right_values_or_typed_errors(xcom, proxy, configure, wanted):  # noqa: F811
    right_values_or_typed_errors(xcom, proxy, configure, wanted)


DENIED = {
    "gs": [
        (403, "AccessDenied", r"roles/storage\.objectUser"),
        (401, "AuthenticationRequired", "expired or revoked: renew it"),
        (400, "ExpiredToken", "has expired: renew it"),
    ],
    "az": [
        (403, "AuthorizationPermissionMismatch", "Storage Blob Data Contributor"),
        (403, "AuthenticationFailed", "whether the SAS has expired"),
    ],
    "hdfs": [
        (401, "SecurityException", "another authentication than a user's name"),
        (403, "InvalidToken", "delegation token has expired"),
    ],
}
"""What a service says of wrong and of expired credentials, and the advice."""
QUICK = {"connect_timeout": 1, "request_timeout": 2, "retry_timeout": 1}


def all_fail(calls, match=None, *, seconds):
    """In words and in time; at once, because each waits before it gives up."""

    def one(call):
        started = time.monotonic()
        with pytest.raises(StoreUnreachable, match=match):
            call()
        return time.monotonic() - started

    with ThreadPoolExecutor(len(calls)) as pool:
        assert max(pool.map(one, calls)) < seconds


def written(store, key="x"):
    size, sha256 = store.put(key, lambda sink: sink.write(b"abc"))
    assert bytes(store.get(key, size, sha256)) == b"abc"


class TestWhatIsWrong:
    """A typed error with the right advice, within the deadline."""

    @pytest.fixture
    def store(self, s3, configure, store):
        written(store())
        configure(retry_timeout=1)
        return store

    def calls(self, store):
        return (
            lambda: written(store),
            lambda: store.get("x", 3, ""),
            lambda: store.read_range("x", 0, 1),
            lambda: store.head("x"),
            lambda: list(store.list()),
            lambda: store.delete("x"),
            lambda: store.delete_under("y"),
            lambda: store.create("y", b""),
        )

    def test_nobody_listens(self, s3, store, configure):
        configure(**QUICK)
        s3.through(9)
        all_fail(self.calls(store()), "check endpoint and network", seconds=10)

    def test_somebody_listens_and_says_nothing(self, s3, store, configure):
        configure(**QUICK)
        with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
            s3.through(silent.getsockname()[1])
            all_fail(self.calls(store())[:4], seconds=15)

    @pytest.fixture
    def answer(self, s3):
        """Let a stand-in answer in the service's form, for what its server here never says."""
        with ExitStack() as started:

            def answer(status, code):
                said = {"RemoteException": {"exception": code, "message": "no"}}
                xml = f"<Error><Code>{code}</Code><Message>no</Message></Error>"
                body = json.dumps(said) if s3.scheme == "hdfs" else xml

                class Stand(Handler):
                    def do_GET(self):
                        self.body()
                        self.answer(status, body.encode())

                    do_PUT = do_DELETE = do_GET  # noqa: N815

                s3.through(started.enter_context(serve(Stand)).server_port)

            yield answer

    def test_the_service_is_busy(self, s3, store, answer):
        codes = {"gs": "SlowDown", "az": "ServerBusy", "hdfs": "ServerTooBusyException"}
        answer(503, codes[s3.scheme])
        all_fail(self.calls(store())[:3], r"let fewer tasks run at once", seconds=10)

    def test_denied_or_expired(self, s3, store, answer):
        for status, code, advice in DENIED[s3.scheme]:
            answer(status, code)
            for call in self.calls(store())[:3]:
                with pytest.raises(AccessDenied, match=advice):
                    call()

    def test_a_missing_object(self, store):
        for call in (lambda: store().get("none", 3, ""), lambda: store().head("none")):
            with pytest.raises(ObjectMissing, match=r"clear the task"):
                call()

    def test_a_missing_bucket(self, s3, store, configure):
        if s3.scheme == "hdfs":
            pytest.skip("HDFS makes a directory that is not there")
        configure(url=f"{s3.scheme}://no-such-bucket/x")
        write, get, read_range, _head, listed, *others = self.calls(store())  # a HEAD has no words
        writing = (write, *others) if s3.scheme == "az" else ()  # SeaweedFS makes the bucket
        for call in (get, read_range, listed, *writing):
            with pytest.raises(ConfigurationError, match=r"Create the (bucket|container)"):
                call()

    def test_denied(self, s3, store, configure, connect):
        if s3.scheme != "hdfs":
            pytest.skip("SeaweedFS lets everyone in; Azurite's refusals are above")
        connect(
            "webhdfs_default", "webhdfs", host="127.0.0.1", port=s3.service.port, login="nobody"
        )
        configure(url=f"hdfs://{s3.bucket}/not-yours")
        with pytest.raises(AccessDenied, match=r"connection's login"):
            written(store())
