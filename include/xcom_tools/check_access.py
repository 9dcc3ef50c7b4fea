"""What a check says about rights: whether values can be written, read and deleted, and by whom.

It writes one object, under the prefix in a folder of its own, and deletes it again.
"""

from __future__ import annotations

import os
import time
import urllib.error
import uuid
from typing import TYPE_CHECKING, Any

from include.xcom_store.errors import AccessDenied, ObjectMissing, StoreUnreachable, XComStoreError
from include.xcom_store.stores.service import open_url
from include.xcom_tools.check_line import ERROR, NOT_KNOWN, OK, WARNING, CheckLine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from include.xcom_store.stores.base import Store

FOLDER = "_check"
SLOW_SECONDS = 1.0
"""For a request with a kilobyte; within the bucket's region it takes some hundredths."""
EVERYBODY = {
    "s3": "Turn Block Public Access on for the bucket (all four), correct its policy and ACLs",
    "gs": "Enforce public access prevention on the bucket, and correct its policy and ACLs",
    "az": "Disallow blob public access for the account",
}
"""What ends reading without credentials, by the scheme of the URL."""


def list_lines(store: Store) -> Iterator[CheckLine]:
    """List one page under the prefix, which also shows whether bucket and credentials are right."""
    try:
        yield _timed("list", lambda: next(store.list(), None))
    except AccessDenied as error:
        policy = store.service.failure("AccessDenied", "")
        is_s3 = store.location.scheme == "s3"
        if not (is_s3 and policy and policy.advice in str(error)):  # not what we may do: who we are
            yield CheckLine("credentials", ERROR, str(error))
            return
        yield CheckLine(
            "list",
            WARNING,
            str(error),
            f"Allow s3:ListBucket on arn:aws:s3:::{store.location.bucket} for the prefix "
            f"{store.location.prefix}/*: without it a missing object looks like a refused one, and "
            "of values with frames inside only the main object is deleted.",
        )
    except XComStoreError as error:
        unreachable = isinstance(error, StoreUnreachable)
        yield CheckLine("endpoint" if unreachable else "bucket", ERROR, str(error))


def round_trip(store: Store, *, local: bool) -> Iterator[CheckLine]:
    """Write, read and delete a small object, as a task would; a local server may be open to all."""
    key = f"{FOLDER}/{uuid.uuid4().hex}"
    data = os.urandom(1024)
    written: list[tuple[int, str]] = []
    yield _attempt(
        store,
        "write",
        lambda: written.append(store.put(key, lambda sink: sink.write(data))),
        "A push needs s3:PutObject on {}.",
    )
    if not written:
        yield from _read_only(store, key)
        return
    yield _attempt(
        store, "read", lambda: store.get(key, *written[0]), "A pull needs s3:GetObject on {}."
    )
    if not local:
        yield _anonymous(store, key)
    yield _attempt(
        store,
        "delete",
        lambda: store.delete(key),
        "Allow s3:DeleteObject on {}: a retried task cannot remove what its earlier try pushed. "
        f"This check has left {store.uri(key)} behind.",
    )


def _attempt(store: Store, about: str, call: Callable[[], Any], to_do: str) -> CheckLine:
    try:
        return _timed(about, call)
    except XComStoreError as error:
        arn = f"arn:aws:s3:::{store.location.bucket}/{store.location.prefix}/*"
        is_policy = isinstance(error, AccessDenied) and store.location.scheme == "s3"
        return CheckLine(about, ERROR, str(error), to_do.format(arn) if is_policy else "")


def _timed(about: str, call: Callable[[], Any]) -> CheckLine:
    started = time.perf_counter()
    call()
    seconds = time.perf_counter() - started
    if seconds < SLOW_SECONDS:
        return CheckLine(about, OK, f"In {1000 * seconds:.0f} ms.")
    slow = f"In {seconds:.1f} s, which is slow."
    return CheckLine(about, WARNING, slow, "Is the bucket in the region of the workers?")


def _read_only(store: Store, key: str) -> Iterator[CheckLine]:
    """Tell credentials that may only read from those that may nothing."""
    try:
        store.get(key, 0, "")
    except ObjectMissing:
        yield CheckLine("read", OK, "Allowed: these credentials may read, and not write.")
    except XComStoreError as error:
        yield CheckLine("read", ERROR, str(error))


def _anonymous(store: Store, key: str) -> CheckLine:
    """Ask for an object without credentials."""
    location, access = store.location, store.access
    if location.scheme == "hdfs":
        return CheckLine(
            "anonymous",
            WARNING,
            "With simple authentication anyone who reaches the name node can read the values, "
            "under any name.",
            "Let nobody but Airflow's and Hadoop's machines reach it.",
        )
    public = "storage.googleapis.com" if location.scheme == "gs" else "s3.amazonaws.com"
    place = f"{(access.endpoint or f'https://{public}').rstrip('/')}/{location.bucket}"
    url = f"{place}/{location.prefix}/{key}"
    try:
        with open_url(url, access, 15):
            pass
    except urllib.error.HTTPError as error:
        return CheckLine("anonymous", OK, f"Reading without credentials is refused ({error.code}).")
    except OSError as error:
        return CheckLine("anonymous", NOT_KNOWN, f"Asking {url} without credentials: {error}")
    return CheckLine(
        "anonymous",
        ERROR,
        f"Anybody can read the values: {store.service.NAME} gave an object without credentials.",
        f"{EVERYBODY[location.scheme]}, and treat what was in it as known to others.",
    )
