"""S3 beyond a plain bucket: proxies, an own CA, IPv6, the region `auto`, styles of address.

What each needs is in the table of docs/stores.md, together with what was not tried.
"""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import ssl
import threading
import urllib.error
import urllib.request

import pytest

pytest.importorskip("obstore")
from include.xcom_store.errors import StoreUnreachable
from include.xcom_store.settings import Settings
from include.xcom_store.stores import s3 as module
from include.xcom_store.stores.location import parse_url
from tests import local_s3
from tests.http_service import Handler, serve
from tests.xcom_store.fault_proxy import Fault, FaultProxy
from tests.xcom_store.test_ambient_credentials import certificates

QUICK = {"connect_timeout": 1, "request_timeout": 5, "retry_timeout": 1}


@pytest.fixture
def there_and_back(s3, store, configure, connect):
    """Write and read an object by the connection's extras and these settings."""

    def there_and_back(extra=None, **options):
        configure(**QUICK, **options)
        server = {**local_s3.connection(s3.server), "conn_type": "aws"}
        connect("aws_default", **{**server, "extra": {**server["extra"], **(extra or {})}})
        size, sha256 = store().put("x", lambda sink: sink.write(b"abc"))
        assert bytes(store().get("x", size, sha256)) == b"abc"

    return there_and_back


@pytest.fixture
def proxy(s3):
    """Counts what goes through it."""
    with FaultProxy(s3.server.port) as proxy:
        proxy.inject(Fault("delay", times=None))
        yield proxy


def test_the_connections_proxy(there_and_back, proxy):
    there_and_back({"config_kwargs": {"proxies": {"http": proxy.url}}})
    assert proxy.hits == 2


def test_a_proxy_for_https_is_none_for_http(there_and_back, proxy):
    there_and_back({"config_kwargs": {"proxies": {"https": proxy.url}}})
    assert proxy.hits == 0


def test_the_environments_proxy_and_what_is_left_out_of_it(there_and_back, proxy, monkeypatch):
    monkeypatch.setenv("http_proxy", proxy.url)
    there_and_back()
    assert proxy.hits == 2
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    there_and_back()
    assert proxy.hits == 2


@pytest.mark.parametrize("way", ["the connection's verify", "AWS_CA_BUNDLE"])
def test_an_own_ca(there_and_back, s3, tmp_path, monkeypatch, way):
    sent = []

    class Forward(Handler):
        def do_GET(self):
            url = f"{s3.server.endpoint_url}{self.path}"
            headers = dict(self.headers)
            sent.append({name.lower(): value for name, value in headers.items()})
            asked = urllib.request.Request(url, self.body() or None, headers, method=self.command)
            with urllib.request.urlopen(asked, timeout=10) as answer:
                body = answer.read()
                self.send_response(answer.status)
                for name in ("ETag", "Content-Range", "Last-Modified", "Content-Type"):
                    if name in answer.headers:
                        self.send_header(name, answer.headers[name])
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        do_PUT = do_GET  # noqa: N815

    certificates(tmp_path)
    authority = str(tmp_path / "authority.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    with serve(Forward, context) as server:
        with pytest.raises(StoreUnreachable, match="certificate"):
            there_and_back(endpoint_url=server.url)
        extra = {"verify": authority} if way != "AWS_CA_BUNDLE" else {}
        if not extra:
            monkeypatch.setenv("AWS_CA_BUNDLE", authority)
        there_and_back(extra, endpoint_url=server.url)
        there_and_back(extra, endpoint_url=server.url, unsigned_payload=True)
        options = {"unsigned_payload": False, "checksum_algorithm": "SHA256"}
        there_and_back(extra, endpoint_url=server.url, **options)
    abc = hashlib.sha256(b"abc").digest()
    puts = [headers for headers in sent if "content-length" in headers][-3:]
    signed = [headers["x-amz-content-sha256"] for headers in puts]
    assert signed == [abc.hex(), "UNSIGNED-PAYLOAD", abc.hex()]
    found = [headers.get("x-amz-checksum-sha256") for headers in puts]
    assert found == [None, None, base64.b64encode(abc).decode()]


def test_an_endpoint_by_ipv6(there_and_back, s3):
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError as error:
        pytest.skip(f"no IPv6 on this machine: {error}")

    def forward():
        while True:
            try:
                client, _ = listener.accept()
            except OSError:  # closed
                return
            server = socket.create_connection(("127.0.0.1", s3.server.port))
            for ends in ((client, server), (server, client)):
                threading.Thread(target=pump, args=ends, daemon=True).start()

    def pump(source, target):
        with source:
            try:
                while data := source.recv(65_536):
                    target.sendall(data)
                target.shutdown(socket.SHUT_WR)
            except OSError:
                pass

    threading.Thread(target=forward, daemon=True).start()
    with listener:
        there_and_back(endpoint_url=f"http://[::1]:{listener.getsockname()[1]}")


def test_the_region_auto(there_and_back):
    there_and_back(region_name="auto")


@pytest.mark.parametrize(("style", "endpoint", "asked"), [
    ("path", "https://s3.example.com", "https://s3.example.com"),
    ("virtual", "https://s3.example.com", "https://bucket.s3.example.com"),
    ("auto", "https://s3.example.com", "https://s3.example.com"),
])  # fmt: skip
def test_the_style_of_an_address(connect, style, endpoint, asked):
    connect(
        login="k", password="s",
        extra={"region_name": "r", "config_kwargs": json.loads(f'{{"s3": {{"addressing_style": "{style}"}}}}')},
    )  # fmt: skip
    settings = Settings(url="s3://bucket", endpoint_url=endpoint)
    location = parse_url(settings.url)
    client = module.client(location, settings, module.resolve(location, settings))
    assert client.config["endpoint"] == asked
    assert client.config["virtual_hosted_style_request"] == str(style == "virtual").lower()
