"""Amazon S3 and what speaks its protocol: `s3://[conn_id@]bucket/prefix`.

Endpoint, first found: `[xcom_store] endpoint_url`, the connection's
`service_config.s3.endpoint_url` and `endpoint_url`, `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, AWS.
Region: `[xcom_store] region_name`, the connection's, `AWS_REGION`, `AWS_DEFAULT_REGION`, else the
bucket is asked, for obstore does not follow S3 to the right one where boto3 does.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from include.xcom_store.errors import (
    AccessDenied,
    ConfigurationError,
    StoreUnreachable,
)
from include.xcom_store.settings import variable
from include.xcom_store.stores import aws
from include.xcom_store.stores.failures import MISSING, NO_BUCKET, TOO_SHORT, Failure
from include.xcom_store.stores.service import limits, open_url

if TYPE_CHECKING:
    from include.xcom_store.settings import Settings
    from include.xcom_store.stores.location import Location
    from include.xcom_store.stores.service import Access

NAME = "S3"


def resolve(location: Location, settings: Settings) -> Access:
    """Return how to reach the bucket by the settings, the connection and the environment."""
    connection = aws.get_connection(location.conn_id)
    extra = dict(connection.extra_dejson) if connection else {}
    service = aws.part(extra, "service_config", "s3")
    endpoint = (
        settings.endpoint_url
        or service.get("endpoint_url")
        or extra.get("endpoint_url")
        or os.environ.get("AWS_ENDPOINT_URL_S3")
        or os.environ.get("AWS_ENDPOINT_URL")
    )
    if endpoint and not re.fullmatch("https?://[^@?]+", endpoint):
        shown = endpoint.rpartition("@")[2].partition("?")[0]  # keys are not to be shown
        raise ConfigurationError(
            f"the S3 endpoint is {shown!r}; it has to begin with http:// or https:// and hold no "
            f"keys. Correct {variable('endpoint_url')}, the connection's endpoint_url or "
            "AWS_ENDPOINT_URL."
        )
    region = (
        settings.region_name
        or extra.get("region_name")
        or os.environ.get("AWS_REGION")
        or os.environ.get("AWS_DEFAULT_REGION")
    )
    return aws.resolve(location.conn_id, connection, endpoint, region)


def client(location: Location, settings: Settings, access: Access) -> Any:
    """Return obstore's client; its keys are relative to the location's prefix."""
    from obstore.store import S3Store

    config: Any = {"region": find_region(location, settings, access), **access.config}
    if endpoint := access.endpoint:
        if access.config.get("virtual_hosted_style_request"):
            endpoint = endpoint.replace("://", f"://{location.bucket}.", 1)
        config = {"virtual_hosted_style_request": False, **config, "endpoint": endpoint}
    if settings.encryption:
        config["server_side_encryption"] = settings.encryption
    if settings.encryption == "aws:kms":
        config["sse_bucket_key_enabled"] = True
    if settings.checksum_algorithm:
        config["checksum_algorithm"] = settings.checksum_algorithm
    if settings.unsigned_payload and not (endpoint or "").startswith("http://"):
        config["unsigned_payload"] = True
    if settings.kms_key_id:
        config["sse_kms_key_id"] = settings.kms_key_id
    return S3Store(
        location.bucket,
        prefix=location.prefix,
        config=config,
        credential_provider=access.credentials,
        **limits(settings, access),
    )


def find_region(location: Location, settings: Settings, access: Access) -> str:
    """Return the region that is set, else the bucket's, which S3 tells without credentials.

    us-east-1 where S3 does not say. Raises `StoreUnreachable` if nobody answers.
    """
    if access.region:
        return access.region
    bucket, endpoint = location.bucket, access.endpoint
    url = f"{endpoint or 'https://s3.amazonaws.com'}/{bucket}"
    try:
        with open_url(url, access, settings.connect_timeout, "HEAD") as answer:
            headers = answer.headers
    except OSError as error:
        headers = getattr(error, "headers", None)  # S3 tells the region also when it refuses
        if headers is None or getattr(error, "code", 500) >= 500:
            raise StoreUnreachable(
                f"asking {url} for the bucket's region: {error}. Check endpoint and network, or "
                f"set {variable('region_name')}."
            ) from error
    return str(headers.get("x-amz-bucket-region") or "us-east-1")


def failure(code: str, message: str) -> Failure | None:
    """Return what S3 means by a code and a message; None for no particular meaning."""
    # S3 says AccessDenied for its own rights and for those on the key; only its message tells.
    if code.startswith("KMS.") or re.search(r"\bkms:[A-Z]", message):
        code = "KMS"
    if "incorrectly configured region" in message:  # obstore's words for a redirect
        code = "PermanentRedirect"
    if "x-amz-checksum" in message:  # the code is InvalidRequest, as for much else
        code = "checksum"
    return _FAILURES.get(code)


_WRONG_REGION = Failure(
    ConfigurationError, "Set [xcom_store] region_name to the bucket's region, or unset it.",
)  # fmt: skip
_FAILURES: dict[str, Failure] = {
    "checksum": Failure(
        ConfigurationError,
        "This bucket wants a checksum with each write, as with Object Lock: set [xcom_store] "
        "checksum_algorithm to SHA256.",
    ),
    "NoSuchBucket": NO_BUCKET,
    "NoSuchKey": MISSING,
    "InvalidRange": TOO_SHORT,
    "PermanentRedirect": _WRONG_REGION,
    "AuthorizationHeaderMalformed": _WRONG_REGION,
    "IllegalLocationConstraint": _WRONG_REGION,
    "InvalidAccessKeyId": Failure(
        AccessDenied, "This S3 does not know the access key: correct the connection's login.",
    ),
    "SignatureDoesNotMatch": Failure(
        AccessDenied, "The secret key is wrong: correct the connection's password.",
    ),
    "ExpiredToken": Failure(
        AccessDenied, "The session token has expired: renew it, or use a role instead.",
    ),
    "RequestTimeTooSkewed": Failure(AccessDenied, "This machine's clock is wrong: synchronise it."),
    "AccessDenied": Failure(
        AccessDenied,
        "The policy of these credentials lacks this action on the bucket's prefix. (Without "
        "s3:ListBucket, S3 answers the same for an object that is missing.)",
    ),
    "KMS": Failure(
        AccessDenied,
        "These credentials may not use the bucket's encryption key: allow kms:GenerateDataKey and "
        "kms:Decrypt in their policy and in the key's, and see that it is enabled.",
    ),
}  # fmt: skip
