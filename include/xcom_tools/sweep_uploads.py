"""Uploads that were never completed: what a killed push leaves of an object of more than 5 MiB.

No list of objects shows them, and they are paid for. No row can refer to one, so Airflow is not
asked, not even whether the token may read the DAG: age is enough, for no push takes longer than the
grace period. Only S3 is looked at. Of what the other services keep, Azure deletes blocks that were
not committed after a week, GCS has a lifecycle rule, and HDFS lists its temporary files, which the
sweep takes for values.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from include.xcom_store.errors import StoreUnreachable
from include.xcom_tools import listing, s3_client
from include.xcom_tools.sweep_findings import NOT_SEEN, OTHER, UPLOAD, Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from include.xcom_store.keys import Owner
    from include.xcom_store.stores.base import Store
    from include.xcom_tools.listing import Place
    from include.xcom_tools.sweep_findings import Tally


class Upload(NamedTuple):
    """An upload that is not complete; `place` is None if the backend gives no such name."""

    key: str
    place: Place | None
    begun: datetime
    abort: Callable[[], None]


class _Refused(Exception):
    """S3 does not do it, for these credentials or at all: one of these codes."""

    CODES = ("AccessDenied", "AllAccessDisabled", "MethodNotAllowed", "NotImplemented")


def findings(
    store: Store, owner: Owner, old_before: datetime, tallies: dict[str, Tally], *, delete: bool
) -> Iterator[Finding]:
    """Yield the owner's uploads that were begun before that, and abort them if asked.

    Raises:
        StoreUnreachable: S3 did not answer. What it refuses is a finding.
    """
    try:
        for upload in unfinished(store, owner) if store.location.scheme == "s3" else ():
            uri = store.uri(upload.key)
            if upload.place is None:
                reason = "an upload, not complete, of a name that the backend does not give"
                yield Finding(OTHER, uri, reason, modified=upload.begun)
            elif upload.begun < old_before:
                if delete:
                    upload.abort()
                tallies[upload.place.dag_id].uploads += 1
                reason = "an upload that was never completed"
                yield Finding(UPLOAD, uri, reason, modified=upload.begun, deleted=delete)
    except _Refused as error:
        arn = f"arn:aws:s3:::{store.location.bucket}"
        reason = (
            f"uploads that were never completed are left to the bucket's lifecycle rule: {error}. "
            f"It takes s3:ListBucketMultipartUploads on {arn}, s3:AbortMultipartUpload on "
            f"{arn}/{store.location.prefix}/*"
        )
        yield Finding(NOT_SEEN, store.uri(), reason)


def unfinished(store: Store, owner: Owner) -> Iterator[Upload]:
    """List an owner's uploads lazily, whatever their age; all where none of its fields is set."""
    s3, root = s3_client.connect(store), f"{store.location.prefix}/"
    where = {"Bucket": store.location.bucket}
    pages = iter(
        s3.get_paginator("list_multipart_uploads").paginate(
            **where, Prefix=root + listing.directory(owner)
        )
    )
    while page := _ask(store, lambda: next(pages, None)):
        for found in page.get("Uploads", []):
            key = found["Key"].removeprefix(root)
            place = listing.parse(key)
            if found["Key"].startswith(root) and listing.is_of(place, owner):
                which = {**where, "Key": found["Key"], "UploadId": found["UploadId"]}
                abort = partial(_ask, store, partial(s3.abort_multipart_upload, **which))
                yield Upload(key, place, found["Initiated"], abort)


def _ask(store: Store, call: Callable[[], Any]) -> Any:
    """Return an answer of boto3's; None for an upload that is gone meanwhile."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return call()
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code")
        if code == "NoSuchUpload":
            return None
        if code in _Refused.CODES:
            raise _Refused(str(error)) from error
        raise StoreUnreachable(
            f"looking for uploads under {store.uri()} that were never completed: {error}. Try "
            "again later; `check` looks at the credentials."
        ) from error
    except BotoCoreError as error:
        raise StoreUnreachable(
            f"looking for uploads under {store.uri()} that were never completed: {error}. Check "
            "endpoint and network."
        ) from error
