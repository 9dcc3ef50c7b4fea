"""Airflow's AWS connection as what a connection to S3 needs: credentials, region, endpoint.

Credentials, first found:

1. the connection's static keys (login and password, or the extras of that name) and session token;
2. with neither keys nor other authentication in the connection, or no connection: the variables
   AWS_ACCESS_KEY_ID …, AWS_WEB_IDENTITY_TOKEN_FILE, AWS_CONTAINER_CREDENTIALS_… (unless a profile
   or a shared credentials file says otherwise, as in boto3's order);
3. all else (role_arn, profiles, session_kwargs, instance roles …): the amazon provider's session.

1 and 2 do without boto3, whose import takes a third of a second of every task process.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from include.xcom_store.errors import ConfigurationError, StoreUnreachable
from include.xcom_store.settings import variable

if TYPE_CHECKING:
    from collections.abc import Callable

    from include.xcom_store.settings import Settings

_KEYS = {"aws_access_key_id", "aws_secret_access_key", "aws_session_token"}
_BENIGN = {"region_name", "endpoint_url", "service_config", "verify", "config_kwargs"}
_PROVIDER = {
    "role_arn",
    "assume_role_method",
    "assume_role_kwargs",
    "profile_name",
    "session_kwargs",
}
# Of older providers; today's would assume the role without them and say nothing.
_FORMER = {"external_id", "aws_account_id", "aws_iam_role"}
# An extra of such a name changes how S3 is reached or who we are; another service's does not.
_SENSITIVE = ("auth", "credential", "endpoint", "key", "profile", "role", "ssl", "tls", "token")


class Access(NamedTuple):
    """How to reach the bucket.

    Attributes:
        region: None where nobody names one; then the bucket is asked.
        credentials: returns keys, token and expiry as obstore wants them; None leaves it to
            obstore to find and refresh what the environment names.
        source: where the credentials come from, for messages; never a secret.
    """

    endpoint: str | None
    region: str | None
    credentials: Callable[[], Any] | None
    source: str


def resolve(settings: Settings) -> Access:
    """Return how to reach S3 according to the settings, the connection and the environment.

    Raises:
        ConfigurationError: the connection asks for something this backend cannot do.
    """
    connection = _get_connection(settings.conn_id)
    extra = dict(connection.extra_dejson) if connection else {}
    _refuse_unknown(settings.conn_id, extra)
    service = (extra.get("service_config") or {}).get("s3") or {}
    endpoint = (
        settings.endpoint_url
        or service.get("endpoint_url")
        or extra.get("endpoint_url")
        or os.environ.get("AWS_ENDPOINT_URL_S3")
        or os.environ.get("AWS_ENDPOINT_URL")
    )
    if endpoint and not endpoint.startswith(("http://", "https://")):
        raise ConfigurationError(
            f"the S3 endpoint is {endpoint!r}; it has to begin with http:// or https://. Correct "
            f"{variable('endpoint_url')}, the connection's endpoint_url or AWS_ENDPOINT_URL, "
            "whichever it is from."
        )
    region = (
        settings.region_name
        or extra.get("region_name")
        or os.environ.get("AWS_REGION")
        or os.environ.get("AWS_DEFAULT_REGION")
    )
    where = f"connection {settings.conn_id!r}"
    asks_provider = _PROVIDER & {name for name, value in extra.items() if value}
    if connection and not asks_provider and (static := _static(connection, extra)):
        return Access(
            endpoint=endpoint, region=region, credentials=lambda: static, source=f"keys of {where}"
        )
    if not asks_provider and (variables := _ambient()):
        return Access(endpoint=endpoint, region=region, credentials=None, source=variables)
    return _provider_access(settings, endpoint, region, where if connection else "environment")


def _get_connection(conn_id: str) -> Any | None:
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        connection = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        return None
    if connection.conn_type not in ("aws", "", None):
        raise ConfigurationError(
            f"connection {conn_id!r} is of type {connection.conn_type!r}, not aws. Set "
            "[xcom_store] conn_id to an AWS connection."
        )
    return connection


def _refuse_unknown(conn_id: str, extra: dict[str, Any]) -> None:
    known = _KEYS | _BENIGN | _PROVIDER
    unknown = [
        name
        for name in extra.keys() - known
        if extra[name] and (name in _FORMER or any(word in name for word in _SENSITIVE))
    ]
    if extra.get("verify") not in (None, True, "true", "True"):
        unknown.append("verify")
    if unknown:
        raise ConfigurationError(
            f"connection {conn_id!r} has extras that this backend would have to follow and does "
            f"not know: {', '.join(sorted(unknown))}. Remove them, or give the backend a "
            "connection of its own ([xcom_store] conn_id). What goes with a role belongs into "
            'assume_role_kwargs, for example {"ExternalId": "…"}.'
        )


def _static(connection: Any, extra: dict[str, Any]) -> dict[str, Any] | None:
    key, secret = connection.login, connection.password
    if not (key and secret):
        key, secret = extra.get("aws_access_key_id"), extra.get("aws_secret_access_key")
    if not (key and secret):
        return None
    token = extra.get("aws_session_token")
    return {
        "access_key_id": key,
        "secret_access_key": secret,
        "token": token,
        "expires_at": None,
    }


def _ambient() -> str | None:
    """Name the environment variables that give obstore credentials, as boto3 would choose."""
    env = os.environ
    if env.get("AWS_ACCESS_KEY_ID") and env.get("AWS_SECRET_ACCESS_KEY"):
        return "AWS_ACCESS_KEY_ID in the environment"
    files = [env.get("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")]
    files.append(env.get("AWS_CONFIG_FILE", "~/.aws/config"))
    if env.get("AWS_PROFILE") or any(Path(name).expanduser().exists() for name in files):
        return None
    if env.get("AWS_WEB_IDENTITY_TOKEN_FILE") and env.get("AWS_ROLE_ARN"):
        return "AWS_WEB_IDENTITY_TOKEN_FILE in the environment"
    if env.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"):
        return "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI in the environment"
    # obstore follows the full URI only together with a token file, else it asks elsewhere.
    pod_identity = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
    if all(env.get(name) for name in pod_identity):
        return "AWS_CONTAINER_CREDENTIALS_FULL_URI in the environment"
    return None


def _provider_access(
    settings: Settings, endpoint: str | None, region: str | None, where: str
) -> Access:
    from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook
    from botocore.exceptions import BotoCoreError, ClientError
    from obstore.auth.boto3 import Boto3CredentialProvider

    conn_id = None if where == "environment" else settings.conn_id
    try:
        session = AwsGenericHook(aws_conn_id=conn_id, client_type="s3").get_session()
        found = session.get_credentials() and session.get_credentials().get_frozen_credentials()
    except (BotoCoreError, ClientError) as error:
        raise ConfigurationError(
            f"the amazon provider cannot get credentials from {where}: {error}. Correct its role, "
            "profile or the environment's variables."
        ) from error
    if not found:
        raise ConfigurationError(
            f"no AWS credentials: neither connection {settings.conn_id!r} ([xcom_store] conn_id) nor "
            "the environment gives any. Define the connection (locally: airflow_settings.yaml), or "
            "give the worker a role."
        )
    return Access(
        endpoint=endpoint,
        region=region or session.region_name,
        credentials=Boto3CredentialProvider(session),
        source=f"the amazon provider's session for {where}",
    )


def ask_region(options: Settings, endpoint: str | None) -> str:
    """Return the bucket's region, which S3 tells without credentials; us-east-1 where it does not.

    boto3 follows S3 to the right region, obstore does not.
    """
    import urllib.error
    import urllib.request

    url = (
        f"{endpoint}/{options.bucket}" if endpoint else f"https://{options.bucket}.s3.amazonaws.com"
    )
    request = urllib.request.Request(url, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=options.connect_timeout) as answer:
            headers = answer.headers
    except urllib.error.HTTPError as error:
        headers = error.headers
    except OSError as error:
        raise StoreUnreachable(
            f"asking {url} for the bucket's region: {error}. Check endpoint and network, or set "
            f"{variable('region_name')}."
        ) from error
    return str(headers.get("x-amz-bucket-region") or "us-east-1")
