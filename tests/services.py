"""The services of the tests, each with its running server, as their users and administrators see it.

`place` is a prefix of its own in one of them: what the tests look at it with (`keys`, `read`,
`write`, `remove`) goes past the code under test.
"""

from __future__ import annotations

import json
import urllib.request
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from tests import local_s3


class S3:
    """SeaweedFS, with keys."""

    name, scheme, conn_id = "s3", "s3", "aws_default"

    def __init__(self, server: Any) -> None:
        self.server = server
        self.bucket, self.port = server.bucket, server.port

    def url(self, prefix: str) -> str:
        return f"s3://{self.bucket}/{prefix}"

    def connection(self) -> dict[str, Any]:
        return local_s3.connection(self.server)

    def options(self, port: int | None = None) -> dict[str, Any]:
        """`[xcom_store]` options besides the URL; a port is that of a proxy."""
        return {"endpoint_url": f"http://127.0.0.1:{port or self.port}"}

    def client(self, prefix: str) -> Any:
        return local_s3.client(self.server, prefix)


class Other:
    """One of `dev.stores`."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self.name, self.scheme, self.conn_id = server.name, server.scheme, server.conn_id
        self.bucket, self.port, self.url = server.bucket, server.port, server.url

    def connection(self, port: int | None = None) -> dict[str, Any]:
        return self.server.connection(port)

    def options(self) -> dict[str, Any]:
        return {"endpoint_url": None}

    def client(self, prefix: str) -> Any:
        return None if self.name == "hdfs" else self.server.client(prefix)


class ByObstore:
    def __init__(self, client: Any) -> None:
        self.client = client

    def keys(self) -> list[str]:
        return sorted(found["path"] for page in self.client.list() for found in page)

    def read(self, key: str) -> bytes:
        return bytes(self.client.get(key).bytes())

    def write(self, key: str, data: bytes) -> None:
        self.client.put(key, data)

    def remove(self, key: str) -> None:
        self.client.delete(key)


class ByWebHdfs:
    """With redirects that urllib follows, one request after the other."""

    def __init__(self, port: int, prefix: str, user: str) -> None:
        self._root, self._user = f"http://127.0.0.1:{port}/webhdfs/v1/{prefix}", user

    def _ask(self, method: str, key: str, said: str, data: bytes | None = None) -> bytes:
        url = f"{self._root}/{quote(key)}".rstrip("/") + f"?user.name={self._user}&op={said}"
        request = urllib.request.Request(url, method=method, data=data)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read()

    def keys(self, folder: str = "") -> list[str]:
        try:
            listed = json.loads(self._ask("GET", folder, "LISTSTATUS"))
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise
            return []
        found = []
        for entry in listed["FileStatuses"]["FileStatus"]:
            key = f"{folder}/{entry['pathSuffix']}".lstrip("/")
            found += [key] if entry["type"] == "FILE" else self.keys(key)
        return sorted(found)

    def read(self, key: str) -> bytes:
        return self._ask("GET", key, "OPEN")

    def write(self, key: str, data: bytes) -> None:
        answer = self._ask("PUT", key, "CREATE&overwrite=true&noredirect=true")
        where = json.loads(answer)["Location"]
        request = urllib.request.Request(where, method="PUT", data=data)
        urllib.request.urlopen(request, timeout=30).close()

    def remove(self, key: str) -> None:
        self._ask("DELETE", key, "DELETE")


def place(service: Any, prefix: str, configure: Any, monkeypatch: Any) -> SimpleNamespace:
    """A prefix in a service, with the backend configured for it; keys are relative to it."""

    def through(port: int | None = None) -> None:
        """Go to another port, of a proxy or of nobody."""
        if service.name == "s3":
            configure(**service.options(port))
            connection = service.connection()
        else:
            connection = service.connection(port)
        name = f"AIRFLOW_CONN_{service.conn_id.upper()}"
        monkeypatch.setenv(name, json.dumps({"extra": {}, **connection}))
        configure()

    configure(url=service.url(prefix), **service.options())
    through()
    client = service.client(prefix)
    if client is None:
        raw: Any = ByWebHdfs(service.port, prefix, service.connection()["login"])
    else:
        raw = ByObstore(client)
    return SimpleNamespace(
        client=client,
        url=service.url(prefix),
        scheme=service.scheme,
        prefix=prefix,
        bucket=service.bucket,
        server=service.server,
        service=service,
        keys=raw.keys,
        read=raw.read,
        write=raw.write,
        remove=raw.remove,
        through=through,
    )


def start(name: str, folder: Any) -> Any:
    """The running service, which may be fetched first, or a skip that says what is missing."""
    stores = pytest.importorskip(
        "dev.stores", reason="no servers here: `python3 -m dev test` has them"
    )
    from dev.errors import DevError

    try:
        return Other(stores.start(name, folder))
    except DevError as error:
        pytest.skip(f"{name}: {error}")


# Two are fetched by npm and Maven, and one takes ten times as long for each request as the rest.
FETCHED = [pytest.param(name, marks=pytest.mark.weekly) for name in ("azure", "hdfs")]


@pytest.fixture(scope="module", params=["gcs", *FETCHED])
def each_other(request, tmp_path_factory):
    """In place of S3, one after the other; for a module's fixture `service`."""
    found = start(request.param, tmp_path_factory.mktemp(request.param))
    yield found
    found.server.kill()  # an orderly end takes seconds


def port_of(url: str) -> int:
    """The port of a proxy's URL."""
    return urlsplit(url).port or 0
