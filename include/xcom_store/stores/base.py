"""`Store`: the objects under one URL, on obstore. Knows of keys and bytes, not of values.

Every failure becomes one of `errors`, with the object's URI, the connection, the endpoint, and what
to do. A push is one put, a pull is one get; only the leaves of a value are listed, to be deleted.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import time
from contextlib import ExitStack, contextmanager
from functools import cached_property, lru_cache, partial
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
from include.xcom_store.stores import failures, files, parallel
from include.xcom_store.stores.files import PUT_PART_BYTES, HashingSink, ObjectFile
from include.xcom_store.stores.location import parse_url
from include.xcom_store.stores.parallel import Ahead, Job
from include.xcom_store.stores.service import SOON, at_most

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from datetime import datetime
    from mmap import mmap

    from include.xcom_store.keys import Owner
    from include.xcom_store.settings import Settings
    from include.xcom_store.stores.location import Location
    from include.xcom_store.stores.service import Access, Service

PARALLEL_PUTS = 12
"""Parts of a large upload at once: what a distant bucket takes of one connection is little."""
GET_PART_BYTES = 3 * 1024 * 1024
"""One ranged read."""
PIECE_BYTES = 256 * 1024
"""Of a ranged read, taken over at once."""
PARALLEL_GETS = 24
"""Ranged reads of a large object at once."""
LIST_PAGE = 1000
"""Objects per request, the most that S3 gives."""

SERVICES = {"s3": "s3", "gs": "gcs", "az": "azure", "hdfs": "hdfs"}
"""The modules of the services, by the scheme of their URLs; only the one in use is imported."""


log = logging.getLogger(__name__)

if TYPE_CHECKING:
    Write = Callable[[HashingSink], Any]
    Written = tuple[int, str]


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

    def put(self, key: str, write: Write) -> Written:
        """Write an object; return its size in bytes and its SHA-256.

        It becomes visible when it is complete. An exception, also one from `write`, aborts it. What
        `write` raises by itself, while `sink.failure` is None, is not the store's.
        """
        return self._encoded(key, write).run()

    @contextmanager
    def put_all(self, parts: Mapping[str, Write]) -> Iterator[list[Written]]:
        """Write objects, several at a time, and give what `put` returns of each.

        They are encoded one after the other, by who calls. If one fails, or what is done while they
        are there, all of them are deleted again.
        """
        begun: list[str] = []

        def jobs() -> Iterator[Job[Written]]:
            for key, write in parts.items():
                begun.append(key)
                yield self._encoded(key, write)

        try:
            with Ahead(jobs()) as written:
                found = list(written)
            yield found
        except BaseException:
            self._discard(begun)
            raise

    def _encoded(self, key: str, write: Write) -> Job[Written]:
        """Encode an object, and return what sends it; that of a large one is under way before."""
        with self._request("writing", key, 0) as client, ExitStack() as upload:

            def begin() -> Any:
                upload.enter_context(parallel.SLOTS(PARALLEL_PUTS))
                return upload.enter_context(self._writer(client, key, sink.part_bytes))

            sink = HashingSink(begin, self._deadline())
            write(sink)
        written, kept = (sink.bytes, sink.sha256), sink.kept

        def send() -> Written:
            if kept is not None:
                with self._request("writing", key) as client, self._writer(client, key) as target:
                    target.write(kept)
            return written

        return Job(send, len(kept or b""))

    def _discard(self, keys: Collection[str]) -> None:
        """Delete what a failed push has written. If that fails, too, it is left to a sweep."""
        hurried = Store(at_most(self.settings, **SOON))
        hurried.access = self.access
        try:
            hurried.delete(*keys)
        except Exception:  # what made the push fail is what is raised
            log.exception("Left what a failed push has written behind, for a sweep to delete")

    def create(self, key: str, data: bytes) -> bool:
        """Write a small object unless there is one of that key; tell whether it was written."""
        from obstore.exceptions import AlreadyExistsError

        with self._request("creating", key) as client:
            try:
                client.put(key, data, mode="create")
            except AlreadyExistsError:
                return False
        return True

    def get(self, key: str, size: int, sha256: str) -> bytes | mmap:
        """Return the whole object, which must have this size and SHA-256."""
        data: bytes | mmap
        if size > PUT_PART_BYTES:
            data, found = self._get_parts(key, size)
        else:
            with self._request("reading", key) as client:
                answer = client.get(key)
                self._check_size(key, answer.meta["size"], size)
                data = bytes(answer.bytes())
            found = hashlib.sha256(data).hexdigest()
        if found != sha256:
            raise self._corrupt(key, "does not have the SHA-256 that was written")
        return data

    def get_all(self, wanted: Iterable[tuple[str, int, str]]) -> Ahead[bytes | mmap]:
        """Return objects one after the other, while the next ones are read; see `get`, `Ahead`."""
        return Ahead(Job(partial(self.get, *one), one[1]) for one in wanted)

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
        self._check_range(key, start, end, len(data))
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
        for page in self._pages("listing", under, after):
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
        for page in self._pages("deleting", prefix):
            self.delete(*(found["path"] for found in page))

    def _pages(self, doing: str, under: str, after: str | None = None) -> Iterator[Any]:
        with self._request(doing, under, 0) as client:
            pages = iter(client.list(under or None, offset=after, chunk_size=LIST_PAGE))
        while True:
            with self._request(doing, under):
                page = next(pages, None)
            if page is None:
                return
            yield page

    @property
    def service(self) -> Service:
        """The module of the service that the URL names."""
        name = f"include.xcom_store.stores.{SERVICES[self.location.scheme]}"
        return cast("Service", import_module(name))

    def _writer(self, client: Any, key: str, size: int = PUT_PART_BYTES) -> Any:
        import obstore

        if hasattr(client, "open_writer"):  # obstore has this one only as a function
            return client.open_writer(key)
        return obstore.open_writer(client, key, buffer_size=size, max_concurrency=PARALLEL_PUTS)

    @contextmanager
    def _request(self, doing: str, key: str, slots: int = 1) -> Iterator[Any]:
        """Give obstore's client for a request, and turn what it raises into an error of ours."""
        from obstore.exceptions import BaseError

        doing = f"{doing} {self.uri(key)}"
        client = self._client(doing)
        try:
            with parallel.SLOTS(slots):
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

    def _get_parts(self, key: str, size: int) -> tuple[mmap, str]:
        """Read a large object, several parts at a time, and hash them meanwhile."""
        check_time = self._deadline()
        digest = hashlib.sha256()

        def take(start: int, answer: Any) -> memoryview:
            at, end = start, min(start + GET_PART_BYTES, size)
            with self._panic_as_corrupt(key):
                for piece in answer.stream(PIECE_BYTES):  # of a whole part it keeps two buffers
                    at += len(piece)
                    if at <= end:
                        data[at - len(piece) : at] = memoryview(piece)
            self._check_range(key, start, end, at - start)  # or it would shift all that follows
            return memoryview(data)[start:end]

        def read(start: int) -> memoryview:
            check_time()
            with self._request("reading", key) as client:
                return take(start, client.get(key, options=ranged(start)))

        def ranged(start: int) -> Any:
            return {"range": (start, min(start + GET_PART_BYTES, size))}

        starts = range(GET_PART_BYTES, size, GET_PART_BYTES)
        jobs = (Job(partial(read, start)) for start in starts)
        with ExitStack() as stack:
            with self._request("reading", key) as client:
                first = client.get(key, options=ranged(0))
                self._check_size(key, first.meta["size"], size)  # before memory is taken for it
                data = files.memory(size)
                chunks = stack.enter_context(Ahead(jobs, PARALLEL_GETS))
                digest.update(take(0, first))
            for chunk in chunks:
                digest.update(chunk)
        return data, digest.hexdigest()

    @contextmanager
    def _panic_as_corrupt(self, key: str) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            # obstore 0.12 panics where an answer is shorter than asked for.
            if type(error).__name__ != "PanicException":
                raise
            raise self._corrupt(key, "has fewer bytes than were asked for") from error

    def _check_range(self, key: str, start: int, end: int, found: int) -> None:
        if found != end - start:
            raise self._corrupt(key, f"has {found} bytes from {start} on, not {end - start}")

    def _check_size(self, key: str, found: int, written: int) -> None:
        if found != written:
            raise self._corrupt(key, f"has {found} bytes, {written} were written")

    def _corrupt(self, key: str, why: str) -> ObjectCorrupt:
        advice = "It was changed or damaged; rerun the task that pushed it."
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
