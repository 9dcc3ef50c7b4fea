"""An Airflow AWS connection, or the environment, as credentials for obstore.

First found:

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
from typing import Any

from include.xcom_store.errors import ConfigurationError
from include.xcom_store.stores import service
from include.xcom_store.stores.service import Access, Hidden

_KEYS = {"aws_access_key_id", "aws_secret_access_key", "aws_session_token"}
_BENIGN = {"region_name", "endpoint_url", "service_config", "verify", "config_kwargs"}
_PROVIDER = {"role_arn", "assume_role_method", "assume_role_kwargs"}
_PROVIDER |= {"profile_name", "session_kwargs"}
# Of older providers; today's would assume the role without them and say nothing.
_FORMER = {"external_id", "aws_account_id", "aws_iam_role"}
_STYLES, _CHECKSUMS = ("auto", "path", "virtual"), ("when_required", "when_supported")
# An extra of such a name changes how S3 is reached or who we are; another service's does not.
_SENSITIVE = ("auth", "credential", "endpoint", "key", "profile", "role", "ssl", "tls", "token")


def resolve(
    conn_id: str, connection: Any | None, endpoint: str | None, region: str | None
) -> Access:
    """Return how to reach S3 with the credentials that a connection or the environment gives.

    Args:
        conn_id: names the connection.
        connection: from `get_connection`.
        endpoint: None is AWS.
        region: None where nobody has named one; the provider's session may.
    """
    extra = dict(connection.extra_dejson) if connection else {}
    where = f"connection {conn_id!r}" if connection else "environment"
    reach = _config(extra), _client_options(extra, endpoint, where)
    if not any(extra.get(name) for name in _PROVIDER):
        if connection and (static := _static(connection, extra)):
            return Access(endpoint, region, lambda: static, f"keys of {where}", *reach)
        if variable := _ambient():
            return Access(endpoint, region, None, f"{variable} in the environment", *reach)
    from obstore.auth.boto3 import Boto3CredentialProvider

    session = _session(conn_id, connection, where)
    region, credentials = region or session.region_name, Boto3CredentialProvider(session)
    source = f"the amazon provider's session for {where}"
    return Access(endpoint, region, credentials, source, *reach)


def get_connection(conn_id: str) -> Any | None:
    """Return Airflow's connection; None if there is none of that name."""
    url = "s3://conn_id@bucket/prefix"
    connection = service.get_connection(conn_id, "aws", url)
    if connection:
        advice = ' Options of a role belong in assume_role_kwargs: {"ExternalId": "…"}.'
        unknown = _unknown(dict(connection.extra_dejson))
        service.refuse_extras(conn_id, unknown, url, advice)
    return connection


def _unknown(extra: dict[str, Any]) -> list[str]:
    unknown = [
        name
        for name in extra.keys() - (_KEYS | _BENIGN | _PROVIDER)
        if extra[name] and (name in _FORMER or any(word in name for word in _SENSITIVE))
    ]
    if str(extra.get("verify")).lower() == "false":
        unknown.append("verify (false: name your CA's file instead)")
    config, of_s3 = part(extra, "config_kwargs"), part(extra, "config_kwargs", "s3")
    unknown += [f"config_kwargs.s3.{name}" for name in of_s3.keys() - {"addressing_style"}]
    # Those of time and retries, too: [xcom_store] connect_timeout … are what holds here.
    known = {"proxies", "request_checksum_calculation", "s3"}
    unknown += [f"config_kwargs.{name}" for name in config.keys() - known]
    for name, value, values in (
        ("s3.addressing_style", of_s3.get("addressing_style"), _STYLES),
        ("request_checksum_calculation", config.get("request_checksum_calculation"), _CHECKSUMS),
    ):
        if value and value not in values:
            unknown.append(f"config_kwargs.{name} ({value!r}: {', '.join(values)} are known)")
    ours = part(extra, "service_config", "s3").keys() - {"endpoint_url", "bucket_name"}
    return unknown + [f"service_config.s3.{name}" for name in ours]


def part(extra: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return what lies in a connection's extras under one name below the other; empty if nothing.

    Raises:
        ConfigurationError: it is no object of JSON, such as text that holds one.
    """
    for name in names:
        extra = extra.get(name) or {}
        if not isinstance(extra, dict):
            raise ConfigurationError(
                f"{'.'.join(names)} of the AWS connection has to be an object of JSON, not "
                f"{type(extra).__name__}. Correct the connection's extras."
            )
    return extra


def _config(extra: dict[str, Any]) -> Hidden:
    options = Hidden()
    style = part(extra, "config_kwargs", "s3").get("addressing_style") or "auto"
    if style != "auto":
        options["virtual_hosted_style_request"] = style == "virtual"
    if part(extra, "config_kwargs").get("request_checksum_calculation") == "when_supported":
        options["checksum_algorithm"] = "SHA256"  # Object Lock wants one with each write
    return options


def _client_options(extra: dict[str, Any], endpoint: str | None, where: str) -> Hidden:
    """Return the proxy and the own CA that botocore would use, for obstore's HTTP client."""
    options = Hidden()
    proxies = part(extra, "config_kwargs", "proxies")
    if proxy := proxies.get((endpoint or "https").partition(":")[0]):
        options["proxy_url"] = proxy
    authority = extra.get("verify")
    if authority in (None, True, "true", "True"):
        authority, where = os.environ.get("AWS_CA_BUNDLE"), "AWS_CA_BUNDLE"
    if authority:
        try:
            options["root_certificate"] = Path(authority).read_bytes()
        except OSError as error:
            message = f"the CA's certificate that {where} names cannot be read: {error}."
            raise ConfigurationError(message) from error
    return options


def _static(connection: Any, extra: dict[str, Any]) -> dict[str, Any] | None:
    key, secret = connection.login, connection.password
    if not (key and secret):
        key, secret = extra.get("aws_access_key_id"), extra.get("aws_secret_access_key")
    if not (key and secret):
        return None
    token = extra.get("aws_session_token")
    return {"access_key_id": key, "secret_access_key": secret, "token": token, "expires_at": None}


def _ambient() -> str | None:
    """Name the environment variable that gives obstore credentials, as boto3 would choose."""
    env = os.environ
    if env.get("AWS_ACCESS_KEY_ID") and env.get("AWS_SECRET_ACCESS_KEY"):
        return "AWS_ACCESS_KEY_ID"
    files = [env.get("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")]
    files.append(env.get("AWS_CONFIG_FILE", "~/.aws/config"))
    if env.get("AWS_PROFILE") or any(Path(name).expanduser().exists() for name in files):
        return None
    groups = (
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"),
        ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",),
        # obstore follows the full URI only together with a token file, else it asks elsewhere.
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
    )
    return next((group[0] for group in groups if all(map(env.get, group))), None)


def _session(conn_id: str, connection: Any | None, where: str) -> Any:
    """Return the amazon provider's session, which has credentials."""
    from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        hook: Any = AwsGenericHook(aws_conn_id=conn_id if connection else None, client_type="s3")
        session = hook.get_session()
        found = session.get_credentials() and session.get_credentials().get_frozen_credentials()
    except (BotoCoreError, ClientError) as error:
        advice = "Correct its role, profile or the environment's variables."
        message = f"the amazon provider cannot get credentials from {where}: {error}. {advice}"
        raise ConfigurationError(message) from error
    if not found:
        raise ConfigurationError(
            f"no AWS credentials: neither connection {conn_id!r} ([xcom_store] url names another "
            "by s3://conn_id@bucket/prefix) nor the environment gives any. Define the connection "
            "(locally: airflow_settings.yaml), or give the worker a role."
        )
    return session
