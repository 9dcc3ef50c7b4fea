"""What a failed request means, as an error of ours that says what is wrong and what to do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from include.xcom_store.errors import (
    AccessDenied,
    ConfigurationError,
    ObjectCorrupt,
    ObjectMissing,
    StoreUnreachable,
    XComStoreError,
)

if TYPE_CHECKING:
    from collections.abc import Callable


class Failure(NamedTuple):
    """What a failed request means, and what to do."""

    error: type[XComStoreError]
    advice: str


MISSING = Failure(
    ObjectMissing,
    "The object was deleted or has expired (a lifecycle rule, a sweep); clear the task that pushed"
    " it to have it written again. (A bucket of the same name in another account, or at another"
    " endpoint, cannot be told from this one.)",
)
NO_BUCKET = Failure(
    ConfigurationError, "Create the bucket, or correct [xcom_store] url to one that exists."
)
TOO_SHORT = Failure(ObjectCorrupt, "The object is shorter than what was written.")
_DENIED = Failure(AccessDenied, "Check the keys or the role, and what their policy allows.")
_UNREACHABLE = Failure(
    StoreUnreachable,
    "The store cannot be reached or only fails: check endpoint and network, with https also "
    "whether its certificate is trusted here, and the service itself.",
)
_BUSY = Failure(
    StoreUnreachable,
    "The service is asked for more than it takes. That passes; let fewer tasks run at once, or "
    "raise [xcom_store] retry_timeout.",
)
_OF_BUSY = {"SlowDown", "ServerBusy", "TooManyRequests", "ServerTooBusyException"}
_REFUSED = Failure(
    XComStoreError, "The service refuses this request: check whether it is what the url says."
)
_UNTRUSTED = Failure(
    StoreUnreachable,
    "The endpoint's certificate is not trusted on this machine: name a file with your CA in "
    "SSL_CERT_FILE, or correct the endpoint.",
)


def explain(
    error: Exception, doing: str, of_service: Callable[[str, str], Failure | None]
) -> XComStoreError:
    """Return the error to raise for one of obstore's.

    Args:
        error: obstore's; its text holds the server's whole answer.
        doing: what was being done, to which object, over which connection and endpoint.
        of_service: returns what the service means by a code and a message; None for no particular
            meaning.
    """
    text = str(error)
    codes = (r"<Code>([^<]*)", r"\(code: (\w+)\)", r'"error": ?"([^"]*)"')  # the last is OAuth's
    found = (getattr(error, "code", ""), *(_first(pattern, text) for pattern in codes))
    code = next(filter(None, found), "")
    message = _first(r"<Message>([^<]*)", text)
    said = f"{code}: {message}" if message else text.split("\n", 1)[0]
    detail = _first(r"<AuthenticationErrorDetail>([^<]*)", text)  # Azure's, of an expired SAS
    kind, advice = of_service(code, f"{message}{detail}" or text) or _by_status(error, code, text)
    return kind(f"{doing}: {said.rstrip('.')}. {advice}")


def _by_status(error: Exception, code: str, text: str) -> Failure:
    if isinstance(error, FileNotFoundError):
        return MISSING
    if "InvalidCertificate" in text:  # an upload's errors do not say so
        return _UNTRUSTED
    status = _first(r"status code: (\d+)", text) or _first(r"\(code: (\d+)\)", text)
    # Of a credential provider that fails there is no status.
    if status in ("401", "403") or (not status and "lacked valid authentication" in text):
        return _DENIED
    if code in _OF_BUSY or status == "429":
        return _BUSY
    passing = not status.startswith("4") or status == "408"
    return _UNREACHABLE if passing else _REFUSED


def _first(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    return match[1] if match else ""
