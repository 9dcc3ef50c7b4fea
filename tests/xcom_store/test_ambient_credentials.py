"""Credentials that a service hands out and that expire: containers, pods, web identity, instances.

The services are small servers of ours on loopback; S3 is the real one, with checked signatures. What
they hand out is about to expire, so that a process which goes on has to ask again.
"""

from __future__ import annotations

import datetime as dt
import http.server
import ipaddress
import json
import socket
import ssl
import sys
import threading
import time
from urllib.parse import parse_qs

import pytest

pytest.importorskip("obstore")

BACKOFF = 0.3
"""Seconds; obstore does not ask for new credentials twice within a tenth of one."""
ROLE = "arn:aws:iam::123456789012:role/xcoms"
STS_ANSWER = """<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>
<AccessKeyId>{}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey><SessionToken></SessionToken>
<Expiration>{}</Expiration></Credentials></AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>"""


class Service(http.server.ThreadingHTTPServer):
    """Hands out the S3 server's keys, and keeps what it was asked."""

    def __init__(self, s3_server):
        super().__init__(("127.0.0.1", 0), Handler)
        self.keys = s3_server.access_key_id, s3_server.secret_access_key
        self.lifetime = dt.timedelta(seconds=5)
        self.asked = []

    def expiration(self):
        return (dt.datetime.now(dt.UTC) + self.lifetime).strftime("%Y-%m-%dT%H:%M:%SZ")


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        key, secret = self.server.keys
        body = {"AccessKeyId": key, "SecretAccessKey": secret, "Token": ""}
        self.answer(json.dumps({**body, "Expiration": self.server.expiration()}))

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        self.server.asked.append(parse_qs(self.path.partition("?")[2]) | parse_qs(body))
        self.answer(STS_ANSWER.format(*self.server.keys, self.server.expiration()))

    def answer(self, text):
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


class InstanceHandler(Handler):
    """EC2's metadata service, version 2: nothing without a token that was put before."""

    TOKEN = "the-metadata-token"
    ROLES = "/latest/meta-data/iam/security-credentials/"

    def do_PUT(self):
        self.server.asked.append(("PUT", self.path))
        self.answer(self.TOKEN if self.headers["x-aws-ec2-metadata-token-ttl-seconds"] else "")

    def do_GET(self):
        if self.headers["x-aws-ec2-metadata-token"] != self.TOKEN:
            self.send_error(401)
        elif self.path == self.ROLES:
            self.server.asked.append(("GET", self.path))
            self.answer("worker")
        elif self.path == f"{self.ROLES}worker":
            super().do_GET()
        else:
            self.send_error(404)


@pytest.fixture
def issuer(s3, configure, monkeypatch, tmp_path):
    """A service, and S3 configured without a connection and without keys."""
    monkeypatch.setenv("HOME", str(tmp_path))  # no shared credentials file
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.delenv("AIRFLOW_CONN_AWS_DEFAULT")
    configure(region_name="us-east-1", connect_timeout=2, request_timeout=5, retry_timeout=1)
    issuer = Service(s3.server)
    yield issuer
    issuer.shutdown()
    issuer.server_close()


def start(issuer):
    threading.Thread(target=issuer.serve_forever, args=(0.01,), daemon=True).start()
    return issuer.server_port


def push_and_pull(xcom, key):
    xcom.push(["x" * 1_100], key=key)
    assert xcom.pull(key) == ["x" * 1_100]


def with_token_file(monkeypatch, tmp_path):
    (tmp_path / "token").write_text("the-pod-token")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(tmp_path / "token"))


class TestContainer:
    def test_of_a_pod_refreshed_while_the_process_goes_on(
        self, xcom, store, issuer, monkeypatch, tmp_path
    ):
        """EKS pod identity: an address and a token file."""
        url = f"http://127.0.0.1:{start(issuer)}/creds"
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)
        with_token_file(monkeypatch, tmp_path)
        push_and_pull(xcom, "first")
        asked = len(issuer.asked)
        assert asked >= 1
        assert set(issuer.asked) == {("/creds", "the-pod-token")}
        client = store()
        time.sleep(BACKOFF)
        push_and_pull(xcom, "second")  # expiring, so asked again, by the same store
        assert store() is client
        assert len(issuer.asked) > asked

    def test_is_asked_once_while_the_keys_are_valid(self, xcom, issuer, monkeypatch, tmp_path):
        issuer.lifetime = dt.timedelta(hours=6)
        url = f"http://127.0.0.1:{start(issuer)}/creds"
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)
        with_token_file(monkeypatch, tmp_path)
        for number in range(5):
            push_and_pull(xcom, f"key{number}")
        assert len(issuer.asked) == 1

    def test_new_keys_are_taken_up_when_the_old_are_revoked(
        self, xcom, store, issuer, monkeypatch, tmp_path
    ):
        from include.xcom_store.errors import AccessDenied

        valid = issuer.keys
        issuer.keys = "revoked", "revoked"
        url = f"http://127.0.0.1:{start(issuer)}/creds"
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)
        with_token_file(monkeypatch, tmp_path)
        with pytest.raises(AccessDenied, match="AWS_CONTAINER_CREDENTIALS_FULL_URI"):
            push_and_pull(xcom, "first")
        issuer.keys = valid
        time.sleep(BACKOFF)
        push_and_pull(xcom, "first")

    def test_by_address_alone(self, xcom, issuer, monkeypatch):
        """Without a token, as boto3 takes it from an agent on loopback."""
        issuer.lifetime = dt.timedelta(hours=6)
        url = f"http://127.0.0.1:{start(issuer)}/creds"
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)
        push_and_pull(xcom, "first")
        assert {path for path, _ in issuer.asked} == {"/creds"}


@pytest.mark.skipif(sys.platform != "linux", reason="SSL_CERT_FILE counts on Linux only")
def test_a_role_by_web_identity(xcom, store, issuer, monkeypatch, tmp_path):
    """IAM roles for issuer accounts; obstore asks STS by TLS only."""
    certificates(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    issuer.socket = context.wrap_socket(issuer.socket, server_side=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"https://127.0.0.1:{start(issuer)}")
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    (tmp_path / "token").write_text("first-token")
    push_and_pull(xcom, "first")
    assert "AWS_WEB_IDENTITY_TOKEN_FILE" in store().access.source
    assert issuer.asked[0]["RoleArn"] == [ROLE]
    assert issuer.asked[0]["WebIdentityToken"] == ["first-token"]
    (tmp_path / "token").write_text("second-token")  # as Kubernetes renews it
    time.sleep(BACKOFF)
    push_and_pull(xcom, "second")
    assert issuer.asked[-1]["WebIdentityToken"] == ["second-token"]


def test_the_role_of_an_instance(xcom, store, issuer, monkeypatch):
    """EC2, by way of the amazon provider's session; no other metadata address is asked."""
    pytest.importorskip("airflow.providers.amazon")
    called = []
    connect = socket.socket.connect

    def note(self, address):
        called.append(address)
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", note)
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    issuer.RequestHandlerClass = InstanceHandler
    issuer.lifetime = dt.timedelta(hours=6)
    port = start(issuer)
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", f"http://127.0.0.1:{port}/")
    push_and_pull(xcom, "first")
    push_and_pull(xcom, "second")
    assert store().access.source == "the amazon provider's session for environment"
    roles = InstanceHandler.ROLES
    assert issuer.asked == [
        ("PUT", "/latest/api/token"), ("GET", roles), (f"{roles}worker", None)
    ]  # fmt: skip
    assert set(called) == {("127.0.0.1", port)}


def certificates(folder):
    """An authority, and a server's certificate for 127.0.0.1 signed by it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    def name(text):
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    def make(subject, key, extension):
        now = dt.datetime.now(dt.UTC)
        builder = x509.CertificateBuilder(name("authority"), name(subject), key.public_key())
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - dt.timedelta(days=1))
        builder = builder.not_valid_after(now + dt.timedelta(days=1))
        signed = builder.add_extension(extension, critical=False).sign(authority, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.PEM)

    authority, server = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    basic = x509.BasicConstraints(ca=True, path_length=None)
    (folder / "authority.pem").write_bytes(make("authority", authority, basic))
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    private = server.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "server.pem").write_bytes(make("127.0.0.1", server, address) + private)
