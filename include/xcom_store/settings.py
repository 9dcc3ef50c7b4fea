"""The `[xcom_store]` section of Airflow's configuration, each option described once.

Set by the environment variable `AIRFLOW__XCOM_STORE__<OPTION>` or in airflow.cfg (the `_CMD` and
`_SECRET` variants do not work for this section). It is read when the first value is pushed or
pulled, not at import, and kept for the life of the process.
"""

from functools import cache
from typing import Any, NamedTuple, NoReturn

from include.xcom_store.errors import ConfigurationError

SECTION = "xcom_store"


class Settings(NamedTuple):  # a dataclass, or annotations as text, take longer to create
    """Settings of the backend; the field's docstring is the option's documentation."""

    url: str | None = None
    """Where the values go: `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix`,
    `hdfs://host:port/path`; `s3://conn_id@bucket/prefix` names a connection, `aws_default` or the
    like if left out. The prefix, `xcom` if left out, belongs to one deployment alone."""

    also_read: str = ""
    """Further such URLs, separated by spaces, of stores that were used before."""

    threshold: int = 1024
    """Bytes of JSON. Plain values up to it stay in the metadata database; 0 sends all to the store.
    Frames, arrays, tables and Great Expectations results always go there."""

    keep_in_database: str = ""
    """Globs of `dag_id/task_id/key`, separated by spaces: XComs that clients without this backend
    read. Their JSON of up to 64 KiB stays in the database; a push of anything else warns."""

    inexact: str = "warn"
    """Values that would come back changed, but that Airflow's own backend takes: `warn` stores what
    that would give back and says so in the task's log, `refuse` fails the push."""

    offload: bool = True
    """False writes nothing new to the store; what was written before stays readable."""

    compression: str = "zstd"
    """Of Parquet: `zstd`, `lz4`, `snappy`, `none`; Arrow and JSON take the nearest they have."""

    endpoint_url: str | None = None
    """Of S3, for this backend only. Unset: the connection's, `AWS_ENDPOINT_URL(_S3)`, else AWS."""

    region_name: str | None = None
    """Of S3. Unset: the connection's, `AWS_REGION`, `AWS_DEFAULT_REGION`, else the bucket's."""

    encryption: str = ""
    """Of S3. Unset: the bucket's default. `AES256` or `aws:kms` ask for it with every write."""

    kms_key_id: str | None = None
    """ARN of the key for `aws:kms`; unset, the account's own key for S3. Bucket keys are used."""

    checksum_algorithm: str = ""
    """Of S3. `SHA256` where the bucket asks for it, as with Object Lock: sent with every write."""

    unsigned_payload: bool = False
    """Of S3, over https. True does not hash what is written for its signature; some refuse that."""

    connect_timeout: float = 5.0
    """Seconds to establish a connection."""

    request_timeout: float = 60.0
    """Seconds for one request; a large object is many requests."""

    retry_timeout: float = 120.0
    """Seconds after which a failing request (5xx, broken connection) is not tried again."""

    operation_timeout: float = 3600.0
    """Seconds for a whole push or pull of one object: a stalled store cannot block a task."""

    viewer: bool = False
    """True shows the values in Airflow's UI, by the plugin (docs/viewer.md)."""


@cache
def load() -> Settings:
    """Read the settings from Airflow's configuration.

    Raises:
        ConfigurationError: an option has a value that cannot be used.
    """
    from airflow.sdk.configuration import conf
    from airflow.sdk.exceptions import AirflowConfigException

    readers: dict[type, Any] = {bool: conf.getboolean, int: conf.getint, float: conf.getfloat}
    found: dict[str, Any] = {}
    for name, default in Settings._field_defaults.items():
        if not (text := (conf.get(SECTION, name, fallback=None) or "").strip()):
            continue
        reader = readers.get(type(default))
        try:
            found[name] = reader(SECTION, name) if reader else text
        except AirflowConfigException as error:
            raise ConfigurationError(f"{error} Correct or unset {variable(name)}.") from error
    return check(Settings(**found))


def check(settings: Settings) -> Settings:
    """Return the settings if they can be used, else raise `ConfigurationError`."""
    needs_kms = not settings.kms_key_id or settings.encryption == "aws:kms"
    packings = ("zstd", "lz4", "snappy", "none")
    rules = [
        ("threshold", settings.threshold >= 0, "a number of bytes, 0 for everything to the store"),
        ("inexact", settings.inexact in ("warn", "refuse"), "warn or refuse"),
        ("compression", settings.compression in packings, "zstd, lz4, snappy or none"),
        ("checksum_algorithm", settings.checksum_algorithm in ("", "SHA256"), "SHA256 or nothing"),
        ("encryption", settings.encryption in ("", "AES256", "aws:kms"), "AES256 or aws:kms"),
        ("encryption", needs_kms, "aws:kms where kms_key_id is set"),
    ]
    for name in ("connect_timeout", "request_timeout", "retry_timeout", "operation_timeout"):
        rules += [(name, 0.001 <= getattr(settings, name) <= 1e6, "0.001 to 1e6 seconds")]
    for name, is_usable, wanted in rules:
        if not is_usable:
            refuse(name, getattr(settings, name), wanted)
    return settings


def variable(name: str) -> str:
    """Return the environment variable that sets an option."""
    return f"AIRFLOW__{SECTION.upper()}__{name.upper()}"


def refuse(name: str, value: object, wanted: str) -> NoReturn:
    """Raise `ConfigurationError` for an option's value."""
    message = f"[{SECTION}] {name} is {value!r}; it takes {wanted}. Set {variable(name)}."
    raise ConfigurationError(message)
