"""Bytes to one S3 bucket and back, by obstore. Knows of keys, not of values.

Every failure becomes one of `errors`, with the object's URI, the connection, the endpoint, and what
to do. No request is made that is not needed: no HEAD, no LIST, but for values with leaves.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from include.s3_xcom import connection, settings
from include.s3_xcom.errors import (
    AccessDenied,
    ConfigurationError,
    ObjectCorrupt,
    ObjectMissing,
    S3XComError,
    StoreUnreachable,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from include.s3_xcom.codecs.base import Sink
    from include.s3_xcom.settings import Settings

PART = 8 * 1024 * 1024
"""Bytes of one part of an upload, and of one ranged read."""
WINDOW = 8
"""Ranges read at once."""


class HashingSink:
    """Counts and hashes the bytes on their way to the object."""

    def __init__(self, target: Sink) -> None:
        self._target = target
        self._hash = hashlib.sha256()
        self.bytes = 0

    def write(self, data: Any, /) -> int:
        """Pass bytes on; returns how many."""
        data = memoryview(data).cast("B")
        self._hash.update(data)
        self._target.write(data)
        self.bytes += len(data)
        return len(data)

    @property
    def sha256(self) -> str:
        """Of all bytes so far, in hexadecimal."""
        return self._hash.hexdigest()

    closed = False

    def close(self) -> None:
        """Do nothing: the one who opened the object closes it."""

    def flush(self) -> None:
        """Do nothing: parts are sent when they are full."""

    def writable(self) -> bool:
        """Say yes, as pyarrow asks."""
        return True


class Store:
    """One bucket, reached by the settings' connection. Threads may share it; processes may not."""

    def __init__(self, options: Settings) -> None:
        self.bucket = _bucket(options)
        self.access = connection.resolve(options)
        self._pid = os.getpid()
        self._options = options
        self._client = _client(options, self.access)

    def uri(self, key: str) -> str:
        """Return a key's `s3://` URI."""
        return f"s3://{self.bucket}/{key}"

    def put(self, key: str, write: Callable[[Sink], Any]) -> tuple[int, str]:
        """Write an object; return its size in bytes and its SHA-256.

        It becomes visible when it is complete. An exception, also one from `write`, aborts it.
        """
        import obstore

        with (
            self._errors("writing", key),
            obstore.open_writer(self._client, key, buffer_size=PART) as target,
        ):
            sink = HashingSink(target)
            write(sink)
        return sink.bytes, sink.sha256

    def get(self, key: str, size: int, sha256: str) -> bytes | bytearray:
        """Return the whole object, if it has this size and SHA-256.

        Raises:
            ObjectMissing: it is not there.
            ObjectCorrupt: it is not what was written.
        """
        with self._errors("reading", key):
            data = self._ranges(key, size) if size > PART else self._whole(key)
        if len(data) != size:
            raise ObjectCorrupt(
                f"{self.uri(key)} has {len(data)} bytes, {size} were written. It was changed or "
                "damaged; run the task again that pushed it."
            )
        if hashlib.sha256(data).hexdigest() != sha256:
            raise ObjectCorrupt(
                f"{self.uri(key)} does not have the SHA-256 that was written. It was changed or "
                "damaged; run the task again that pushed it."
            )
        return data

    def delete(self, key: str) -> None:
        """Delete an object; one that is not there is no error."""
        import obstore

        with self._errors("deleting", key):
            obstore.delete(self._client, key)

    def delete_under(self, prefix: str) -> None:
        """Delete all objects whose key begins with `prefix` and a slash."""
        import obstore

        with self._errors("deleting", f"{prefix}/"):
            for batch in obstore.list(self._client, prefix):
                obstore.delete(self._client, [found["path"] for found in batch])

    def _whole(self, key: str) -> bytes:
        import obstore

        return bytes(obstore.get(self._client, key).bytes())

    def _ranges(self, key: str, size: int) -> bytearray:
        import obstore

        data = bytearray(size)
        for window in range(0, size, PART * WINDOW):
            starts = list(range(window, min(window + PART * WINDOW, size), PART))
            ends = [min(start + PART, size) for start in starts]
            parts = obstore.get_ranges(self._client, key, starts=starts, ends=ends, coalesce=0)
            for start, end, part in zip(starts, ends, parts, strict=True):
                data[start:end] = bytes(part)
        return data

    @contextmanager
    def _errors(self, doing: str, key: str) -> Iterator[None]:
        """Turn what obstore raises into an error of ours."""
        if os.getpid() != self._pid:
            # obstore's threads do not exist in a forked child: a request would wait for ever.
            raise StoreUnreachable(
                f"{doing} {self.uri(key)} in a process forked from one that had used S3 cannot "
                "work. Start worker processes with multiprocessing's 'spawn' or 'forkserver'."
            )
        import obstore.exceptions as failures

        try:
            yield
        except S3XComError:
            raise
        except (failures.BaseError, FileNotFoundError) as error:
            raise self._explain(doing, key, error) from error

    def _explain(self, doing: str, key: str, error: Exception) -> S3XComError:
        import obstore.exceptions as failures

        # obstore's text holds the server's whole answer; its code and message are enough.
        text = str(error)
        code = _first(r"<Code>([^<]*)", text)
        said = f"{code}: {_first(r'<Message>([^<]*)', text)}" if code else text.split("\n", 1)[0]
        where = (
            f"{doing} {self.uri(key)} ([s3_xcom] conn_id {self._options.conn_id!r}, credentials: "
            f"{self.access.source}, endpoint {self.access.endpoint or 'AWS'}): {said}."
        )
        if code == "NoSuchBucket":
            advice = f"There is no bucket {self.bucket!r}: create it, or correct [s3_xcom] bucket."
            return ConfigurationError(f"{where} {advice}")
        if code in (
            "PermanentRedirect",
            "AuthorizationHeaderMalformed",
            "IllegalLocationConstraint",
        ):
            advice = "The region is wrong: set [s3_xcom] region_name to the bucket's, or unset it."
            return ConfigurationError(f"{where} {advice}")
        if code == "InvalidRange":
            return ObjectCorrupt(f"{where} The object is shorter than what was written.")
        if isinstance(error, FileNotFoundError):
            return ObjectMissing(
                f"{where} The object was deleted or has expired (a lifecycle rule, a sweep);"
                " clear the task that pushed it to have it written again."
            )
        denied = (failures.PermissionDeniedError, failures.UnauthenticatedError)
        if isinstance(error, denied) or code in _CREDENTIALS:
            advice = _CREDENTIALS.get(code, "Check the keys or role, and what its policy allows.")
            return AccessDenied(f"{where} {advice}")
        advice = "S3 could not be reached or only failed; check endpoint, network and S3 itself."
        return StoreUnreachable(f"{where} {advice}")


_CREDENTIALS = {
    "InvalidAccessKeyId": "The access key is not known to this S3: correct the connection's login.",
    "SignatureDoesNotMatch": "The secret key is wrong: correct the connection's password.",
    "ExpiredToken": "The session token has expired: renew it, or use a role instead.",
    "RequestTimeTooSkewed": "This machine's clock is wrong: synchronise it.",
    "AccessDenied": "The policy of these credentials lacks this action on the bucket's prefix.",
}


def connect() -> Store:
    """Return this process's store, from Airflow's configuration and connection."""
    with _connecting:  # threads that read in parallel look the connection up once
        return _connect()


@cache
def _connect() -> Store:
    return Store(settings.load())


_connecting = threading.Lock()


def _bucket(options: Settings) -> str:
    if options.bucket:
        return options.bucket
    raise ConfigurationError(
        "no bucket is set, so values can only go to the metadata database (up to "
        f"[s3_xcom] threshold, {options.threshold} bytes). Set {settings.variable('bucket')} to "
        "the name of a bucket: locally in .env, in production in the Dockerfile or the deployment."
    )


def _client(options: Settings, access: connection.Access) -> Any:
    from obstore.store import S3Store

    config: Any = {"region": access.region or _ask_region(options, access.endpoint)}
    if access.endpoint:
        config |= {"endpoint": access.endpoint, "virtual_hosted_style_request": False}
    return S3Store(
        options.bucket,
        config=config,
        credential_provider=access.credentials,
        client_options={
            "allow_http": (access.endpoint or "").startswith("http://"),
            "connect_timeout": timedelta(seconds=options.connect_timeout),
            "timeout": timedelta(seconds=options.request_timeout),
        },
        retry_config={"retry_timeout": timedelta(seconds=options.retry_timeout)},
    )


def _ask_region(options: Settings, endpoint: str | None) -> str:
    """Return the bucket's region, which S3 tells without credentials; us-east-1 where it does not.

    boto3 follows S3 to the right region, obstore does not.
    """
    import urllib.error
    import urllib.request

    url = (
        f"{endpoint}/{options.bucket}" if endpoint else f"https://{options.bucket}.s3.amazonaws.com"
    )
    request = urllib.request.Request(url, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=options.connect_timeout) as answer:
            headers = answer.headers
    except urllib.error.HTTPError as error:
        headers = error.headers
    except OSError as error:
        raise StoreUnreachable(
            f"asking {url} for the bucket's region: {error}. Check endpoint and network, or set "
            f"{settings.variable('region_name')}."
        ) from error
    return str(headers.get("x-amz-bucket-region") or "us-east-1")


def _first(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    return match.group(1) if match else ""
