"""Bytes to one S3 bucket and back, by obstore. Knows of keys, not of values.

Every failure becomes one of `errors`, with the object's URI, the connection, the endpoint, and what
to do. No request is made that is not needed: no HEAD, no LIST, but for values with leaves.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from contextlib import contextmanager
from datetime import timedelta
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from include.xcom_store import connection, failures, settings
from include.xcom_store.errors import (
    ConfigurationError,
    ObjectCorrupt,
    XComStoreError,
    StoreUnreachable,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import ThreadPoolExecutor

    from include.xcom_store.codecs.base import Sink
    from include.xcom_store.settings import Settings

PART = 8 * 1024 * 1024
"""Bytes of one part of an upload; what is larger is read in parts, too."""
READ_PART = 4 * 1024 * 1024
"""Bytes of one ranged read."""
WINDOW = 4
"""Parts that are read at once, of all large objects that are being pulled. obstore keeps the memory
that it reads with: with 8 it is twice as much."""


class HashingSink:
    """Counts and hashes the bytes on their way to the object."""

    def __init__(self, target: Sink, check_time: Callable[[], None]) -> None:
        self._target = target
        self._check_time = check_time
        self._hash = hashlib.sha256()
        self.bytes = 0

    def write(self, data: Any, /) -> int:
        """Pass bytes on; returns how many."""
        self._check_time()
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
            sink = HashingSink(target, self._deadline())
            write(sink)
        return sink.bytes, sink.sha256

    def get(self, key: str, size: int, sha256: str) -> bytes | bytearray:
        """Return the whole object, if it has this size and SHA-256.

        Raises:
            ObjectMissing: it is not there.
            ObjectCorrupt: it is not what was written.
        """
        with self._errors("reading", key):
            data, found = self._read(key, size)
        if found != sha256:
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

    def _read(self, key: str, size: int) -> tuple[bytes | bytearray, str]:
        """Return the object and its SHA-256."""
        import obstore

        options: Any = {"range": (0, READ_PART)} if size > PART else {}
        first = obstore.get(self._client, key, options=options)
        self._check_size(key, first.meta["size"], size)  # before any memory is taken for it
        if size > PART:
            return self._read_parts(key, size, first)
        data = bytes(first.bytes())
        return data, hashlib.sha256(data).hexdigest()

    def _read_parts(self, key: str, size: int, first: Any) -> tuple[bytearray, str]:
        """Read what follows the first part, several parts at a time, and hash them meanwhile."""
        data = bytearray(size)
        check_time = self._deadline()

        def read(start: int) -> memoryview:
            check_time()
            end = min(start + READ_PART, size)
            part = first.bytes() if start == 0 else self._part(key, start, end)
            if len(part) != end - start:  # which would shift all that follows
                raise ObjectCorrupt(f"{self.uri(key)}: S3 gave {len(part)} bytes of {end - start}.")
            data[start:end] = memoryview(part)
            return memoryview(data)[start:end]

        digest = hashlib.sha256()
        parts = [self._readers.submit(read, start) for start in range(0, size, READ_PART)]
        try:
            for part in parts:
                digest.update(part.result())
        finally:
            for part in parts:
                part.cancel()
        return data, digest.hexdigest()

    @cached_property
    def _readers(self) -> ThreadPoolExecutor:
        from concurrent.futures import ThreadPoolExecutor

        return ThreadPoolExecutor(WINDOW, "xcom_store_parts")

    def _part(self, key: str, start: int, end: int) -> Any:
        import obstore

        try:
            return obstore.get_range(self._client, key, start=start, end=end)
        except BaseException as error:
            # obstore 0.12 panics where an answer is shorter than asked for.
            if type(error).__name__ != "PanicException":
                raise
            raise ObjectCorrupt(f"{self.uri(key)}: S3 gave less than asked for.") from error

    def _check_size(self, key: str, found: int, written: int) -> None:
        if found != written:
            raise ObjectCorrupt(
                f"{self.uri(key)} has {found} bytes, {written} were written. It was changed or "
                "damaged; run the task again that pushed it."
            )

    def _deadline(self) -> Callable[[], None]:
        """Return what raises once `operation_timeout` is over; each request is bounded as well."""
        limit = self._options.operation_timeout
        end = time.monotonic() + limit

        def check() -> None:
            if time.monotonic() > end:
                raise StoreUnreachable(
                    f"S3 at {self.access.endpoint or 'AWS'} is too slow: one object took more than "
                    f"[xcom_store] operation_timeout, {limit:g} seconds."
                )

        return check

    @contextmanager
    def _errors(self, doing: str, key: str) -> Iterator[None]:
        """Turn what obstore raises into an error of ours."""
        if os.getpid() != self._pid:
            # obstore's threads do not exist in a forked child: a request would wait for ever.
            raise StoreUnreachable(
                f"{doing} {self.uri(key)} in a process forked from one that had used S3 cannot "
                "work. Start worker processes with multiprocessing's 'spawn' or 'forkserver'."
            )
        from obstore.exceptions import BaseError

        try:
            yield
        except XComStoreError:
            raise
        except (BaseError, OSError) as error:  # an upload's errors are bare OSErrors
            raise failures.explain(
                error,
                f"{doing} {self.uri(key)} ([xcom_store] conn_id {self._options.conn_id!r}, "
                f"credentials: {self.access.source}, endpoint {self.access.endpoint or 'AWS'})",
            ) from error


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
        f"[xcom_store] threshold, {options.threshold} bytes). Set {settings.variable('bucket')} to "
        "the name of a bucket: locally in .env, in production in the Dockerfile or the deployment."
    )


def _client(options: Settings, access: connection.Access) -> Any:
    from obstore.store import S3Store

    config: Any = {"region": access.region or connection.ask_region(options, access.endpoint)}
    if access.endpoint:
        config |= {"endpoint": access.endpoint, "virtual_hosted_style_request": False}
    if options.encryption:
        config["server_side_encryption"] = options.encryption
    if options.encryption == "aws:kms":
        config["sse_bucket_key_enabled"] = True
    if options.kms_key_id:
        config["sse_kms_key_id"] = options.kms_key_id
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
