"""What a service's module offers to `Store`, and what those modules have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from include.xcom_store.errors import ConfigurationError
from include.xcom_store.settings import refuse

if TYPE_CHECKING:
    from collections.abc import Callable

    from include.xcom_store.settings import Settings
    from include.xcom_store.stores.failures import Failure
    from include.xcom_store.stores.location import Location

SOON = {"connect_timeout": 5.0, "request_timeout": 10.0, "retry_timeout": 5.0}
"""Limits for what a failed push does before it raises; see `at_most`."""


class Hidden(dict[str, Any]):
    """Options that may hold secrets, which its repr does not show."""

    def __repr__(self) -> str:
        """Name the options alone."""
        return f"Hidden({', '.join(self)})"


class Access(NamedTuple):
    """How to reach a service.

    Attributes:
        endpoint: None is the cloud's own.
        region: of S3; None where nobody names one: then the bucket is asked.
        credentials: returns what obstore asks for; None leaves it to obstore to find and refresh
            what `config` or the environment names.
        source: where the credentials come from, for messages; never a secret.
        config: options of the service's client.
        client_options: options of its HTTP client, beside the limits of time.
    """

    endpoint: str | None
    region: str | None
    credentials: Callable[[], Any] | None
    source: str
    config: Hidden = Hidden()
    client_options: Hidden = Hidden()


class Service(Protocol):
    """A module such as `s3`."""

    NAME: str

    def resolve(self, location: Location, settings: Settings) -> Access:
        """Return how to reach the service: settings, connection and environment say it."""

    def client(self, location: Location, settings: Settings, access: Access) -> Any:
        """Return obstore's client, or one with its methods; keys are relative to the prefix."""

    def failure(self, code: str, message: str) -> Failure | None:
        """Return what the service means by a code and a message; None for nothing special."""


def get_connection(conn_id: str, conn_type: str, url: str) -> Any | None:
    """Return Airflow's connection; None if there is none of that name.

    Args:
        conn_id: names it.
        conn_type: that it has to have, if it says one.
        url: to write for another connection, for the message.
    """
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        connection = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        return None
    if connection.conn_type not in (conn_type, "", None):
        raise ConfigurationError(
            f"connection {conn_id!r} is of type {connection.conn_type!r}, not {conn_type}. Name "
            f"one of type {conn_type} in [xcom_store] url: {url}."
        )
    return connection


def refuse_extras(conn_id: str, names: list[str], url: str, advice: str = "") -> None:
    """Raise `ConfigurationError` for what a connection says and nobody here honours."""
    if names:
        raise ConfigurationError(
            f"connection {conn_id!r} has extras that this backend would have to follow and does "
            f"not know: {', '.join(sorted(names))}. Remove them, or give it a connection of its "
            f"own ([xcom_store] url: {url}).{advice}"
        )


def refuse_encryption(settings: Settings, name: str) -> None:
    """Raise `ConfigurationError` where the settings ask for what only S3 can be asked for."""
    if settings.encryption:
        refuse("encryption", settings.encryption, f"nothing for {name}: its default holds there")


def provider(package: str, why: str) -> ConfigurationError:
    """Return the error to raise where a package is missing that only some connections need."""
    return ConfigurationError(
        f"{why} needs {package}, which is not installed: add it to requirements.txt, pinned, and "
        "look whether it resolves beside the other pins (docs/stores.md)."
    )


def open_url(url: str, access: Access, timeout: float, method: str = "GET") -> Any:
    """Ask without credentials, by the connection's proxy and CA; `OSError` if that fails."""
    import ssl
    from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener

    proxy, authority = map(access.client_options.get, ("proxy_url", "root_certificate"))
    context = ssl.create_default_context()
    if authority:
        context.load_verify_locations(cadata=authority.decode())
    proxies = {url.partition(":")[0]: proxy} if proxy else None
    opener = build_opener(HTTPSHandler(context=context), ProxyHandler(proxies))
    asked = Request(url, method=method)  # noqa: S310 - the operator's own endpoint
    return opener.open(asked, timeout=timeout)


def at_most(settings: Settings, **seconds: Any) -> Settings:
    """Return the settings with limits of time no longer than these, for who does not wait."""
    return settings._replace(**{n: min(getattr(settings, n), s) for n, s in seconds.items()})


def limits(settings: Settings, access: Access) -> dict[str, Any]:
    """Return obstore's options for timeouts and retries."""
    from datetime import timedelta

    return {
        "client_options": {
            **access.client_options,
            "allow_http": (access.endpoint or "").startswith("http://"),
            "connect_timeout": timedelta(seconds=settings.connect_timeout),
            "timeout": timedelta(seconds=settings.request_timeout),
        },
        # The time alone is the limit: obstore's ten retries are over within seconds.
        "retry_config": {
            "retry_timeout": timedelta(seconds=settings.retry_timeout),
            "max_retries": 1_000_000,
        },
    }
