"""The `[xcom_store] url`, and each of `also_read`: `scheme://[conn_id@]bucket[/prefix]`.

For example

    s3://bucket/prefix              Amazon S3, by connection aws_default
    gs://bucket/prefix              Google Cloud Storage, by google_cloud_default
    az://container/prefix           Azure Blob Storage, by wasb_default, which names the account
    hdfs://namenode:8020/path       HDFS, by webhdfs_default, which names the WebHDFS hosts
"""

from __future__ import annotations

import re
from typing import NamedTuple, NoReturn

from include.xcom_store.settings import refuse

DEFAULT_PREFIX = "xcom"
MAX_PREFIX_BYTES = 150
"""What S3's limit of 1,024 bytes leaves beside the identifiers (see `keys`)."""
CONNECTIONS = {
    "s3": "aws_default",
    "gs": "google_cloud_default",
    "az": "wasb_default",
    "hdfs": "webhdfs_default",
}
"""The schemes that are served, each with the connection it uses where the URL names none."""
_MEANT = dict.fromkeys(("s3a", "s3n"), "s3") | {"gcs": "gs", "webhdfs": "hdfs", "azure": "az"}
_MEANT |= dict.fromkeys(("abfs", "abfss", "wasb", "wasbs"), "az")
_URL = re.compile(
    r"([a-z0-9]+)://(?:([\w.-]+)@)?([A-Za-z0-9][A-Za-z0-9._-]*(?::\d+)?)(?:/([^?#@]*))?"
)
_PREFIX = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*")


class Location(NamedTuple):
    """The parts of a `url`.

    Attributes:
        bucket: for Azure the container, for HDFS what engines name: host and port, or nameservice.
    """

    scheme: str
    conn_id: str
    bucket: str
    prefix: str

    @property
    def root(self) -> str:
        """The URL under which all objects lie, without the connection: `s3://bucket/prefix`."""
        return f"{self.scheme}://{self.bucket}/{self.prefix}"


def parse_url(url: str, setting: str = "url") -> Location:
    """Return the parts of a `url`.

    Raises:
        ConfigurationError: it is not of one of the forms above.
    """
    match = _URL.fullmatch(url)
    if not match or match[1] not in CONNECTIONS or (":" in match[3] and match[1] != "hdfs"):
        _refuse(url, setting)
    prefix = (match[4] or "").strip("/") or DEFAULT_PREFIX
    if not _PREFIX.fullmatch(prefix) or len(prefix) > MAX_PREFIX_BYTES:
        parts = "letters, digits, - and _ in parts separated by /"
        refuse(setting, url, f"a prefix of {parts}, {MAX_PREFIX_BYTES} characters at most")
    return Location(match[1], match[2] or CONNECTIONS[match[1]], match[3], prefix)


def _refuse(url: str, setting: str) -> NoReturn:
    # Keys and tokens do not belong there, and not into a message.
    scheme, _, rest = url.partition("?")[0].partition("://")
    shown = f"…@{url.rpartition('@')[2]}" if "@" in url else url.partition("?")[0]
    known = _MEANT.get(scheme, scheme if scheme in CONNECTIONS else "s3")
    form = {"az": "container/prefix", "hdfs": "host:port/path"}.get(known, "bucket/prefix")
    wanted = f"{known}://{form}, or {known}://conn_id@{form}"
    if scheme in _MEANT:
        wanted += f", so here {known}://{rest}" if "@" not in rest else ""
        wanted += "; the account stands in the connection" if known == "az" else ""
    elif scheme not in CONNECTIONS:
        wanted += "; for other services gs://, az://, hdfs://"
    if "arn:" in url:
        wanted += ". Of an access point it takes the alias in place of a bucket"
    refuse(setting, shown, wanted)
