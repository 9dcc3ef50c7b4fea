"""S3 beyond a plain bucket: proxies, an own CA, IPv6, the region `auto`, styles of address.

What each needs is in the table of docs/stores.md, together with what was not tried.
"""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import socketserver
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
from tests import local_s3, moto_iam
from tests.http_service import Handler, serve
from tests.xcom_store.fault_proxy import Fault, FaultProxy
from tests.xcom_store.test_ambient_credentials import certificates

QUICK = {"retry_timeout": 1}


@pytest.fixture
def there_and_back(s3, store, configure, connect):
    """Write and read an object by the connection's extras and these settings."""

    def there_and_back(extra=None, **options):
        configure(**QUICK, **options)
        connect(**local_s3.connection(s3.server, **(extra or {})))
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


@pytest.fixture
def tls(s3, tmp_path):
    """The server by https, with a certificate of an authority that nobody knows."""

    class Forward(Handler):
        def do_GET(self):
            url = f"{s3.server.endpoint_url}{self.path}"
            headers = dict(self.headers)
            self.server.sent.append({name.lower(): value for name, value in headers.items()})
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

        do_PUT = do_DELETE = do_GET  # noqa: N815

    certificates(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    with serve(Forward, context) as server:
        server.authority, server.sent = str(tmp_path / "authority.pem"), []
        yield server


@pytest.mark.parametrize("way", ["the connection's verify", "AWS_CA_BUNDLE"])
def test_an_own_ca(there_and_back, tls, monkeypatch, way):
    with pytest.raises(StoreUnreachable, match="certificate"):
        there_and_back(endpoint_url=tls.url)
    extra = {"verify": tls.authority} if way != "AWS_CA_BUNDLE" else {}
    if not extra:
        monkeypatch.setenv("AWS_CA_BUNDLE", tls.authority)
    there_and_back(extra, endpoint_url=tls.url)


def test_what_is_hashed(there_and_back, tls):
    for unsigned in (False, True):
        there_and_back({"verify": tls.authority}, endpoint_url=tls.url, unsigned_payload=unsigned)
    options = {"unsigned_payload": False, "checksum_algorithm": "SHA256"}
    there_and_back({"verify": tls.authority}, endpoint_url=tls.url, **options)
    abc = hashlib.sha256(b"abc").digest()
    puts = [headers for headers in tls.sent if "content-length" in headers]
    signed = [headers["x-amz-content-sha256"] for headers in puts]
    assert signed == [abc.hex(), "UNSIGNED-PAYLOAD", abc.hex()]
    found = [headers.get("x-amz-checksum-sha256") for headers in puts]
    assert found == [None, None, base64.b64encode(abc).decode()]


@pytest.mark.parametrize("way", ["the connection's proxies", "HTTPS_PROXY"])
def test_a_proxy_for_https(there_and_back, tls, monkeypatch, way):
    class Tunnel(Handler):
        def do_CONNECT(self):
            self.server.asked.append(f"https://{self.path}")
            self.send_response(200)
            self.end_headers()
            with socket.create_connection(("127.0.0.1", tls.server_port)) as server:
                join(self.connection, server)

    with serve(Tunnel) as proxy:
        extra = {"verify": tls.authority}
        if way == "HTTPS_PROXY":
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        else:
            extra["config_kwargs"] = {"proxies": {"https": proxy.url}}
        there_and_back(extra, endpoint_url=tls.url)
        assert {*proxy.asked} == {tls.url}


def join(*ends):
    """Pass on what comes at either end, until both have said all."""

    def pump(source, target):
        try:
            while data := source.recv(65_536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    threads = [threading.Thread(target=pump, args=way, daemon=True) for way in (ends, ends[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_an_endpoint_by_ipv6(there_and_back, s3):
    class Forward(socketserver.BaseRequestHandler):
        def handle(self):
            with socket.create_connection(("127.0.0.1", s3.server.port)) as server:
                join(self.request, server)

    class Server(socketserver.ThreadingTCPServer):
        address_family, daemon_threads = socket.AF_INET6, True

    try:
        listener = Server(("::1", 0), Forward)
    except OSError as error:
        pytest.skip(f"no IPv6 on this machine: {error}")
    with listener:
        threading.Thread(target=listener.serve_forever, args=(0.01,), daemon=True).start()
        there_and_back(endpoint_url=f"http://[::1]:{listener.server_address[1]}")
        listener.shutdown()


def test_the_region_auto(there_and_back):
    there_and_back(region_name="auto")


def test_the_requester_pays(there_and_back, tls, monkeypatch):
    monkeypatch.setenv("AWS_REQUEST_PAYER", "true")
    there_and_back({"verify": tls.authority}, endpoint_url=tls.url)
    assert {headers.get("x-amz-request-payer") for headers in tls.sent} == {"requester"}


@pytest.mark.parametrize("asked", ["when_required", "when_supported"])
def test_checksums_where_the_connection_asks_for_them(s3, connect, store, configure, asked):
    """A bucket with Object Lock wants them; by default they are not sent."""

    class Kept(Handler):
        def do_PUT(self):
            data = base64.b64encode(hashlib.sha256(self.body()).digest()).decode()
            self.server.asked.append(self.headers["x-amz-checksum-sha256"] == data)
            self.answer(200, ETag='"x"')

    config = {"request_checksum_calculation": asked}
    connect(**local_s3.connection(s3.server, config_kwargs=config))
    large = bytes(9 * 1024 * 1024)  # in parts
    size, sha256 = store().put("x", lambda sink: sink.write(large))
    assert bytes(store().get("x", size, sha256)) == large
    with serve(Kept) as recorder:
        configure(endpoint_url=recorder.url)
        store().put("x", lambda sink: sink.write(b"abc"))
        assert recorder.asked == [asked == "when_supported"]


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


def test_a_request_in_the_virtual_style(moto_server, configure, connect, store):
    """The bucket's host name leads to moto by way of a proxy, which is asked for names, too."""
    client = moto_iam.client(moto_server, "s3")
    client.create_bucket(Bucket="virtual")
    with FaultProxy(int(moto_server.rpartition(":")[2])) as proxy:
        proxy.inject(Fault("delay", times=None))
        proxies = {"http": proxy.url}
        config = {"s3": {"addressing_style": "virtual"}, "proxies": proxies}
        connect(extra={**moto_iam.ROOT, "config_kwargs": config})
        configure(url="s3://virtual/x", endpoint_url="http://s3.amazonaws.com", **QUICK)
        store().put("a", lambda sink: sink.write(b"abc"))
        assert bytes(store().read_range("a", 0, 3)) == b"abc"
        assert proxy.hits == 2
    assert client.get_object(Bucket="virtual", Key="x/a")["Body"].read() == b"abc"
