"""How engines read XComs through this backend's own requests: on services that are not S3, always.

DuckDB and pyarrow take the file system as it is, polars and others what `LocatedXCom.open` returns.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from pyarrow.fs import PyFileSystem

    from include.xcom_store.stores.base import Store


@dataclass(frozen=True, kw_only=True)
class StoreAccess:
    """How an engine reads XComs through this backend. Nothing of it is secret."""

    store: Store = field(repr=False)

    def filesystem(self) -> Any:
        """Return fsspec's file system: `pandas.read_parquet(path, filesystem=…)`, Dask."""
        from include.xcom_reference.filesystem import StoreFileSystem  # imports fsspec: 0.1 s

        return StoreFileSystem(self.store)

    def arrow_filesystem(self) -> PyFileSystem:
        """Return pyarrow's file system; its paths begin without the scheme."""
        from pyarrow.fs import FSSpecHandler, PyFileSystem

        return PyFileSystem(FSSpecHandler(self.filesystem()))

    def duckdb(self) -> DuckDBPyConnection:
        """Return a DuckDB session, in memory, that reads the URIs of this store."""
        import duckdb

        spill = str(Path(tempfile.gettempdir(), "duckdb-spill"))
        session = duckdb.connect(
            config={"autoinstall_known_extensions": False, "temp_directory": spill}
        )
        session.register_filesystem(self.filesystem())
        return session
