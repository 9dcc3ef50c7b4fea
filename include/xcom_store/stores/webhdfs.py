"""obstore's methods, as far as `Store` calls them, for HDFS: WebHDFS over `http.client`.

https://hadoop.apache.org/docs/stable/hadoop-project-dist/hadoop-hdfs/WebHDFS.html

A name node is asked for each request, data nodes give and take the bytes. What fails in passing is
asked again, of the next name node, until `retry_timeout` is over. A stream of more than one part is
the exception: its bytes are gone, so the push fails.

The package hdfs was tried in place of this. A sixth of the lines would go; but an answer that drips
would never be given up, an error has no status that tells whether to ask again, and a directory is
listed at once. It costs 50 ms of import, and two packages that come as source alone.
"""

from __future__ import annotations

import json
import random
import time
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from heapq import heappop, heappush
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from itertools import islice
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar
from urllib.parse import quote, urlencode, urlsplit

from include.xcom_store.stores.service import SOON, at_most

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from include.xcom_store.settings import Settings

_T = TypeVar("_T")

TEMPORARY = "_temporary-"
"""How the name of a file begins that is being written. Spark and Hive pass over such names."""
_BUFFER_BYTES = 8 * 1024 * 1024
_READ_BYTES = 1024 * 1024
_MISSING = "FileNotFoundException"
_AGAIN = {"StandbyException", "RetriableException", "SafeModeException", "ServerTooBusyException"}


class RemoteError(OSError):
    """What HDFS answers in place of a result; `code` is the name of its Java exception."""

    def __init__(self, code: str, message: str, status: int) -> None:
        super().__init__(f"{code}: {message.strip()}" if message else f"status code: {status}")
        self.code, self.status = code, status

    @property
    def is_passing(self) -> bool:
        """Whether it may succeed if it is asked again."""
        without_node = "Failed to find datanode" in str(self)
        return self.status >= 500 or self.code in _AGAIN or without_node


class WebHdfs:
    """The files below one directory.

    Args:
        nodes: the name nodes' URLs.
        prefix: the directory, without slashes at its ends.
        settings: for the limits of time.
        user: whose name is given.
        headers: for the name nodes alone.
        authority: a file with the CA's certificates, for https.
    """

    def __init__(
        self,
        nodes: Sequence[str],
        prefix: str,
        settings: Settings,
        *,
        user: str,
        headers: dict[str, str] | None = None,
        authority: str | None = None,
    ) -> None:
        self._nodes, self._prefix, self._settings = nodes, prefix, settings
        self._user, self._headers, self._authority = user, headers or {}, authority

    def hurried(self) -> WebHdfs:
        """Return one that gives up soon."""
        return WebHdfs(
            self._nodes,
            self._prefix,
            at_most(self._settings, **SOON),
            user=self._user,
            headers=self._headers,
            authority=self._authority,
        )

    def head(self, key: str) -> dict[str, Any]:
        """Return what a list says of a file."""
        found = self.ask("GET", "GETFILESTATUS", key, lambda said: _info(key, said["FileStatus"]))
        if found["path"] != key:
            raise RemoteError(_MISSING, f"{key} is a directory", 404)
        return found

    def exists(self, key: str) -> bool:
        """Tell whether there is such a file."""
        try:
            return bool(self.head(key))
        except RemoteError as error:
            if error.code == _MISSING:
                return False
            raise

    def path(self, key: str) -> str:
        """Return where a key lies in HDFS."""
        return f"/{self._prefix}/{key}".rstrip("/")

    def get(self, key: str, *, options: dict[str, Any] | None = None) -> _File:
        """Return a file, or a range of it, of which nothing has been read yet."""
        return _File(self, key, (options or {}).get("range"))

    def list(
        self, prefix: str | None = None, *, offset: str | None = None, chunk_size: int = 1000
    ) -> Iterator[Sequence[dict[str, Any]]]:
        """List the files below a directory in pages, in the order of their keys' bytes."""
        found = self._walk(prefix or "", offset or "")
        while page := list(islice(found, chunk_size)):
            yield page

    def delete(self, keys: Sequence[str]) -> None:
        """Delete files, and the directories that are empty without them."""
        for key in keys:
            self.ask("DELETE", "DELETE", key, _is_done)
        for folder in {key.rpartition("/")[0] for key in keys}:
            with suppress(RemoteError):  # it is not empty
                while folder and self.ask("DELETE", "DELETE", folder, _is_done):
                    folder = folder.rpartition("/")[0]  # noqa: PLW2901

    def put(self, key: str, data: bytes, *, mode: str) -> None:
        """Write a file unless there is one of that name."""
        from obstore.exceptions import AlreadyExistsError

        assert mode == "create", mode
        try:
            with _Upload(self, key, f"-{uuid.uuid4().hex}") as upload:  # two may try at once
                upload.write(data)
        except FileExistsError as error:
            raise AlreadyExistsError(str(error)) from error

    def open_writer(self, key: str) -> _Upload:
        """Return what takes a file's bytes; it is there once that is left without an exception."""
        return _Upload(self, key)

    def ask(
        self, method: str, operation: str, key: str, read: Callable[[Any], _T], **parameters: str
    ) -> _T:
        """Return what `read` makes of a name node's answer."""

        def once(node: str) -> _T:
            path = quote(self.path(key), safe="/=")
            said = urlencode({"op": operation, "user.name": self._user, **parameters})
            url = f"{node}/webhdfs/v1{path}?{said}"
            return read(json.loads(self._exchange(method, url, headers=self._headers)))

        return self.persist(once)

    def persist(self, once: Callable[[str], _T]) -> _T:
        """Call with one name node after the other until it succeeds or the time is over."""
        end = time.monotonic() + self._settings.retry_timeout
        pause = 0.05
        while True:
            for node in list(self._nodes):
                try:
                    return once(node)
                except (OSError, HTTPException, ValueError, LookupError, TypeError) as error:
                    if isinstance(error, RemoteError) and not error.is_passing:
                        raise
                    if time.monotonic() > end:
                        _raise_os_error(error)
                    self._nodes = [*(n for n in self._nodes if n != node), node]  # last, next time
            jitter = random.uniform(0.5, 1)  # noqa: S311 - no secret
            time.sleep(min(pause * jitter, max(0.01, end - time.monotonic())))
            pause = min(2 * pause, 5)

    def create(self, key: str) -> str:
        """Return the URL of a data node that takes a file's bytes."""
        options = {"overwrite": "true", "noredirect": "true"}
        return self.ask("PUT", "CREATE", key, _where, **options)

    def write(self, where: Callable[[], str], data: bytes) -> None:
        """Write a small file by the URL of a data node, which is asked for with each try."""
        self.persist(lambda _node: self._exchange("PUT", where(), data))

    def read(self, key: str, start: int, count: int) -> bytes:
        """Return a range of a file; fewer bytes where the file is shorter."""

        def once(_node: str) -> bytes:
            options = {"offset": str(start), "length": str(count), "noredirect": "true"}
            return self._exchange("GET", self.ask("GET", "OPEN", key, _where, **options))

        return self.persist(once) if count else b""

    def connect(self, url: str) -> tuple[HTTPConnection, str]:
        """Return an open connection to the host of a URL, and the rest of the URL."""
        parts, timeout = urlsplit(url), self._settings.connect_timeout
        if parts.scheme == "https":
            import ssl

            context = ssl.create_default_context(cafile=self._authority)
            made: HTTPConnection = HTTPSConnection(parts.netloc, timeout=timeout, context=context)
        else:
            made = HTTPConnection(parts.netloc, timeout=timeout)
        made.connect()
        made.sock.settimeout(self._settings.request_timeout)
        return made, f"{parts.path}?{parts.query}"

    def _exchange(
        self, method: str, url: str, data: bytes | None = None, headers: Any = None
    ) -> bytes:
        connection, rest = self.connect(url)
        try:
            connection.request(method, rest, body=data, headers=headers or {})
            return self.answer(connection)
        finally:
            connection.close()

    def answer(self, connection: HTTPConnection) -> bytes:
        """Return the body of an answer that is a success."""
        end = time.monotonic() + self._settings.request_timeout
        with connection.getresponse() as response:
            wanted, parts = response.length, []
            while part := response.read1(_READ_BYTES):
                parts.append(part)
                if time.monotonic() > end:
                    raise TimeoutError("the answer takes longer than [xcom_store] request_timeout")
        body = b"".join(parts)
        if wanted is not None and len(body) != wanted:
            raise ConnectionError(f"the answer has {len(body)} bytes instead of {wanted}")
        if response.status >= 300:
            raise _remote_error(body, response.status)
        return body

    def _walk(self, folder: str, after: str) -> Iterator[dict[str, Any]]:
        """Go through a directory; one whose keys all come before `after` is not asked for."""
        waiting: list[tuple[str, dict[str, Any]]] = []
        for name, entry in self._entries(folder):
            # HDFS has `a` before `a-b`, keys have `a-b` before `a/`.
            while waiting and waiting[0][0] <= name:
                yield from self._visit(heappop(waiting)[1], after)
            heappush(waiting, (entry["path"], entry))
        while waiting:
            yield from self._visit(heappop(waiting)[1], after)

    def _visit(self, entry: dict[str, Any], after: str) -> Iterator[dict[str, Any]]:
        key = entry["path"]
        if key.endswith("/"):
            if key > after or after.startswith(key):
                yield from self._walk(key.rstrip("/"), after)
        elif key > after:
            yield entry

    def _entries(self, folder: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Return what lies in a directory, with its key, in the order of the names."""

        def read(said: Any) -> tuple[Any, int]:
            listing = said["DirectoryListing"]
            found = listing["partialListing"]["FileStatuses"]["FileStatus"]
            keys = [f"{folder}/{entry['pathSuffix']}".lstrip("/") for entry in found]
            return [*map(_info, keys, found)], int(listing["remainingEntries"])

        last: dict[str, str] = {}
        while True:
            try:
                entries, more = self.ask("GET", "LISTSTATUS_BATCH", folder, read, **last)
            except RemoteError as error:
                if error.code == _MISSING:
                    return
                raise
            yield from ((entry["path"].rstrip("/"), entry) for entry in entries)
            if not (entries and more):
                return
            last = {"startAfter": entries[-1]["path"].rstrip("/").rpartition("/")[2]}


class _File:
    """A file or a range of it, with the members of obstore's result of a get."""

    def __init__(self, hdfs: WebHdfs, key: str, part: tuple[int, int] | None) -> None:
        self._hdfs, self._key, self._part = hdfs, key, part

    @property
    def meta(self) -> dict[str, Any]:
        """What a list says of the whole file."""
        return self._hdfs.head(self._key)

    def bytes(self) -> bytes:
        """Read it."""
        start, end = self._part or (0, self.meta["size"])
        return self._hdfs.read(self._key, start, end - start)

    def stream(self, _least: int) -> Iterator[Any]:
        """Read it, in one piece."""
        yield self.bytes()


class _Upload:
    """A file that is being written: in memory up to a part, from then on as a stream."""

    def __init__(self, hdfs: WebHdfs, key: str, suffix: str = "") -> None:
        folder, slash, name = key.rpartition("/")
        self._hdfs, self._key = hdfs, key
        self._temporary = f"{folder}{slash}{TEMPORARY}{name}{suffix}"
        self._buffer = bytearray()
        self._stream: HTTPConnection | None = None
        self._is_begun = False

    def write(self, data: Any) -> None:
        """Take bytes, in pieces, because each is copied."""
        data = memoryview(data)
        for start in range(0, len(data), _BUFFER_BYTES):
            self._buffer += data[start : start + _BUFFER_BYTES]
            if len(self._buffer) > _BUFFER_BYTES:
                self._send()

    def _begin(self) -> str:
        where = self._hdfs.create(self._temporary)
        self._is_begun = True
        return where

    def _send(self) -> None:
        if self._stream is None:
            self._stream, rest = self._hdfs.connect(self._begin())
            self._stream.putrequest("PUT", rest)
            self._stream.putheader("Transfer-Encoding", "chunked")
            self._stream.endheaders()
        if self._buffer:
            for piece in (b"%x\r\n" % len(self._buffer), self._buffer, b"\r\n"):
                self._stream.send(piece)
            self._buffer = bytearray()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._finish()
        except HTTPException as error:
            _raise_os_error(error)
        finally:
            if self._stream is not None:
                self._stream.close()
            if self._is_begun:
                with suppress(OSError):  # a sweep finds what is left
                    self._hdfs.hurried().ask("DELETE", "DELETE", self._temporary, _is_done)

    def _finish(self) -> None:
        if self._stream is None:
            self._hdfs.write(self._begin, bytes(self._buffer))
        else:
            self._send()
            self._stream.send(b"0\r\n\r\n")
            self._hdfs.answer(self._stream)
        target = self._hdfs.path(self._key)
        if not self._hdfs.ask("PUT", "RENAME", self._temporary, _is_done, destination=target):
            if self._hdfs.exists(self._temporary):
                raise FileExistsError(f"{self._key} exists")
            if not self._hdfs.exists(self._key):  # else it was renamed, and the answer was lost
                raise ConnectionError(f"{self._temporary} is gone")
        self._is_begun = False


def _info(key: str, found: dict[str, Any]) -> dict[str, Any]:
    """Return what obstore would say; the path of a directory ends with a slash."""
    modified = datetime.fromtimestamp(found["modificationTime"] / 1000, UTC)
    path = key if found["type"] == "FILE" else f"{key}/"
    return {"path": path, "size": int(found["length"]), "last_modified": modified}


def _is_done(said: Any) -> bool:
    return bool(said["boolean"])


def _where(said: Any) -> str:
    return str(said["Location"])


def _remote_error(body: bytes, status: int) -> RemoteError:
    try:
        said = json.loads(body)["RemoteException"]
        return RemoteError(said["exception"], said["message"], status)
    except (ValueError, KeyError, TypeError):  # a proxy's, a data node's
        return RemoteError("", "", status)


def _raise_os_error(error: Exception) -> NoReturn:
    if isinstance(error, OSError):
        raise error
    raise ConnectionError(f"{type(error).__name__}: {error}") from error
