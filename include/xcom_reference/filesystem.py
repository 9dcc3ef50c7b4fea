"""`Store` as a file system of fsspec, for reading, with the connection and the errors of a pull."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from fsspec import AbstractFileSystem

from include.xcom_store.errors import ObjectMissing

if TYPE_CHECKING:
    from datetime import datetime

    from include.xcom_store.stores.base import Store

BUFFER_BYTES = 256 * 1024


class StoreFileSystem(AbstractFileSystem):  # type: ignore[misc]
    """The objects of one store; paths are URIs, with or without their scheme."""

    cachable = False

    def __init__(self, store: Store) -> None:
        super().__init__()
        self._store = store
        self.protocol = store.location.scheme
        self._root = store.uri().removeprefix(f"{self.protocol}://")

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Return name, size and type; `ObjectMissing` if there is neither file nor directory."""
        name = self._name(path)
        try:
            found = self._store.head(self._key(name))
        except ObjectMissing:
            if next(self._store.list(self._key(name)), None) is None:
                raise
            return {"name": name, "size": 0, "type": "directory"}
        return {"name": name, "size": found.bytes, "type": "file"}

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:  # noqa: FBT001, FBT002
        """List what lies right below a directory."""
        name = self._name(path).rstrip("/")
        found: dict[str, dict[str, Any]] = {}
        for each in self._store.list(self._key(name)):
            below = f"{self._root}{each.key}".removeprefix(f"{name}/")
            first, slash, _rest = below.partition("/")
            kind = "directory" if slash else "file"
            size = 0 if slash else each.bytes
            whole = f"{name}/{first}"
            found.setdefault(whole, {"name": whole, "size": size, "type": kind})
        return list(found.values()) if detail else list(found)

    def glob(self, path: str, **options: Any) -> Any:
        """Return the paths that match a pattern."""
        return super().glob(self._name(path), **options)

    def modified(self, path: str) -> datetime:
        """Return when a file was written; DuckDB asks."""
        return self._store.head(self._key(self._name(path))).modified

    def _open(self, path: str, mode: str = "rb", **_: Any) -> io.BufferedReader:
        if mode != "rb":
            raise ValueError("this is for reading only")
        return io.BufferedReader(self._store.open(self._key(self._name(path))), BUFFER_BYTES)

    def _name(self, path: str) -> str:
        return path.removeprefix(f"{self.protocol}://")

    def _key(self, name: str) -> str:
        return name.removeprefix(self._root.rstrip("/")).strip("/")
