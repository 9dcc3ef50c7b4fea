"""The `[xcom_store] url`: `s3://[conn_id@]bucket[/prefix]`."""

from __future__ import annotations

import re
from typing import NamedTuple

from include.xcom_store.settings import refuse

DEFAULT_PREFIX = "xcom"
MAX_PREFIX_BYTES = 150
"""What S3's limit of 1,024 bytes leaves beside the identifiers (see `keys`)."""
CONNECTIONS = {"s3": "aws_default"}
"""The schemes that are served, each with the connection it uses where the URL names none."""
_URL = re.compile(r"([a-z0-9]+)://(?:([\w.-]+)@)?([A-Za-z0-9][A-Za-z0-9._-]*)(?:/([^?#@]*))?")
_PREFIX = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*")


class Location(NamedTuple):
    """The parts of a `url`."""

    scheme: str
    conn_id: str
    bucket: str
    prefix: str

    @property
    def root(self) -> str:
        """The URL under which all objects lie, without the connection: `s3://bucket/prefix`."""
        return f"{self.scheme}://{self.bucket}/{self.prefix}"


def parse_url(url: str) -> Location:
    """Return the parts of a `url`.

    Raises:
        ConfigurationError: it is not of the form `s3://[conn_id@]bucket[/prefix]`.
    """
    match = _URL.fullmatch(url)
    if not match or match[1] not in CONNECTIONS:
        # Keys and tokens do not belong there, and not into a message.
        scheme, _, rest = url.partition("?")[0].partition("://")
        url = f"…@{url.rpartition('@')[2]}" if "@" in url else url.partition("?")[0]
        meant = f", so here s3://{rest}" if scheme in ("s3a", "s3n") and "@" not in rest else ""
        refuse("url", url, f"s3://bucket/prefix, or s3://conn_id@bucket/prefix{meant}")
    prefix = (match[4] or "").strip("/") or DEFAULT_PREFIX
    if not _PREFIX.fullmatch(prefix) or len(prefix) > MAX_PREFIX_BYTES:
        parts = "letters, digits, - and _ in parts divided by /"
        refuse("url", url, f"a prefix of {parts}, {MAX_PREFIX_BYTES} characters at most")
    return Location(match[1], match[2] or CONNECTIONS[match[1]], match[3], prefix)
