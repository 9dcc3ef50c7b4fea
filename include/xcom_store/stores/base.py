"""`Store`: the objects under one URL, on obstore. Knows of keys and bytes, not of values.

Every failure becomes one of `errors`, with the object's URI, the connection, the endpoint, and what
to do. A push is one put, a pull is one get; only the leaves of a value are listed, to be deleted.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from contextlib import contextmanager
from functools import cached_property, lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from include.xcom_store.errors import (
    AccessDenied,
    ConfigurationError,
    ObjectCorrupt,
    ObjectMissing,
    StoreUnreachable,
    XComStoreError,
)
from include.xcom_store.settings import variable
from include.xcom_store.stores import failures
from include.xcom_store.stores.files import HashingSink, ObjectFile
from include.xcom_store.stores.location import parse_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import ThreadPoolExecutor
    from datetime import datetime

    from include.xcom_store.keys import Owner
    from include.xcom_store.settings import Settings
    from include.xcom_store.stores.location import Location
    from include.xcom_store.stores.service import Access, Service

PUT_PART_BYTES = 8 * 1024 * 1024
"""One part of an upload. Objects that are larger are read in parts, too."""
GET_PART_BYTES = 4 * 1024 * 1024
"""One ranged read."""
PARALLEL_GETS = 4
"""Ranged reads at once, shared by all large pulls. obstore keeps its buffers: with 8 they take
twice the memory."""
LIST_PAGE = 1000
"""Objects per request, the most that S3 gives."""


SERVICES = {"s3": "s3", "gs": "gcs", "az": "azure", "hdfs": "hdfs"}
"""The modules of the services, by the scheme of their URLs; only the one in use is imported."""


class ObjectInfo(NamedTuple):
    """An object as lists have it; the key is relative to the store."""

    key: str
    bytes: int
    modified: datetime


@lru_cache(maxsize=4)
def connect(settings: Settings) -> Store:
    """Return this process's store for these settings."""
    return Store(settings)


class Store:
    """The objects under the settings' URL, by keys that are relative to it.

    Connects with the first request. Threads may share it; a process forked after that may not.
    A missing object raises `ObjectMissing`, one that is not what was written `ObjectCorrupt`.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._location = parse_url(settings.url) if settings.url else None
        self._earlier = [
            Store(settings._replace(url=parse_url(url, "also_read") and url, also_read=""))
            for url in settings.also_read.split()
        ]
        self._connecting = threading.Lock()
        self._connected: tuple[Any, int] | None = None

    @property
    def location(self) -> Location:
        """The parts of the URL; `ConfigurationError` if none is set."""
        if self._location is None:
            raise ConfigurationError(
                "no store is set, so values can only go to the metadata database (up to "
                f"[xcom_store] threshold, {self.settings.threshold} bytes). Set {variable('url')} "
                "to s3://bucket/prefix (or gs://, az://, hdfs://): locally in .env, in production "
                "where you deploy."
            )
        return self._location

    @cached_property
    def access(self) -> Access:
        """How the service is reached: its endpoint, and where the credentials come from."""
        return self.service.resolve(self.location, self.settings)

    def prepare(self) -> None:
        """Look the connection up now, and not with the first request."""
        self._client("connecting to")

    def uri(self, key: str = "") -> str:
        """Return a key's URI; that of the store, with a slash at its end, for no key."""
        return f"{self.location.root}/{key}"

    def find(self, uri: str, owner: Owner | None = None) -> tuple[Store, str]:
        """Return the store in which a URI may be followed, this or one of `also_read`, and its key.

        Raises:
            AccessDenied: it is in none of them, or not an object of this owner.
        """
        known = [*([self] if self._location else []), *self._earlier] or [self]
        found = [store for store in known if uri.startswith(store.uri())]
        if not found:
            raise AccessDenied(
                f"{uri} is not under {' or '.join(store.uri() for store in known)}, which is all "
                "that this Airflow reads ([xcom_store] url, also_read). If the values were moved, "
                "set it to where they are now; if nobody moved them, somebody has edited this XCom."
            )
        store = max(found, key=lambda store: len(store.uri()))
        key = uri.removeprefix(store.uri())
        if owner and not owner.owns(key):
            raise AccessDenied(
                f"{uri} is not an object of {owner}. A value is only read for the task instance "
                "that pushed it; this XCom was edited or copied."
            )
        return store, key

    def put(self, key: str, write: Callable[[HashingSink], Any]) -> tuple[int, str]:
        """Write an object; return its size in bytes and its SHA-256.

        It becomes visible when it is complete. An exception, also one from `write`, aborts it. What
        `write` raises by itself, while `sink.failure` is None, is not the store's.
        """
        with (
            self._request("writing", key) as client,
            self._writer(client, key) as target,
        ):
            sink = HashingSink(target, self._deadline())
            write(sink)
        return sink.bytes, sink.sha256

    def create(self, key: str, data: bytes) -> bool:
        """Write a small object unless there is one of that key; tell whether it was written."""
        from obstore.exceptions import AlreadyExistsError

        with self._request("creating", key) as client:
            try:
                client.put(key, data, mode="create")
            except AlreadyExistsError:
                return False
        return True

    def get(self, key: str, size: int, sha256: str) -> bytes | bytearray:
        """Return the whole object, which must have this size and SHA-256."""
        with self._request("reading", key) as client:
            options: Any = {"range": (0, GET_PART_BYTES)} if size > PUT_PART_BYTES else {}
            first = client.get(key, options=options)
            self._check_size(key, first.meta["size"], size)  # before any memory is taken for it
            data: bytes | bytearray
            if size > PUT_PART_BYTES:
                data, found = self._get_parts(client, key, size, first)
            else:
                data = bytes(first.bytes())
                found = hashlib.sha256(data).hexdigest()
        if found != sha256:
            raise self._corrupt(key, "does not have the SHA-256 that was written")
        return data

    def read_range(self, key: str, start: int, end: int, size: int | None = None) -> bytes:
        """Return the bytes from `start` up to `end`; their SHA-256 is not checked.

        Args:
            key: of the object.
            start: of the first byte.
            end: of the byte after the last.
            size: of the whole object, as it was written; None if that is not known.
        """
        if end <= start:
            return b""
        with self._request("reading", key) as client, self._panic_as_corrupt(key):
            found = client.get(key, options={"range": (start, end)})
            if size is not None:
                self._check_size(key, found.meta["size"], size)
            data = bytes(found.bytes())
        self._check_range(key, start, end, data)
        return data

    def open(self, key: str) -> ObjectFile:
        """Return an object as a file, each read of which is one request; see `read_range`."""
        size = self.head(key).bytes
        return ObjectFile(lambda start, end: self.read_range(key, start, end, size), size)

    def head(self, key: str) -> ObjectInfo:
        """Return what a list would say of an object."""
        with self._request("looking for", key) as client:
            return _info(client.head(key))

    def exists(self, key: str) -> bool:
        """Tell whether there is such an object."""
        try:
            return bool(self.head(key))
        except ObjectMissing:
            return False

    def list(self, under: str = "", after: str | None = None) -> Iterator[ObjectInfo]:
        """List objects lazily, in the order of their keys' bytes; memory does not grow with them.

        Args:
            under: whole segments of their keys; all for none.
            after: a key; only what follows it.
        """
        with self._request("listing", under) as client:
            for page in client.list(under or None, offset=after, chunk_size=LIST_PAGE):
                yield from map(_info, page)

    def delete(self, *keys: str) -> None:
        """Delete objects; one that is not there is no error."""
        if not keys:
            return
        try:
            with self._request("deleting", keys[0]) as client:
                client.delete(list(keys))
        except ObjectMissing:  # Azure and GCS say so, and leave others undeleted
            for key in keys if len(keys) > 1 else ():
                self.delete(key)

    def delete_under(self, prefix: str) -> None:
        """Delete all objects whose key begins with `prefix`, which is not empty, and a slash."""
        if not prefix:
            raise ValueError("not all objects of a store can be deleted at once")
        with self._request("deleting", f"{prefix}/") as client:
            for page in client.list(prefix, chunk_size=LIST_PAGE):
                self.delete(*(found["path"] for found in page))

    @property
    def service(self) -> Service:
        """The module of the service that the URL names."""
        name = f"include.xcom_store.stores.{SERVICES[self.location.scheme]}"
        return cast("Service", import_module(name))

    def _writer(self, client: Any, key: str) -> Any:
        import obstore

        if hasattr(client, "open_writer"):  # obstore has this one only as a function
            return client.open_writer(key)
        return obstore.open_writer(client, key, buffer_size=PUT_PART_BYTES)

    @contextmanager
    def _request(self, doing: str, key: str) -> Iterator[Any]:
        """Give obstore's client, and turn what it raises into an error of ours."""
        from obstore.exceptions import BaseError

        doing = f"{doing} {self.uri(key)}"
        client = self._client(doing)
        try:
            yield client
        except XComStoreError:
            raise
        except (BaseError, OSError) as error:  # an upload's errors are bare OSErrors
            source, endpoint = self.access.source, self.access.endpoint or "not set"
            doing += f" (connection {self.location.conn_id!r}, credentials: {source}, endpoint: "
            explained = failures.explain(error, f"{doing}{endpoint})", self.service.failure)
            # S3's answer to a wrong signature holds the request, session token included.
            raise explained from (None if "CanonicalRequest" in str(error) else error)

    def _client(self, doing: str) -> Any:
        if self._connected is None:
            with self._connecting:  # threads that read in parallel look the connection up once
                if self._connected is None:
                    self._connected = self._connect(doing), os.getpid()
        client, pid = self._connected
        if pid != os.getpid():
            # obstore's threads do not exist in a forked child: a request would wait for ever.
            raise StoreUnreachable(
                f"{doing} in a process forked from one that had used the store cannot work. Start "
                "worker processes with multiprocessing's 'spawn' or 'forkserver'."
            )
        return client

    def _connect(self, doing: str) -> Any:
        from obstore.exceptions import BaseError

        try:
            return self.service.client(self.location, self.settings, self.access)
        except BaseError as error:  # its text may hold what it was given
            raise ConfigurationError(
                f"{doing}: {self.service.NAME} cannot be used with {self.access.source}, which "
                f"obstore does not take ({type(error).__name__}). Correct it."
            ) from None

    def _get_parts(self, client: Any, key: str, size: int, first: Any) -> tuple[bytearray, str]:
        """Read what follows the first part, several parts at a time, and hash them meanwhile."""
        data = bytearray(size)
        check_time = self._deadline()

        def read(start: int) -> memoryview:
            check_time()
            end = min(start + GET_PART_BYTES, size)
            with self._panic_as_corrupt(key):
                rest: Any = {"range": (start, end)}
                chunk = (client.get(key, options=rest) if start else first).bytes()
            self._check_range(key, start, end, chunk)  # or it would shift all that follows
            data[start:end] = memoryview(chunk)
            return memoryview(data)[start:end]

        digest = hashlib.sha256()
        chunks = [self._readers.submit(read, start) for start in range(0, size, GET_PART_BYTES)]
        try:
            for chunk in chunks:
                digest.update(chunk.result())
        finally:
            for chunk in chunks:
                chunk.cancel()
        return data, digest.hexdigest()

    @cached_property
    def _readers(self) -> ThreadPoolExecutor:
        from concurrent.futures import ThreadPoolExecutor

        return ThreadPoolExecutor(PARALLEL_GETS, "xcom_store_parts")

    @contextmanager
    def _panic_as_corrupt(self, key: str) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            # obstore 0.12 panics where an answer is shorter than asked for.
            if type(error).__name__ != "PanicException":
                raise
            raise self._corrupt(key, "has fewer bytes than were asked for") from error

    def _check_range(self, key: str, start: int, end: int, data: Any) -> None:
        if len(data) != end - start:
            raise self._corrupt(key, f"has {len(data)} bytes from {start} on, not {end - start}")

    def _check_size(self, key: str, found: int, written: int) -> None:
        if found != written:
            raise self._corrupt(key, f"has {found} bytes, {written} were written")

    def _corrupt(self, key: str, why: str) -> ObjectCorrupt:
        advice = "It was changed or damaged; run the task again that pushed it."
        return ObjectCorrupt(f"{self.uri(key)} {why}. {advice}")

    def _deadline(self) -> Callable[[], None]:
        """Return what raises once `operation_timeout` is over; each request is bounded as well."""
        limit = self.settings.operation_timeout
        end = time.monotonic() + limit

        def check() -> None:
            if time.monotonic() > end:
                raise StoreUnreachable(
                    f"{self.service.NAME} is too slow: one object took more than [xcom_store] "
                    f"operation_timeout, {limit:g} seconds."
                )

        return check


def _info(meta: Any) -> ObjectInfo:
    return ObjectInfo(meta["path"], meta["size"], meta["last_modified"])
