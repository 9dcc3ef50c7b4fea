"""Where an XCom lies in the store, for engines that read it there: nothing is downloaded.

For data too big for a worker, or of which a task needs little. In a task:

    trips = xcom_reference.locate(ti, "load_trips")
    with trips.duckdb() as db:
        busy = db.sql("SELECT pickup_location_id, count(*) FROM xcom GROUP BY 1").df()

A reference is checked as in a pull: it leads to an object of the task instance that was asked for,
or nowhere. Unlike a pull, this does not check size and SHA-256, because only parts of the object
are read. An object is never overwritten, but a retry of the task that pushed it deletes it.

Credentials are what the connection gives at the moment; those of a role expire within the hour.
`docs/by_reference.md` shows Spark, pandas, Athena, and when to stop using XComs.
"""

from __future__ import annotations

import logging
import tempfile
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from include.xcom_backend import RawXCom
from include.xcom_reference.services import StoreAccess
from include.xcom_store import settings
from include.xcom_store.errors import ConfigurationError, ObjectMissing, XComStoreError
from include.xcom_store.keys import Owner
from include.xcom_store.record import Reference, is_reference
from include.xcom_store.stores import base

if TYPE_CHECKING:
    from airflow.sdk.types import RuntimeTaskInstanceProtocol
    from duckdb import DuckDBPyConnection
    from pyarrow.fs import S3FileSystem

    from include.xcom_store.stores.base import Store
    from include.xcom_store.stores.files import ObjectFile

log = logging.getLogger("airflow.task")
_DUCKDB_READS = {"parquet": "read_parquet", "json": "read_json", "zst": "read_json"}


@dataclass(frozen=True, kw_only=True)
class BucketAccess:
    """How an engine reaches the bucket of the XComs. Its repr shows no secret; its SQL does.

    Attributes:
        endpoint: with its scheme; None is AWS.
        token: of temporary credentials, else None.
        virtual: whether the bucket stands in the host's name, not in the path.
    """

    bucket: str
    region: str
    endpoint: str | None
    key_id: str = field(repr=False)
    secret: str = field(repr=False)
    token: str | None = field(repr=False)
    virtual: bool

    @property
    def host(self) -> str:
        """The endpoint without its scheme, as DuckDB wants it."""
        if self.endpoint:
            return self.endpoint.split("://")[-1].rstrip("/")
        return f"s3.{self.region}.amazonaws.com"

    @property
    def use_ssl(self) -> bool:
        """False only where the endpoint is http://, as a local S3 server's."""
        return not (self.endpoint or "").startswith("http://")

    @property
    def url_style(self) -> str:
        """DuckDB's word for how the bucket stands in a URL."""
        return "vhost" if self.virtual else "path"

    def duckdb_secret(self) -> str:
        """SQL that lets a DuckDB session read and write this bucket. It holds the keys: not to log.

        https://duckdb.org/docs/stable/core_extensions/httpfs/s3api
        """
        options = {
            "SCOPE": f"s3://{self.bucket}/",
            "KEY_ID": self.key_id,
            "SECRET": self.secret,
            "SESSION_TOKEN": self.token or "",
            "REGION": self.region,
            "ENDPOINT": self.host,
            "URL_STYLE": self.url_style,
            "USE_SSL": str(self.use_ssl).lower(),
        }
        quoted = (
            f"{name} '{value.replace(chr(39), chr(39) * 2)}'" for name, value in options.items()
        )
        return f"CREATE OR REPLACE SECRET xcom_store (TYPE s3, {', '.join(quoted)})"

    def duckdb(self) -> DuckDBPyConnection:
        """Return a DuckDB session, in memory, that reads and writes `s3://` in this bucket.

        The extension for that comes from the package duckdb-extension-httpfs; DuckDB would
        otherwise download it.
        """
        import duckdb

        extensions = files("duckdb_extension_httpfs") / "extensions" / f"v{duckdb.__version__}"
        session = duckdb.connect(
            config={
                "autoinstall_known_extensions": False,
                "allow_persistent_secrets": False,
                # What does not fit into memory goes here; by default into the working directory.
                "temp_directory": str(Path(tempfile.gettempdir(), "duckdb-spill")),
            }
        )
        session.load_extension(str(extensions / "httpfs.duckdb_extension"))
        session.execute(self.duckdb_secret())
        return session

    def arrow_filesystem(self) -> S3FileSystem:
        """Return pyarrow's file system: `pandas.read_parquet(path, filesystem=…)`, datasets.

        Its paths begin with the bucket, without `s3://`.
        """
        from pyarrow.fs import S3FileSystem

        return S3FileSystem(
            access_key=self.key_id,
            secret_key=self.secret,
            session_token=self.token,
            region=self.region,
            endpoint_override=self.host if self.endpoint else None,
            scheme="https" if self.use_ssl else "http",
            force_virtual_addressing=self.virtual,
        )

    def storage_options(self) -> dict[str, Any]:
        """Return what fsspec calls storage options, for libraries that use s3fs (Dask, pandas)."""
        return {
            "key": self.key_id,
            "secret": self.secret,
            "token": self.token,
            "endpoint_url": self.endpoint,
            "client_kwargs": {"region_name": self.region},
            "config_kwargs": {"s3": {"addressing_style": "virtual" if self.virtual else "path"}},
        }


@dataclass(frozen=True, kw_only=True)
class LocatedXCom:
    """An XCom's object: where it lies, what it is, and how to get at it.

    Attributes:
        codec: `pandas-parquet`, `polars-ipc`, `numpy-npy` …: library and format of the object.
        type: of the value that was pushed, for example `pandas.DataFrame`.
        summary: of the value; for a frame its shape, columns and dtypes.
    """

    uri: str
    codec: str
    type: str
    bytes: int
    summary: str
    access: BucketAccess | StoreAccess
    store: Store = field(repr=False)

    @property
    def path(self) -> str:
        """Bucket and key, as pyarrow's file system names the object."""
        return self.uri.partition("://")[2]

    def open(self) -> ObjectFile:
        """Return the object as a file, for what reads files; each read is one request."""
        store, key = self.store.find(self.uri)
        return store.open(key)

    def duckdb(self) -> DuckDBPyConnection:
        """Return the bucket's DuckDB session, in which this XCom is the view `xcom`.

        A WARNING in the task's log names the columns that DuckDB reads wrongly.

        Raises:
            TypeError: DuckDB does not read what this codec writes.
        """
        function = _DUCKDB_READS.get(self.uri.rpartition(".")[2])
        if not function:
            raise TypeError(f"DuckDB does not read {self.codec}, which {self.uri} is. Pull it.")
        session = self.access.duckdb()
        # Without this, a frame's own column `run_id` would be that of the path.
        source = f"{function}('{self.uri}', hive_partitioning = false)"
        session.execute(f"CREATE VIEW xcom AS FROM {source}")
        if function == "read_parquet":
            self._warn_of_wide_decimals(session)
        return session

    def _warn_of_wide_decimals(self, session: DuckDBPyConnection) -> None:
        # Of the footer, which the session has by now: no object is read for it.
        sql = "SELECT name FROM parquet_schema($uri) WHERE precision > 38"
        if names := session.execute(sql, {"uri": self.uri}).fetchall():
            log.warning(
                "DuckDB reads decimals of more than 38 digits wrongly, without an error: "
                "%s of %s. Read these with pandas or pyarrow.",
                ", ".join(repr(name) for (name,) in names),
                self.uri,
            )


def locate(
    ti: RuntimeTaskInstanceProtocol, task_id: str, key: str = "return_value", map_index: int = -1
) -> LocatedXCom:
    """Return where the value lies that a task of this DAG run has pushed.

    Args:
        ti: the running task instance, as the context has it.
        task_id: of the task that pushed the value.
        key: of the XCom.
        map_index: of a mapped task's instance.

    Raises:
        ObjectMissing: there is no such XCom, or it is not one object in S3.
        AccessDenied: the database refers to what is not an object of that task instance.
        ObjectCorrupt: the database's record was not written by this backend.
        ConfigurationError: settings or connection are not usable.
    """
    owner = Owner(ti.dag_id, ti.run_id, task_id, map_index, key)
    store = base.connect(settings.load())
    try:
        row = RawXCom.get_one(**owner._asdict())
        reference = _reference(row and row.value)
        store, _key = store.find(reference.stored.uri, owner)
        # No engine takes a proxy from us; our own requests go through it.
        by_itself = store.location.scheme == "s3" and "proxy_url" not in store.access.client_options
        access = _access(store) if by_itself else StoreAccess(store=store)
    except XComStoreError as error:
        error.action = f"locating XCom {key!r} of {owner}"
        raise
    stored = reference.stored
    return LocatedXCom(
        uri=stored.uri,
        codec=stored.codec,
        type=stored.type,
        bytes=stored.bytes,
        summary=reference.summary,
        access=access,
        store=store,
    )


def bucket_access() -> BucketAccess:
    """Return how to reach the bucket of S3, from Airflow's configuration and connection.

    Raises:
        ConfigurationError: settings or connection are not usable, or it is not S3.
    """
    return _access(base.connect(settings.load()))


def _access(store: Store) -> BucketAccess:
    from airflow.sdk.log import mask_secret

    from include.xcom_store.stores import s3

    if store.location.scheme != "s3":
        raise ConfigurationError(
            f"{store.uri()} is not on S3, so there are no keys of a bucket to give. `locate` gives "
            "what reads an XCom there."
        )
    access = store.access
    if "proxy_url" in access.client_options:
        raise ConfigurationError(
            f"connection {store.location.conn_id!r} names a proxy, which engines that read the "
            "bucket by themselves do not take from here. `locate` gives what goes through it."
        )
    keys = (access.credentials or _from_environment())()
    for hidden in (keys["secret_access_key"], keys["token"]):
        if hidden:
            mask_secret(hidden)  # Airflow knows a connection's secrets, but not those of a role
    return BucketAccess(
        bucket=store.location.bucket,
        region=s3.find_region(store.location, store.settings, access),
        endpoint=access.endpoint,
        key_id=keys["access_key_id"],
        secret=keys["secret_access_key"],
        token=keys["token"],
        virtual=access.config.get("virtual_hosted_style_request", not access.endpoint),
    )


def _reference(stored: Any) -> Reference:
    if stored is None:
        raise ObjectMissing(
            "there is no such XCom in this DAG run. Has the task run, and is it upstream?"
        )
    if not is_reference(stored):
        raise ObjectMissing(
            "this value is in Airflow's database and not in the store: it is small, or was not "
            "pushed by this backend. Pull it."
        )
    reference = Reference.from_record(stored)
    if reference.leaves:
        raise ObjectMissing(
            f"this {reference.stored.type} is {reference.leaves} objects beside "
            f"{reference.stored.uri}, and not one. Push what is to be located under a key of its "
            "own (multiple_outputs=True)."
        )
    return reference


def _from_environment() -> Any:
    """Return boto3's credentials, where the store would leave it to obstore to find them."""
    from boto3 import Session
    from obstore.auth.boto3 import Boto3CredentialProvider

    return Boto3CredentialProvider(Session())
