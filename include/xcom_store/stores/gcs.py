"""Google Cloud Storage: `gs://[conn_id@]bucket/prefix`, by connection google_cloud_default.

Credentials, first found, as the google provider has it:

1. the connection's `keyfile_dict` or `key_path`: a service account's key, which obstore signs with;
2. what only the provider's hook can do: `credential_config_file`, `key_secret_name`,
   `impersonation_chain`, `idp_issuer_url`, a `scope` of your own;
3. with none of these, or no connection, application default credentials: the file that
   GOOGLE_APPLICATION_CREDENTIALS names or gcloud has left, else the machine's service account.

A key's `gcs_base_url` leads to another endpoint, such as an emulator's.
"""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from include.xcom_store.errors import AccessDenied, ConfigurationError
from include.xcom_store.stores import service
from include.xcom_store.stores.failures import MISSING, NO_BUCKET, TOO_SHORT, Failure
from include.xcom_store.stores.service import Access, Hidden, limits

if TYPE_CHECKING:
    from include.xcom_store.settings import Settings
    from include.xcom_store.stores.location import Location

NAME = "Google Cloud Storage"
_URL = "gs://conn_id@bucket/prefix"
_PREFIX = "extra__google_cloud_platform__"
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_HOOK = {"credential_config_file", "key_secret_name", "impersonation_chain", "idp_issuer_url"}
_KNOWN = _HOOK | {"keyfile_dict", "key_path", "is_anonymous", "quota_project_id", "scope"}
_KNOWN |= {"project", "num_retries", "key_secret_project_id"}
_KNOWN |= {"client_id", "client_secret", "idp_extra_parameters", "idp_extra_params"}
_GCLOUD = "~/.config/gcloud/application_default_credentials.json"


def resolve(location: Location, settings: Settings) -> Access:
    """Return how to reach the bucket by the connection and the environment."""
    service.refuse_encryption(settings, NAME)
    conn_id = location.conn_id
    connection = service.get_connection(conn_id, "google_cloud_platform", _URL)
    extra = _fields(connection)
    service.refuse_extras(conn_id, list(extra.keys() - _KNOWN), _URL)
    where, headers = f"connection {conn_id!r}", Hidden()
    if project := extra.get("quota_project_id"):
        headers["default_headers"] = {"x-goog-user-project": project}
    if extra.get("is_anonymous"):
        nobody = Hidden(skip_signature=True)
        return Access(None, None, None, f"nobody's, by {where}", nobody, headers)
    if extra.keys() & _HOOK or extra.get("scope", _SCOPE) != _SCOPE:
        source = f"the google provider's hook for {where}"
        return Access(None, None, _hook(conn_id), source, Hidden(), headers)
    if key := _key(extra, where):
        return _by_key(key, f"the key of {where}", headers)
    return _default(headers)


def client(location: Location, settings: Settings, access: Access) -> Any:
    """Return obstore's client; its keys are relative to the location's prefix."""
    from obstore.store import GCSStore

    config: Any = access.config
    return GCSStore(
        location.bucket,
        prefix=location.prefix,
        config=config,
        credential_provider=access.credentials,
        **limits(settings, access),
    )


def _fields(connection: Any | None) -> dict[str, Any]:
    """Return the connection's extras that say something, without the prefix of older Airflows."""
    found = dict(connection.extra_dejson) if connection else {}
    return {name.removeprefix(_PREFIX): value for name, value in found.items() if value}


def _key(extra: dict[str, Any], where: str) -> dict[str, Any] | None:
    path, text = extra.get("key_path"), extra.get("keyfile_dict")
    if path and text:
        raise ConfigurationError(f"{where} has both key_path and keyfile_dict: remove one.")
    return _read(Path(path), f"key_path of {where}") if path else _parse(text, where)


def _read(path: Path, what: str) -> dict[str, Any] | None:
    try:
        return _parse(path.read_bytes(), what)
    except OSError as error:
        raise ConfigurationError(f"{what} cannot be read: {error}.") from error


def _parse(text: Any, what: str) -> dict[str, Any] | None:
    if text is None or isinstance(text, dict):
        return text
    try:
        return dict(json.loads(text))
    except ValueError:  # its message would hold a piece of the key
        raise ConfigurationError(f"{what} is not a key in JSON; p12 is not read.") from None


def _by_key(key: dict[str, Any], source: str, headers: Hidden) -> Access:
    if key.get("type", "service_account") != "service_account":
        raise ConfigurationError(
            f"{source} is of type {key['type']!r}. A key must be of type service_account; "
            "name a file of another type in the connection's credential_config_file, which needs "
            "the google provider."
        )
    config = Hidden(service_account_key=json.dumps({"private_key_id": "", **key}))
    return Access(key.get("gcs_base_url"), None, None, source, config, headers)


def _default(headers: Hidden) -> Access:
    """Return access by application default credentials."""
    name = os.environ.get("GOOGLE_APPLICATION_CREDENTIALS")
    path = Path(name or _GCLOUD).expanduser()
    if not name and not path.exists():
        source = "the machine's service account (no connection, no default credentials)"
        return Access(None, None, None, source, Hidden(), headers)
    key, source = _read(path, str(path)) or {}, f"default credentials, {path}"
    if key.get("type") == "service_account":
        return _by_key(key, source, headers)
    if key.get("type") == "authorized_user":
        config = Hidden(application_credentials=str(path))
        return Access(None, None, None, source, config, headers)
    try:
        from google.auth import load_credentials_from_file
        from obstore.auth.google import GoogleCredentialProvider
    except ImportError as error:
        why = f"{path}, of type {key.get('type')!r},"
        raise service.provider("google-auth (and requests)", why) from error
    with warnings.catch_warnings():  # it warns of files by others; this one is the operator's
        warnings.simplefilter("ignore", DeprecationWarning)
        credentials, _project = load_credentials_from_file(str(path), scopes=[_SCOPE])
    return Access(None, None, GoogleCredentialProvider(credentials), source, Hidden(), headers)


def _hook(conn_id: str) -> Any:
    try:
        from airflow.providers.google.common.hooks.base_google import GoogleBaseHook
        from obstore.auth.google import GoogleCredentialProvider
    except ImportError as error:
        why = f"connection {conn_id!r}, which has more than a key,"
        raise service.provider("apache-airflow-providers-google", why) from error
    return GoogleCredentialProvider(GoogleBaseHook(conn_id).get_credentials())


def failure(code: str, message: str) -> Failure | None:
    """Return what GCS means by a code and a message; None for no particular meaning."""
    if "metadata.google.internal" in message or "169.254.169.254" in message:
        code = "no credentials"
    return _FAILURES.get(code)


_KEY = Failure(
    AccessDenied, "Google does not take this key: it was deleted, disabled, or edited. Make a new "
    "one for the service account, and put it into the connection's keyfile_dict.",
)  # fmt: skip
_PROJECT = Failure(
    ConfigurationError, "The bucket makes the requester pay: set the connection's quota_project_id "
    "to a project that these credentials may bill.",
)  # fmt: skip
_FAILURES: dict[str, Failure] = {
    "NoSuchBucket": NO_BUCKET,
    "NoSuchKey": MISSING,
    "InvalidRange": TOO_SHORT,
    "AccessDenied": Failure(
        AccessDenied,
        "The service account lacks this right on the bucket: give it the role Storage Object User "
        "(roles/storage.objectUser) there.",
    ),
    "AuthenticationRequired": Failure(
        AccessDenied, "The token is missing, expired or revoked: renew it, or use a key.",
    ),
    "ExpiredToken": Failure(AccessDenied, "The token has expired: renew it, or use a key."),
    "invalid_grant": _KEY,
    "invalid_client": _KEY,
    "UserProjectMissing": _PROJECT,
    "UserProjectAccountProblem": _PROJECT,
    "no credentials": Failure(
        AccessDenied,
        "There is no key in the connection, no file of default credentials, and this machine has "
        "no service account. Put a key into the connection's keyfile_dict.",
    ),
}  # fmt: skip
