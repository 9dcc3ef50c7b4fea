"""The S3 server of the tests as its users see it: an Airflow connection, and a client.

The client is obstore's own, past the code under test.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from obstore.store import S3Store

REGION = "us-east-1"


def connection(server: Any) -> dict[str, Any]:
    """The Airflow connection with the server's keys."""
    return {
        "conn_type": "aws",
        "login": server.access_key_id,
        "password": server.secret_access_key,
        "extra": {"region_name": REGION},
    }


def client(server: Any, prefix: str | None = None, **changed: str) -> S3Store:
    """A client of its bucket; keys are relative to the prefix."""
    from obstore.store import S3Store

    given = {
        "endpoint": server.endpoint_url,
        "access_key_id": server.access_key_id,
        "secret_access_key": server.secret_access_key,
        "region": REGION,
    }
    return S3Store(
        server.bucket, prefix=prefix, client_options={"allow_http": True}, **(given | changed)
    )
