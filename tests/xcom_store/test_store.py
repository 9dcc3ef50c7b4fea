"""What is asked of S3: encryption, time limits, no more requests than needed."""

from __future__ import annotations

import io
import mmap
import subprocess
import sys
import time

import pytest

pytest.importorskip("obstore")
from include.xcom_store.errors import AccessDenied, ObjectCorrupt, ObjectMissing, StoreUnreachable
from include.xcom_store.settings import Settings
from include.xcom_store.stores import files, service
from include.xcom_store.stores.base import PUT_PART_BYTES
from tests import moto_iam
from tests.http_service import Handler, serve

KEY_ARN = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"


@pytest.fixture
def moto_bucket(moto_server, configure, connect):
    connect(login="x", password="y", extra={"region_name": "us-east-1"})
    configure(url="s3://encrypted", endpoint_url=moto_server)
    s3 = moto_iam.client(moto_server, "s3")
    s3.create_bucket(Bucket="encrypted")
    return s3


@pytest.mark.parametrize("size", [10, 9 * 1024 * 1024], ids=["one request", "multipart"])
class TestEncryption:
    @pytest.fixture
    def put(self, moto_bucket, store, size):
        def put():
            store().put(f"x/{size}", lambda sink: sink.write(bytes(size)))
            return moto_bucket.head_object(Bucket="encrypted", Key=f"xcom/x/{size}")

        return put

    def test_the_buckets_default(self, put):
        assert "SSEKMSKeyId" not in put()

    def test_sse_s3(self, put, configure):
        configure(encryption="AES256")
        assert put()["ServerSideEncryption"] == "AES256"

    def test_sse_kms_with_a_key(self, put, configure, size):
        configure(encryption="aws:kms", kms_key_id=KEY_ARN)
        found = put()
        assert (found["ServerSideEncryption"], found["SSEKMSKeyId"]) == ("aws:kms", KEY_ARN)
        # moto forgets it where an upload has parts.
        assert found.get("BucketKeyEnabled", size > PUT_PART_BYTES)


class Slow(Handler):
    """Takes parts and gives ranges, each in a second: no request is slow enough to time out."""

    protocol_version = "HTTP/1.1"

    def answer(self, status, body=b"", **headers):
        time.sleep(1)
        super().answer(status, body, **headers)

    def do_POST(self):
        self.body()
        self.answer(
            200,
            b"<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>",
        )

    def do_PUT(self):
        self.body()
        self.answer(200, ETag='"x"')

    def do_DELETE(self):
        self.answer(204)

    def do_GET(self):
        first, last = map(int, self.headers["Range"].removeprefix("bytes=").split("-"))
        size = 400 * 1024 * 1024
        self.answer(206, bytes(last - first + 1), ETag='"x"', Last_Modified="Sun, 22 Nov 2026 10:00:00 GMT",
                    Content_Range=f"bytes {first}-{last}/{size}")  # fmt: skip


@pytest.fixture
def slow(configure, connect):
    connect(login="x", password="y")
    with serve(Slow) as server:
        configure(url="s3://bucket", region_name="us-east-1", operation_timeout=2,
                  endpoint_url=server.url)  # fmt: skip
        yield


@pytest.mark.parametrize("operation", ["push", "pull"])
def test_a_slow_s3_cannot_hold_a_task(slow, store, operation):
    megabyte = bytes(1024 * 1024)
    run = {
        "push": lambda: store().put("x", lambda to: [to.write(megabyte) for _ in range(400)]),
        "pull": lambda: store().get("x", 400 * len(megabyte), "0" * 64),
    }[operation]
    started = time.monotonic()
    with pytest.raises(StoreUnreachable, match="operation_timeout, 2 seconds"):
        run()
    assert time.monotonic() - started < 12


def test_a_push_and_a_pull_are_one_request_each(xcom, monkeypatch):
    import obstore

    calls = []
    for name in ("open_writer", "put", "get", "head", "list", "get_ranges", "delete"):
        function = getattr(obstore, name)
        monkeypatch.setattr(
            obstore, name, lambda *a, _f=function, _n=name, **k: (calls.append(_n), _f(*a, **k))[1]
        )
    xcom.push(["x" * 1_100])
    xcom.pull()
    xcom.delete()
    assert calls == ["open_writer", "get", "delete"]


class TestTheSurface:
    """What the tools and the viewer call beside put and get; keys are relative to the URL."""

    @pytest.fixture
    def filled(self, s3, store):
        store = store()
        for key in ("a/1", "a/2", "a/b/3", "ab/4"):
            store.put(key, lambda sink, key=key: sink.write(key.encode() * 100))
        return store

    def test_list(self, filled):
        assert [found.key for found in filled.list()] == ["a/1", "a/2", "a/b/3", "ab/4"]
        assert [found.key for found in filled.list("a")] == ["a/1", "a/2", "a/b/3"]
        assert [found.key for found in filled.list("a", after="a/1")] == ["a/2", "a/b/3"]
        assert [*filled.list("nothing")] == []

    def test_head_and_exists(self, filled, s3):
        found = filled.head("a/1")
        assert (found.key, found.bytes, found.modified.tzinfo is not None) == ("a/1", 300, True)
        assert filled.exists("a/1")
        assert not filled.exists("a/9")
        with pytest.raises(ObjectMissing, match=rf"{s3.scheme}://.*/a/9"):
            filled.head("a/9")

    def test_create_never_overwrites(self, filled):
        assert filled.create("marker", b"one")
        assert not filled.create("marker", b"two")
        assert filled.read_range("marker", 0, 3) == b"one"

    def test_a_range(self, filled):
        assert filled.read_range("a/1", 1, 5, 300) == b"/1a/"
        assert filled.read_range("a/1", 5, 5) == b""
        with pytest.raises(ObjectCorrupt, match="300 bytes, 301 were written"):
            filled.read_range("a/1", 0, 5, 301)
        with pytest.raises(ObjectCorrupt):
            filled.read_range("a/1", 290, 310)
        with pytest.raises(ObjectCorrupt):
            filled.read_range("a/1", 400, 410)
        with pytest.raises(ObjectMissing):
            filled.read_range("a/9", 0, 1)

    def test_a_file(self, filled):
        with filled.open("a/b/3") as file:
            assert file.read(5) == b"a/b/3"
            assert file.seek(-5, io.SEEK_END) == 495
            assert file.tell() == 495
            assert file.read() == b"a/b/3"
            assert file.read(1) == b""
            assert file.seek(2) == 2
            target = bytearray(3)
            assert (file.readinto(target), bytes(target)) == (3, b"b/3")
        with pytest.raises(ObjectMissing):
            filled.open("a/9")

    def test_delete(self, filled):
        filled.delete_under("a")
        assert [found.key for found in filled.list()] == ["ab/4"]
        filled.delete("ab/4", "never/there")
        filled.delete()
        assert [*filled.list()] == []

    def test_uri_and_key(self, filled, s3):
        assert filled.uri("a/1") == f"{s3.url}/a/1"
        assert filled.uri() == f"{s3.url}/"
        assert filled.find(f"{s3.url}/a/1") == (filled, "a/1")
        with pytest.raises(AccessDenied):
            filled.find(f"{s3.url}2/a/1")

    def test_it_sees_only_its_own_prefix(self, filled, s3, configure, store):
        configure(url=f"{s3.url}2")
        assert [*store().list()] == []
        assert not store().exists("a/1")


def test_failing_requests_are_retried_until_the_time_is_over():
    """obstore's own ten retries are over within seconds, as is not a restart of the service."""
    settings = Settings(url="s3://bucket", retry_timeout=120)
    retries = service.limits(settings, service.Access(None, None, None, ""))["retry_config"]
    assert retries["retry_timeout"].total_seconds() == 120
    assert retries["max_retries"] > 10_000


@pytest.mark.long
def test_a_service_that_is_away_for_longer_than_ten_retries(xcom, configure):
    from tests.xcom_store.fault_proxy import Fault, FaultProxy

    with FaultProxy(int(xcom.s3.server.endpoint_url.rpartition(":")[2])) as proxy:
        configure(endpoint_url=proxy.url, retry_timeout=60)
        proxy.inject(Fault("503 SlowDown", times=12))
        xcom.push(["x" * 1_100])
        assert proxy.hits == 12
    configure(endpoint_url=xcom.s3.server.endpoint_url)
    assert xcom.pull() == ["x" * 1_100]


FORKS = """
import os
from include.xcom_store.stores import files

taken = files.memory(3)
if not (child := os.fork()):
    taken[:] = b"abc"
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
assert bytes(taken) == bytes(3)
"""


def test_what_a_forked_process_changes_is_its_own():
    """A pulled array lies in this memory, which mmap by itself shares with forked processes."""
    subprocess.run([sys.executable, "-c", FORKS], check=True)


def test_memory_that_is_not_there_is_no_fault_of_the_store():
    with pytest.raises(MemoryError, match="bytes"):
        files.memory(2**60)


def test_a_kernel_without_large_pages(monkeypatch):
    monkeypatch.setattr(mmap, "MADV_HUGEPAGE", 9_999, raising=False)  # which it refuses
    assert bytes(files.memory(3)) == bytes(3)
