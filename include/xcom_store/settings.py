"""The `[xcom_store]` section of Airflow's configuration, each option described once.

An option is set by an environment variable `AIRFLOW__XCOM_STORE__<OPTION>` or by airflow.cfg; `_CMD`
and `_SECRET` Airflow reads for its own options only. It is read when the first value is pushed or
pulled, not at import, and then kept for the life of the process.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from include.xcom_store.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

SECTION = "xcom_store"
MAX_PREFIX = 150
"""Bytes; what S3's limit of 1,024 leaves beside the identifiers (see `keys`)."""


class Settings(NamedTuple):  # making a dataclass of it takes a millisecond of every process
    """Settings of the backend; the field's docstring is the option's documentation."""

    bucket: str | None = None
    """Bucket for the values. Without it only values under the threshold can be pushed."""

    prefix: str = "xcom"
    """All keys begin with it. One prefix belongs to one Airflow deployment."""

    conn_id: str = "aws_default"
    """Airflow connection for credentials, region and endpoint. It need not exist: then the
    credentials come from where boto3 would find them (environment, role, profile)."""

    threshold: int = 256
    """Bytes of JSON. Plain values up to it stay in the metadata database; 0 sends all to S3.
    Frames, arrays, tables and Great Expectations results always go to S3."""

    offload: bool = True
    """False writes nothing new to S3; what was written before stays readable."""

    compression: str = "zstd"
    """`zstd` or `none`, for Parquet, Arrow and JSON from 64 KB on."""

    endpoint_url: str | None = None
    """S3 endpoint, used by this backend only. Unset: the connection's, `AWS_ENDPOINT_URL_S3`,
    `AWS_ENDPOINT_URL`, else AWS."""

    region_name: str | None = None
    """Unset: the connection's, `AWS_REGION`, `AWS_DEFAULT_REGION`, else the bucket is asked."""

    encryption: str = ""
    """Unset: as the bucket's default says. `AES256` (SSE-S3) or `aws:kms` (SSE-KMS) ask for it
    with every write."""

    kms_key_id: str | None = None
    """ARN of the key for `aws:kms`; unset, the account's own key for S3. Bucket keys are used."""

    connect_timeout: float = 5.0
    """Seconds to establish a connection."""

    request_timeout: float = 60.0
    """Seconds for one request; a large object is many requests."""

    retry_timeout: float = 120.0
    """Seconds after which a failing request is not tried again. 5xx, 503 SlowDown and broken
    connections are, with exponential backoff and jitter."""

    operation_timeout: float = 3600.0
    """Seconds for a whole push or pull of one object, so that a stalling S3 cannot hold a task."""

    viewer: bool = False
    """True shows the values in Airflow's UI, by the plugin (docs/viewer.md)."""


@cache
def load() -> Settings:
    """Read the settings from Airflow's configuration.

    Raises:
        ConfigurationError: an option has a value that cannot be meant.
    """
    from airflow.sdk.configuration import conf

    found: dict[str, Any] = {}
    for name, default in Settings._field_defaults.items():
        text = (conf.get(SECTION, name, fallback=None) or "").strip()
        if text:
            found[name] = _PARSERS.get(type(default), _text)(name, text)
    return check(Settings(**found))


def check(settings: Settings) -> Settings:
    """Return the settings if they can be used, else raise `ConfigurationError`."""
    prefix = settings.prefix
    if settings.threshold < 0:
        _refuse("threshold", settings.threshold, "a number of bytes, 0 for everything to S3")
    if settings.compression not in ("zstd", "none"):
        _refuse("compression", settings.compression, "zstd or none")
    if settings.encryption not in ("", "AES256", "aws:kms"):
        _refuse("encryption", settings.encryption, "AES256 or aws:kms")
    if settings.kms_key_id and settings.encryption != "aws:kms":
        _refuse("encryption", settings.encryption, "aws:kms where kms_key_id is set")
    if settings.bucket and ("/" in settings.bucket or ":" in settings.bucket):
        _refuse("bucket", settings.bucket, "a bucket's name, without s3:// and without a path")
    if (
        not prefix.isascii()
        or not prefix.replace("/", "a").replace("-", "a").replace("_", "a").isalnum()
        or "" in prefix.split("/")
        or len(prefix) > MAX_PREFIX
    ):
        wanted = f"letters, digits, - and _ in parts divided by /, {MAX_PREFIX} characters at most"
        _refuse("prefix", prefix, wanted)
    for name in ("connect_timeout", "request_timeout", "retry_timeout", "operation_timeout"):
        if getattr(settings, name) <= 0:
            _refuse(name, getattr(settings, name), "a number of seconds above 0")
    return settings


def variable(name: str) -> str:
    """Return the environment variable that sets an option."""
    return f"AIRFLOW__{SECTION.upper()}__{name.upper()}"


def _refuse(name: str, value: object, wanted: str) -> None:
    message = f"[{SECTION}] {name} is {value!r}; it takes {wanted}. Set {variable(name)}."
    raise ConfigurationError(message)


def _integer(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        _refuse(name, text, "a whole number")
        raise


def _seconds(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        _refuse(name, text, "a number of seconds")
        raise


def _boolean(name: str, text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0", "t", "f"):
        _refuse(name, text, "True or False")
    return text.lower() in ("true", "1", "t")


def _text(_name: str, text: str) -> str:
    return text


_PARSERS: dict[type, Callable[[str, str], Any]] = {
    int: _integer,
    float: _seconds,
    bool: _boolean,
}
