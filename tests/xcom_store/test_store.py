"""What is asked of S3: encryption, time limits, no more requests than needed."""

from __future__ import annotations

import http.server
import json
import threading
import time

import pytest

pytest.importorskip("obstore")
from include.xcom_store import store
from include.xcom_store.errors import ConfigurationError, StoreUnreachable

KEY_ARN = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"


@pytest.fixture
def moto_bucket(moto_server, configure, monkeypatch):
    boto3 = pytest.importorskip("boto3")
    connection = {
        "conn_type": "aws",
        "login": "x",
        "password": "y",
        "extra": {"region_name": "us-east-1"},
    }
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
    configure(bucket="encrypted", endpoint_url=moto_server)
    s3 = boto3.client("s3", endpoint_url=moto_server, region_name="us-east-1",
                      aws_access_key_id="x", aws_secret_access_key="y")  # fmt: skip
    s3.create_bucket(Bucket="encrypted")
    return s3


@pytest.mark.parametrize("size", [10, 9 * 1024 * 1024], ids=["one request", "multipart"])
class TestEncryption:
    def put(self, s3, size):
        store.connect().put(f"x/{size}", lambda sink: sink.write(bytes(size)))
        return s3.head_object(Bucket="encrypted", Key=f"x/{size}")

    def test_the_buckets_default(self, moto_bucket, size):
        assert "SSEKMSKeyId" not in self.put(moto_bucket, size)

    def test_sse_s3(self, moto_bucket, configure, size):
        configure(encryption="AES256")
        assert self.put(moto_bucket, size)["ServerSideEncryption"] == "AES256"

    def test_sse_kms_with_a_key(self, moto_bucket, configure, size):
        configure(encryption="aws:kms", kms_key_id=KEY_ARN)
        found = self.put(moto_bucket, size)
        assert (found["ServerSideEncryption"], found["SSEKMSKeyId"]) == ("aws:kms", KEY_ARN)
        # moto forgets it where an upload has parts.
        assert found.get("BucketKeyEnabled", size > store.PART)


@pytest.mark.parametrize("options", [
    {"encryption": "rot13"}, {"kms_key_id": KEY_ARN}, {"encryption": "AES256", "kms_key_id": KEY_ARN},
    {"operation_timeout": 0}, {"request_timeout": "soon"}, {"compression": "gzip"}, {"offload": "maybe"},
    {"bucket": "s3://bucket"}, {"bucket": "bucket/x"}, {"prefix": "a b"}, {"prefix": "/a"},
    {"prefix": "a/../b"}, {"prefix": "dag_id=x"}, {"prefix": "a" * 151},
], ids=str)  # fmt: skip
def test_a_setting_that_cannot_be_meant_says_which(configure, options):
    from include.xcom_store import settings

    configure(**{"bucket": "bucket", **options})
    name = next(iter(options))
    with pytest.raises(
        ConfigurationError, match=rf"\[xcom_store\] ({name}|encryption) is .*AIRFLOW__XCOM_STORE__"
    ):
        settings.load()


class Slow(http.server.BaseHTTPRequestHandler):
    """Takes parts and gives ranges, each in a second: no request is slow enough to time out."""

    protocol_version = "HTTP/1.1"

    def answer(self, status, body, **headers):
        time.sleep(1)
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name.replace("_", "-"), text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answer(
            200,
            b"<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>",
        )

    def do_PUT(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answer(200, b"", ETag='"x"')

    def do_DELETE(self):
        self.answer(204, b"")

    def do_GET(self):
        first, last = map(int, self.headers["Range"].removeprefix("bytes=").split("-"))
        size = 400 * 1024 * 1024
        self.answer(206, bytes(last - first + 1), ETag='"x"', Last_Modified="Sun, 22 Nov 2026 10:00:00 GMT",
                    Content_Range=f"bytes {first}-{last}/{size}")  # fmt: skip

    def log_message(self, *_):
        pass


@pytest.fixture
def slow(configure, monkeypatch):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    connection = {"conn_type": "aws", "login": "x", "password": "y"}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
    configure(bucket="bucket", region_name="us-east-1", operation_timeout=2,
              endpoint_url=f"http://127.0.0.1:{server.server_port}")  # fmt: skip
    yield
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("operation", ["push", "pull"])
def test_a_slow_s3_cannot_hold_a_task(slow, operation):
    megabyte = bytes(1024 * 1024)
    run = {
        "push": lambda: store.connect().put(
            "x", lambda to: [to.write(megabyte) for _ in range(400)]
        ),
        "pull": lambda: store.connect().get("x", 400 * len(megabyte), "0" * 64),
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
    xcom.push(["x" * 300])
    xcom.pull()
    xcom.delete()
    assert calls == ["open_writer", "get", "delete"]
