"""The S3 server of the tests as its users see it: an Airflow on it, a client, open uploads.

The clients are obstore's and boto3's own, past the code under test.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from obstore.store import S3Store

REGION = "us-east-1"


def connection(server: Any, **extra: Any) -> dict[str, Any]:
    """The Airflow connection with the server's keys, and more extras."""
    return {
        "conn_type": "aws",
        "login": server.access_key_id,
        "password": server.secret_access_key,
        "extra": {"region_name": REGION, **extra},
    }


def settings(server: Any, prefix: str, **more: str | None) -> dict[str, str]:
    """The environment of an Airflow with this backend on a prefix of the server's bucket.

    `more` wins; what is None there is left out.
    """
    variables = {
        "AIRFLOW__CORE__XCOM_BACKEND": "include.s3_xcom_backend.S3XComBackend",
        "AIRFLOW__XCOM_STORE__URL": f"s3://{server.bucket}/{prefix}",
        "AIRFLOW__XCOM_STORE__ENDPOINT_URL": server.endpoint_url,
        "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(connection(server)),
        **more,
    }
    return {name: value for name, value in variables.items() if value is not None}


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


class Uploads:
    """Multipart uploads that are not complete; keys are relative to the prefix."""

    def __init__(self, server: Any, prefix: str) -> None:
        import boto3

        self._s3 = boto3.client(
            "s3",
            endpoint_url=server.endpoint_url,
            region_name=REGION,
            aws_access_key_id=server.access_key_id,
            aws_secret_access_key=server.secret_access_key,
        )
        self._bucket, self._root = server.bucket, f"{prefix}/"

    def begin(self, key: str) -> None:
        """Begin one, and write its first part."""
        where = {"Bucket": self._bucket, "Key": self._root + key}
        upload = self._s3.create_multipart_upload(**where)["UploadId"]
        self._s3.upload_part(**where, UploadId=upload, PartNumber=1, Body=b"x")

    def keys(self) -> list[str]:
        """All there are, as often as they were begun."""
        where = {"Bucket": self._bucket, "Prefix": self._root}
        found = self._s3.list_multipart_uploads(**where).get("Uploads", [])
        return sorted(upload["Key"].removeprefix(self._root) for upload in found)
