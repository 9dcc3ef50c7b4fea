"""HDFS by WebHDFS: `hdfs://[conn_id@]host:port/path`, by a connection of type webhdfs.

What stands in the URL is for engines; requests go to the connection's host (several, separated by
commas, for high availability) and port, as the connection's login or, without one, this process's
user. Of its extras `use_ssl` and `verify` (the file of a CA) are followed. Kerberos is refused.

A file is visible in HDFS while it is written. So it is written beside its place as `_temporary-…`
and renamed, which HDFS does at once and never onto another file. What a killed process leaves of
that is found by `sweep`, as a value that no row refers to.
"""

from __future__ import annotations

import base64
import getpass
from typing import TYPE_CHECKING, Any

from include.xcom_store.errors import (
    AccessDenied,
    ConfigurationError,
    ObjectCorrupt,
    StoreUnreachable,
)
from include.xcom_store.stores import service
from include.xcom_store.stores.failures import MISSING, Failure
from include.xcom_store.stores.service import Access, Hidden

if TYPE_CHECKING:
    from include.xcom_store.settings import Settings
    from include.xcom_store.stores.location import Location

NAME = "HDFS"
_URL = "hdfs://conn_id@host:port/path"
_PORT = 9870


def resolve(location: Location, settings: Settings) -> Access:
    """Return how to reach the name nodes by the connection."""
    from airflow.sdk.configuration import conf

    service.refuse_encryption(settings, NAME)
    conn_id = location.conn_id
    connection = service.get_connection(conn_id, "webhdfs", _URL)
    if connection is None or not connection.host:
        raise ConfigurationError(
            f"there is no connection {conn_id!r} with a host, which has to name the WebHDFS hosts: "
            f"make one of type webhdfs, or name another in [xcom_store] url: {_URL}."
        )
    if conf.get("core", "security", fallback="") == "kerberos":
        raise ConfigurationError(
            "[core] security is kerberos, which this backend does not do with HDFS: simple "
            "authentication only."
        )
    extra = {name: value for name, value in connection.extra_dejson.items() if value}
    unknown = list(extra.keys() - {"use_ssl", "verify"})
    if str(connection.extra_dejson.get("verify")).lower() == "false":
        unknown.append("verify (false: name your CA's file instead)")
    service.refuse_extras(conn_id, unknown, _URL)
    is_secure = str(extra.get("use_ssl")).lower() == "true"
    return Access(_nodes(connection, is_secure=is_secure), None, None, *_user(connection, extra))


def _nodes(connection: Any, *, is_secure: bool) -> str:
    scheme, path = "https" if is_secure else "http", (connection.schema or "").strip("/")
    end = f":{connection.port or _PORT}{f'/{path}' if path else ''}"
    return ",".join(f"{scheme}://{host.strip()}{end}" for host in connection.host.split(","))


def _user(connection: Any, extra: dict[str, Any]) -> tuple[str, Hidden]:
    user = connection.login or getpass.getuser()
    config = Hidden(user=user)
    if connection.password:
        pair = base64.b64encode(f"{user}:{connection.password}".encode()).decode()
        config["headers"] = {"Authorization": f"Basic {pair}"}
    if (authority := extra.get("verify")) not in (None, True, "true", "True"):
        config["authority"] = str(authority)
    return f"user {user!r} of connection {connection.conn_id!r}", config


def client(location: Location, settings: Settings, access: Access) -> Any:
    """Return a client with obstore's methods; its keys are relative to the location's prefix."""
    from include.xcom_store.stores.webhdfs import WebHdfs

    return WebHdfs((access.endpoint or "").split(","), location.prefix, settings, **access.config)


def failure(code: str, message: str) -> Failure | None:
    """Return what HDFS means by a code and a message; None for no particular meaning."""
    if "out of the range" in message:
        code = "out of range"
    return _FAILURES.get(code)


_UNFIT = Failure(
    StoreUnreachable,
    "The name node answers and cannot do this now: see its message, its safe mode, and whether "
    "data nodes are alive and have room.",
)
_FAILURES: dict[str, Failure] = {
    "FileNotFoundException": MISSING,
    "out of range": Failure(ObjectCorrupt, "The file is shorter than what was written."),
    "AccessControlException": Failure(
        AccessDenied,
        "This user may not do that there: give it the directory (hdfs dfs -chown), or set the "
        "connection's login.",
    ),
    "SecurityException": Failure(
        AccessDenied,
        "The name node wants another authentication than a user's name; Kerberos and delegation "
        "tokens are not done by this backend.",
    ),
    "InvalidToken": Failure(AccessDenied, "The delegation token has expired, or is another's."),
    **dict.fromkeys((
        "IOException", "SafeModeException", "StandbyException", "RetriableException",
        "DSQuotaExceededException", "NSQuotaExceededException", "LeaseExpiredException",
    ), _UNFIT),
}  # fmt: skip
