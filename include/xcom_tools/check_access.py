"""What a check says of rights: whether values come and go, and for whom.

What is written lies under the prefix in a folder of its own, only for as long as the check runs.
"""

from __future__ import annotations

import os
import time
import urllib.error
import urllib.request
import uuid
from typing import TYPE_CHECKING, Any

from include.xcom_store.errors import AccessDenied, ObjectMissing, XComStoreError, StoreUnreachable
from include.xcom_store.failures import FAILURES
from include.xcom_tools.check_line import ERROR, NOT_KNOWN, OK, WARNING, Line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from include.xcom_tools.listing import Bucket

FOLDER = "xcom_tools_check"
SLOW = 1.0
"""Seconds for a request with a kilobyte; from the bucket's own region it takes some hundredths."""


def list_lines(bucket: Bucket) -> Iterator[Line]:
    """List one page under the prefix, which also shows whether bucket and credentials are right."""
    try:
        yield _timed("list", lambda: next(bucket.objects(), None))
    except AccessDenied as error:
        if FAILURES["AccessDenied"].advice not in str(error):  # not what we may, but who we are
            yield Line("credentials", ERROR, str(error))
            return
        yield Line(
            "list",
            WARNING,
            str(error),
            f"Allow s3:ListBucket on arn:aws:s3:::{bucket.bucket} for the prefix {bucket.prefix}/*:"
            " without it a missing object looks like a refused one, and of values with frames "
            "inside only the main object is deleted.",
        )
    except XComStoreError as error:
        unreachable = isinstance(error, StoreUnreachable)
        yield Line("endpoint" if unreachable else "bucket", ERROR, str(error))


def round_trip(bucket: Bucket) -> Iterator[Line]:
    """Write, read and delete a small object, as a task would."""
    key = f"{bucket.prefix}/{FOLDER}/{uuid.uuid4().hex}"
    data = os.urandom(1024)
    written: list[tuple[int, str]] = []
    yield _attempt(
        bucket,
        "write",
        lambda: written.append(bucket.put(key, lambda sink: sink.write(data))),
        "A push needs s3:PutObject on {}.",
    )
    if not written:
        yield from _read_only(bucket, key)
        return
    yield _attempt(
        bucket, "read", lambda: bucket.get(key, *written[0]), "A pull needs s3:GetObject on {}."
    )
    yield _anonymous(bucket, key)
    yield _attempt(
        bucket,
        "delete",
        lambda: bucket.delete(key),
        "Allow s3:DeleteObject on {}: a retried task cannot remove what its earlier try pushed. "
        f"This check has left {bucket.uri(key)} behind.",
    )


def _attempt(bucket: Bucket, about: str, call: Callable[[], Any], to_do: str) -> Line:
    try:
        return _timed(about, call)
    except XComStoreError as error:
        arn = f"arn:aws:s3:::{bucket.bucket}/{bucket.prefix}/*"
        return Line(
            about, ERROR, str(error), to_do.format(arn) if isinstance(error, AccessDenied) else ""
        )


def _timed(about: str, call: Callable[[], Any]) -> Line:
    started = time.perf_counter()
    call()
    seconds = time.perf_counter() - started
    if seconds < SLOW:
        return Line(about, OK, f"In {1000 * seconds:.0f} ms.")
    slow = f"In {seconds:.1f} s, which is slow."
    return Line(about, WARNING, slow, "Is the bucket in the region of the workers?")


def _read_only(bucket: Bucket, key: str) -> Iterator[Line]:
    """Tell credentials that may only read from those that may nothing."""
    try:
        bucket.get(key, 0, "")
    except ObjectMissing:
        yield Line("read", OK, "Allowed: these credentials may read, and not write.")
    except XComStoreError as error:
        yield Line("read", ERROR, str(error))


def _anonymous(bucket: Bucket, key: str) -> Line:
    """Ask for an object without credentials."""
    endpoint = (bucket.access.endpoint or "").rstrip("/")
    place = (
        f"{endpoint}/{bucket.bucket}" if endpoint else f"https://{bucket.bucket}.s3.amazonaws.com"
    )
    url = f"{place}/{key}"
    try:
        with urllib.request.urlopen(url, timeout=15):  # noqa: S310 - the operator's own endpoint
            pass
    except urllib.error.HTTPError as error:
        return Line("anonymous", OK, f"Reading without credentials is refused ({error.code}).")
    except OSError as error:
        return Line("anonymous", NOT_KNOWN, f"Asking {url} without credentials: {error}")
    return Line(
        "anonymous",
        ERROR,
        "Anybody can read the values: S3 gave an object without credentials.",
        "Turn Block Public Access on for the bucket (all four), correct its policy and ACLs, and "
        "take what was in it for known to others.",
    )
