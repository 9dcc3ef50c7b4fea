"""Azure Blob Storage: `az://[conn_id@]container/prefix`, by a connection of type wasb.

The connection names the account: its host is `https://account.blob.core.windows.net`, or its login
the account's name. Credentials, first found, as the provider's `WasbHook` has it:

1. `connection_string`
2. `tenant_id`: a service principal, with its ID as login and its secret as password
3. `shared_access_key`
4. `sas_token`, also as a URL
5. the password, then `account_key`: the account's key
6. none of these: managed identity, workload identity and what else azure-identity finds. This alone
   needs the provider.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from include.xcom_store.errors import AccessDenied, ConfigurationError
from include.xcom_store.stores import service
from include.xcom_store.stores.failures import MISSING, TOO_SHORT, Failure
from include.xcom_store.stores.service import Access, Hidden, limits

if TYPE_CHECKING:
    from include.xcom_store.settings import Settings
    from include.xcom_store.stores.location import Location

NAME = "Azure Blob Storage"
_URL = "az://conn_id@container/prefix"
_IDENTITY = {"managed_identity_client_id", "workload_identity_tenant_id"}
_KNOWN = _IDENTITY | {"connection_string", "tenant_id", "client_secret_auth_config"}
_KNOWN |= {"shared_access_key", "sas_token", "account_key"}


def resolve(location: Location, settings: Settings) -> Access:
    """Return how to reach the account by the connection."""
    service.refuse_encryption(settings, NAME)
    conn_id = location.conn_id
    connection = service.get_connection(conn_id, "wasb", _URL)
    if connection is None:
        raise ConfigurationError(
            f"there is no connection {conn_id!r}, which has to name the storage account: make one "
            f"of type wasb, or name another in [xcom_store] url: {_URL}."
        )
    found = dict(connection.extra_dejson)
    extra = {name.removeprefix("extra__wasb__"): value for name, value in found.items() if value}
    # WasbHook passes every other extra on to Azure's client.
    service.refuse_extras(conn_id, list(extra.keys() - _KNOWN), _URL)
    return _access(connection, extra, f"connection {conn_id!r}")


def client(location: Location, settings: Settings, access: Access) -> Any:
    """Return obstore's client; its keys are relative to the location's prefix."""
    from obstore.store import AzureStore

    config: Any = {**access.config, "endpoint": access.endpoint}
    return AzureStore(
        location.bucket,
        prefix=location.prefix,
        config=config,
        credential_provider=access.credentials,
        **limits(settings, access),
    )


def _access(connection: Any, extra: dict[str, Any], where: str) -> Access:
    if text := extra.get("connection_string"):
        return _by_string(text, where)
    sas = extra.get("sas_token", "")
    by_url = sas.startswith("https") and not {"tenant_id", "shared_access_key"} & extra.keys()
    host = sas.partition("?")[0] if by_url else connection.host
    endpoint, account = _endpoint(host, connection.login, where)
    if extra.get("tenant_id"):
        return _principal(endpoint, account, connection, extra, where)
    key = extra.get("shared_access_key")
    if sas and not key:
        sas = sas.partition("?")[2] if by_url else sas.lstrip("?")
        return _with(endpoint, account, f"the SAS of {where}", "sas_token", sas_key=sas)
    if key := key or connection.password or extra.get("account_key"):
        return _with(endpoint, account, f"the key of {where}", "access_key", account_key=key)
    source = f"the azure provider's default credential for {where}"
    config = Hidden(account_name=account)
    return Access(endpoint, None, _identity(extra, where), source, config)


def _with(endpoint: str, account: str, source: str, kind: str, **secret: str) -> Access:
    # The kind keeps AZURE_… variables of the machine from being preferred.
    config = Hidden(account_name=account, credential_type=kind, **secret)
    return Access(endpoint, None, None, source, config)


def _endpoint(host: str | None, login: str | None, where: str) -> tuple[str, str]:
    """Return the account's endpoint and name; see `parse_blob_account_url` of the provider."""
    if not (host or login):
        raise ConfigurationError(f"{where} names no storage account: set its host or login.")
    url = host or f"{login}.blob.core.windows.net"
    parts = urlsplit(url if "://" in url else f"https://{url}")
    name, path = parts.hostname or "", parts.path.strip("/")
    if "." not in name and not (path or parts.port):  # a name alone
        name = f"{login}.blob.core.windows.net"
        parts = parts._replace(netloc=name)
    account = path or name.partition(".")[0]  # by IP address the account is the path, as Azurite's
    return f"{parts.scheme}://{parts.netloc}{f'/{path}' if path else ''}", account


def _by_string(text: str, where: str) -> Access:
    parts = dict(part.partition("=")[::2] for part in text.strip().strip(";").split(";"))
    parts = {name.strip().lower(): value for name, value in parts.items()}
    account, key = parts.get("accountname", ""), parts.get("accountkey")
    suffix, scheme = parts.get("endpointsuffix"), parts.get("defaultendpointsprotocol", "https")
    host = parts.get("blobendpoint") or (
        account and f"{scheme}://{account}.blob.{suffix or 'core.windows.net'}"
    )
    endpoint, named = _endpoint(host, None, where)
    source = f"the connection string of {where}"
    if key:
        return _with(endpoint, account or named, source, "access_key", account_key=key)
    if sas := parts.get("sharedaccesssignature"):
        return _with(endpoint, named, source, "sas_token", sas_key=sas.lstrip("?"))
    raise ConfigurationError(f"{source} has neither AccountKey nor SharedAccessSignature.")


def _principal(
    endpoint: str, account: str, connection: Any, extra: dict[str, Any], where: str
) -> Access:
    options = dict(extra.get("client_secret_auth_config") or {})
    authority = options.pop("authority", None)
    unknown = [f"client_secret_auth_config.{name}" for name in options]
    service.refuse_extras(connection.conn_id, unknown, _URL)
    config = {"client_id": connection.login, "client_secret": connection.password}
    if authority:
        config["authority_host"] = authority if "://" in authority else f"https://{authority}"
    source = f"the service principal of {where}"
    return _with(endpoint, account, source, "client_secret", tenant_id=extra["tenant_id"], **config)


def _identity(extra: dict[str, Any], where: str) -> Any:
    try:
        from airflow.providers.microsoft.azure.utils import get_sync_default_azure_credential
        from obstore.auth.azure import AzureCredentialProvider
    except ImportError as error:
        why = f"{where}, which has no key and no SAS,"
        raise service.provider("apache-airflow-providers-microsoft-azure", why) from error
    names = {name: extra.get(name) for name in _IDENTITY}
    return AzureCredentialProvider(get_sync_default_azure_credential(**names))


def failure(code: str, message: str) -> Failure | None:
    """Return what Azure means by a code and a message; None for no particular meaning."""
    if "container does not exist" in message:  # of a deletion, the code is only 404
        code = "ContainerNotFound"
    if "not valid in the specified time frame" in message or "Signed expiry" in message:
        code = "expired"
    return _FAILURES.get(code)


_WRONG_KEY = Failure(
    AccessDenied,
    "Azure does not take the key or the SAS: correct it in the connection, see whether the SAS has "
    "expired, and whether it is this account's. Azure says the same where the account's firewall "
    "refuses this network.",
)
_TOO_LITTLE = Failure(
    AccessDenied,
    "These credentials may not do this here: an identity needs the role Storage Blob Data "
    "Contributor on the container, a SAS the rights r, c, w, d and l for objects and container.",
)
_PRINCIPAL = Failure(
    AccessDenied,
    "Entra ID does not take the service principal: correct its ID (login), its secret (password), "
    "which may have expired, and tenant_id in the connection.",
)
_FAILURES: dict[str, Failure] = {
    "ContainerNotFound": Failure(
        ConfigurationError, "Create the container, or correct [xcom_store] url to one that exists.",
    ),
    "ContainerBeingDeleted": Failure(
        ConfigurationError, "Somebody has just deleted the container; create it again.",
    ),
    "BlobNotFound": MISSING,
    "InvalidRange": TOO_SHORT,
    "expired": Failure(AccessDenied, "The SAS has expired, or is not valid yet: make a new one."),
    "KeyBasedAuthenticationNotPermitted": Failure(
        AccessDenied, "The account takes no keys: use a service principal or a managed identity.",
    ),
    "AccountIsDisabled": Failure(AccessDenied, "The storage account is disabled."),
    **dict.fromkeys((
        "AuthenticationFailed", "AuthorizationFailure", "InvalidAuthenticationInfo",
        "NoAuthenticationInformation",
    ), _WRONG_KEY),
    **dict.fromkeys((
        "AuthorizationPermissionMismatch", "AuthorizationResourceTypeMismatch",
        "AuthorizationServiceMismatch", "AuthorizationProtocolMismatch",
        "AuthorizationSourceIPMismatch", "InsufficientAccountPermissions",
    ), _TOO_LITTLE),
    **dict.fromkeys(("invalid_client", "unauthorized_client", "invalid_request"), _PRINCIPAL),
}  # fmt: skip
