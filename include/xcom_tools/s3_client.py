"""boto3's client of the bucket, for what obstore has no calls for: configuration and open uploads.

With the credentials and the endpoint that the backend uses. Importing boto3 takes a third of a
second, so nothing that a task does comes here.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from include.xcom_store.stores import aws

if TYPE_CHECKING:
    from include.xcom_store.stores.base import Store


def connect(store: Store) -> Any:
    """Return a client; what it raises is botocore's."""
    import boto3
    from botocore.config import Config

    access, options = store.access, store.settings
    connection = aws.get_connection(store.location.conn_id)
    authority = connection.extra_dejson.get("verify") if connection else None
    if authority in (None, True, "true", "True"):  # obstore follows the second, botocore does not
        authority = os.environ.get("AWS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE")
    style = {True: "virtual", False: "path", None: "path" if access.endpoint else "auto"}
    asked = access.config.get("virtual_hosted_style_request")
    proxy = access.client_options.get("proxy_url")
    keys = access.credentials() if access.credentials else {}
    return boto3.client(
        "s3",
        endpoint_url=access.endpoint,
        region_name=access.region or "us-east-1",
        aws_access_key_id=keys.get("access_key_id"),
        aws_secret_access_key=keys.get("secret_access_key"),
        aws_session_token=keys.get("token"),
        verify=authority,
        config=Config(
            proxies={"http": proxy, "https": proxy} if proxy else None,
            connect_timeout=options.connect_timeout,
            read_timeout=options.request_timeout,
            retries={"total_max_attempts": 2},
            s3={"addressing_style": style[asked]},
        ),
    )
