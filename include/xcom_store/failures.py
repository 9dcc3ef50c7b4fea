"""What S3 answers, in our words: an error of ours that says what is wrong and what to do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from include.xcom_store.errors import (
    AccessDenied,
    ConfigurationError,
    ObjectCorrupt,
    ObjectMissing,
    StoreUnreachable,
)

if TYPE_CHECKING:
    from include.xcom_store.errors import XComStoreError


class Failure(NamedTuple):
    """What a failed request means."""

    error: type[XComStoreError]
    advice: str


_WRONG_REGION = Failure(
    ConfigurationError, "Set [xcom_store] region_name to the bucket's region, or unset it."
)
_MISSING = Failure(
    ObjectMissing,
    "The object was deleted or has expired (a lifecycle rule, a sweep); clear the task that pushed "
    "it to have it written again.",
)
_DENIED = Failure(AccessDenied, "Check the keys or the role, and what their policy allows.")
_KMS = Failure(
    AccessDenied,
    "These credentials may not use the bucket's encryption key: allow kms:GenerateDataKey and "
    "kms:Decrypt in their policy and in the key's, and see that it is enabled.",
)
_UNREACHABLE = Failure(
    StoreUnreachable,
    "S3 cannot be reached or only fails: check endpoint and network, with https also whether its "
    "certificate is trusted here, and S3 itself.",
)
_UNTRUSTED = Failure(
    StoreUnreachable,
    "The endpoint's certificate is not trusted on this machine: name a file with your CA in "
    "SSL_CERT_FILE, or correct the endpoint.",
)

FAILURES = {
    "NoSuchBucket": Failure(
        ConfigurationError, "Create the bucket, or correct [xcom_store] bucket to one that exists."
    ),
    "NoSuchKey": _MISSING,
    "InvalidRange": Failure(ObjectCorrupt, "The object is shorter than what was written."),
    "PermanentRedirect": _WRONG_REGION,
    "AuthorizationHeaderMalformed": _WRONG_REGION,
    "IllegalLocationConstraint": _WRONG_REGION,
    "InvalidAccessKeyId": Failure(
        AccessDenied, "This S3 does not know the access key: correct the connection's login."
    ),
    "SignatureDoesNotMatch": Failure(
        AccessDenied, "The secret key is wrong: correct the connection's password."
    ),
    "ExpiredToken": Failure(
        AccessDenied, "The session token has expired: renew it, or use a role instead."
    ),
    "RequestTimeTooSkewed": Failure(AccessDenied, "This machine's clock is wrong: synchronise it."),
    "AccessDenied": Failure(
        AccessDenied,
        "The policy of these credentials lacks this action on the bucket's prefix. (Without "
        "s3:ListBucket, S3 answers the same for an object that is missing.)",
    ),
}
"""By the code in S3's answer."""


def explain(error: Exception, doing: str) -> XComStoreError:
    """Return the error to raise for one of obstore's.

    Args:
        error: obstore's; its text holds the server's whole answer.
        doing: what was being done, to which object, over which connection and endpoint.
    """
    text = str(error)
    code = _first(r"<Code>([^<]*)", text) or _first(r"\(code: (\w+)\)", text)
    message = _first(r"<Message>([^<]*)", text)
    said = f"{code}: {message}" if message else text.split("\n", 1)[0]
    # S3 says AccessDenied for its own rights and for those on the key; only its message tells.
    about_key = code.startswith("KMS.") or "kms:" in message
    failure = _KMS if about_key else FAILURES.get(code) or _by_status(error, text)
    return failure.error(f"{doing}: {said.rstrip('.')}. {failure.advice}")


def _by_status(error: Exception, text: str) -> Failure:
    if "InvalidCertificate" in text:  # an upload's errors do not tell it
        return _UNTRUSTED
    if "incorrectly configured region" in text:
        return _WRONG_REGION
    if isinstance(error, FileNotFoundError):
        return _MISSING
    return _DENIED if _first(r"status code: (\d+)", text) in ("401", "403") else _UNREACHABLE


def _first(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    return match.group(1) if match else ""
