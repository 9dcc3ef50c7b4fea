"""What a user reads when S3 fails: where, why, what to do; and never a secret."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import subprocess
import time

import pytest

pytest.importorskip("pandas")
pytest.importorskip("obstore")
import pandas as pd

from include.xcom_store import errors
from include.xcom_store.errors import (
    AccessDenied,
    ConfigurationError,
    ObjectCorrupt,
    ObjectMissing,
    StoreUnreachable,
)
from tests import local_s3
from tests.http_service import Handler, serve
from tests.xcom_store.conftest import DAG, RUN, TASK

ROWS = ["x" * 1_100]
LOGIN, SECRET, TOKEN = "the-access-key", "the-secret-key", "the-session-token"
# Where nobody answers. A server that does is given its time, whatever the machine has to do.
QUICK = {"connect_timeout": 1, "request_timeout": 2, "retry_timeout": 1}


@pytest.fixture
def wrong_keys(connect):
    def wrong_keys(region="us-east-1"):
        extra = {"region_name": region, "aws_session_token": TOKEN}
        connect(login=LOGIN, password=SECRET, extra=extra)

    return wrong_keys


def assert_helpful(error, *parts):
    message = str(error.value)
    for part in (f"dag_id={DAG}", f"run_id={RUN}", f"task_id={TASK}", "return_value", *parts):
        assert part in message
    for secret in (SECRET, TOKEN, "local-secret-key"):
        assert secret not in message
    assert len(message) < 1_500


@pytest.fixture
def answer(xcom, configure, wrong_keys):
    """Let S3 give one answer to everything: status, code, message."""

    def answer(status, code, message="as the server says", **headers):
        class Answer(Handler):
            def do_GET(self):
                self.body()
                said = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
                self.answer(status, said.encode(), **headers)

            do_PUT = do_POST = do_GET  # noqa: N815

        server = started.enter_context(serve(Answer))
        wrong_keys()
        configure(endpoint_url=server.url, retry_timeout=1)

    with contextlib.ExitStack() as started:
        yield answer


def test_each_error_is_also_the_builtin():
    assert {name: kind.__bases__[1] for name, kind in vars(errors).items()
            if isinstance(kind, type) and issubclass(kind, errors.XComStoreError)
            and kind is not errors.XComStoreError} == {
        "ObjectMissing": FileNotFoundError, "ObjectCorrupt": ValueError,
        "AccessDenied": PermissionError, "StoreUnreachable": ConnectionError,
        "ValueNotStorable": TypeError, "ConfigurationError": ValueError,
    }  # fmt: skip


@pytest.mark.parametrize(("answered", "kind", "advice"), [
    ((400, "ExpiredToken"), AccessDenied, "session token has expired"),
    ((403, "InvalidAccessKeyId"), AccessDenied, "correct the connection's login"),
    ((403, "SignatureDoesNotMatch"), AccessDenied, "correct the connection's password"),
    ((403, "RequestTimeTooSkewed"), AccessDenied, "clock"),
    ((403, "AccessDenied"), AccessDenied, "policy"),
    ((403, "KMS.AccessDeniedException"), AccessDenied, "policy"),
    ((404, "NoSuchBucket"), ConfigurationError, "correct [xcom_store] url"),
    ((400, "AuthorizationHeaderMalformed"), ConfigurationError, "[xcom_store] region_name"),
    ((301, "PermanentRedirect"), ConfigurationError, "[xcom_store] region_name"),
    ((400, "IllegalLocationConstraint"), ConfigurationError, "[xcom_store] region_name"),
    ((400, "InvalidRequest", "Content-MD5 OR x-amz-checksum- HTTP header is required"),
     ConfigurationError, "checksum_algorithm to SHA256"),
    ((400, "InvalidArgument"), errors.XComStoreError, "refuses this request"),
    ((405, "MethodNotAllowed"), errors.XComStoreError, "refuses this request"),
    ((503, "SlowDown"), StoreUnreachable, "let fewer tasks run at once"),
    ((503, "ServiceUnavailable"), StoreUnreachable, "The store"),
    ((500, "InternalError"), StoreUnreachable, "The store"),
])  # fmt: skip
def test_an_answer_of_s3(xcom, answer, answered, kind, advice):
    answer(*answered)
    with pytest.raises(kind) as error:
        xcom.push(ROWS)
    uri = f"{xcom.s3.url}/dag_id="
    assert_helpful(error, advice, "'aws_default'", "http://127.0.0.1:", uri)
    assert xcom.rows == {}


def test_the_same_on_a_pull(xcom, answer):
    uri = xcom.push(ROWS)["uri"]
    answer(403, "AccessDenied")
    with pytest.raises(AccessDenied) as error:
        xcom.pull()
    assert_helpful(error, "policy", uri)


def test_no_bucket_of_that_name(xcom, configure, wrong_keys, moto_server):
    wrong_keys()
    configure(endpoint_url=moto_server, url="s3://nowhere")
    with pytest.raises(
        ConfigurationError, match=r"Create the bucket, or correct \[xcom_store\] url"
    ) as error:
        xcom.push(ROWS)
    assert_helpful(error, moto_server, "s3://nowhere/", "'aws_default'")


def test_wrong_keys(xcom, wrong_keys, configure):
    wrong_keys()
    configure(retry_timeout=1)
    with pytest.raises(AccessDenied) as error:
        xcom.push(ROWS)
    assert_helpful(error, "'aws_default'", xcom.s3.server.endpoint_url, "connection's login")


def test_a_wrong_secret(xcom, connect, configure):
    connect(login=xcom.s3.server.access_key_id, password=SECRET)
    configure(region_name="us-east-1", retry_timeout=1)
    with pytest.raises(AccessDenied) as error:
        xcom.push(ROWS)
    assert_helpful(error, "connection's password")


@pytest.mark.parametrize("region", ["us-east-1", None], ids=["region", "region unknown"])
def test_nobody_listens(xcom, configure, wrong_keys, region):
    wrong_keys(region)
    configure(endpoint_url="http://127.0.0.1:9", **QUICK)
    started = time.monotonic()
    with pytest.raises(StoreUnreachable) as error:
        xcom.push(ROWS)
    assert_helpful(error, "http://127.0.0.1:9")
    assert time.monotonic() - started < 10


def test_it_listens_and_never_answers(xcom, configure):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        configure(endpoint_url=f"http://127.0.0.1:{silent.getsockname()[1]}", **QUICK)
        started = time.monotonic()
        with pytest.raises(StoreUnreachable):
            xcom.push(ROWS)
        assert time.monotonic() - started < 15


@pytest.mark.parametrize("value", [ROWS, {"a": pd.DataFrame({"a": range(9)})}], ids=["one", "leaf"])
@pytest.mark.parametrize(("damage", "kind"), [
    (None, ObjectMissing),
    (lambda data: data[:-1], ObjectCorrupt),
    (lambda _: b"", ObjectCorrupt),
    (lambda data: data + b"\0", ObjectCorrupt),
    (lambda data: data[:20] + bytes([data[20] ^ 1]) + data[21:], ObjectCorrupt),
], ids=["deleted", "cut", "empty", "longer", "a bit flipped"])  # fmt: skip
def test_a_damaged_object(xcom, value, damage, kind):
    import obstore

    xcom.push(value)
    key = xcom.s3.keys()[0]
    data = bytes(obstore.get(xcom.s3.client, key).bytes())
    obstore.delete(xcom.s3.client, key)
    if damage:
        obstore.put(xcom.s3.client, key, damage(data))
    with pytest.raises(kind) as error:
        xcom.pull()
    assert_helpful(error, f"{xcom.s3.url}/{key}", "task")


def test_a_large_object_that_was_cut(xcom):
    import obstore

    xcom.push(bytes(20_000_000))
    obstore.put(xcom.s3.client, xcom.s3.keys()[0], bytes(9_000_000))
    with pytest.raises(ObjectCorrupt):
        xcom.pull()


@pytest.mark.parametrize("size", [100, 20_000_000], ids=["small", "multipart"])
@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_an_interrupted_upload_leaves_nothing(xcom, store, size, failure):
    pytest.importorskip("boto3")

    def write(sink):
        sink.write(bytes(size))
        raise failure("on the way")

    with pytest.raises(failure):
        store().put("x", write)
    assert local_s3.Uploads(xcom.s3.server, xcom.s3.prefix).keys() == []
    assert xcom.s3.keys() == []


def test_a_certificate_that_is_not_trusted(xcom, configure, tmp_path):
    """On a pull; the errors of an upload do not tell it, so that its advice names both causes."""
    xcom.push(ROWS)
    with untrusted_server(tmp_path) as endpoint:
        configure(endpoint_url=endpoint, retry_timeout=1)
        with pytest.raises(StoreUnreachable, match="certificate is not trusted on this machine"):
            xcom.pull()
        with pytest.raises(StoreUnreachable, match="certificate is trusted here"):
            xcom.push(ROWS)


@contextlib.contextmanager
def untrusted_server(folder):
    """An https server whose certificate nobody has signed."""
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    command = [*made, "-keyout", str(key), "-out", str(certificate), *names]
    if not shutil.which("openssl"):
        pytest.skip("needs openssl to make a certificate")
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with serve(Handler, tls=context) as server:
        server.handle_error = lambda *_: None  # each refused handshake is one
        yield server.url
