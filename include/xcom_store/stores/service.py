"""What a service's module offers to `Store`, and the limits of time that all of them keep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from include.xcom_store.settings import Settings
    from include.xcom_store.stores.failures import Failure
    from include.xcom_store.stores.location import Location


class Access(NamedTuple):
    """How to reach a service.

    Attributes:
        endpoint: None is the cloud's own.
        region: None where nobody names one; then the bucket is asked.
        credentials: returns what obstore asks for; None leaves it to obstore to find and refresh
            what the environment names.
        source: where the credentials come from, for messages; never a secret.
    """

    endpoint: str | None
    region: str | None
    credentials: Callable[[], Any] | None
    source: str


class Service(Protocol):
    """A module such as `s3`."""

    NAME: str

    def resolve(self, location: Location, settings: Settings) -> Access:
        """Return how to reach the service: settings, connection and environment say it."""

    def client(self, location: Location, settings: Settings, access: Access) -> Any:
        """Return obstore's client, whose keys are relative to the location's prefix."""

    def failure(self, code: str, message: str) -> Failure | None:
        """Return what the service means by a code and a message; None for nothing special."""


def limits(settings: Settings, endpoint: str | None) -> dict[str, Any]:
    """Return obstore's options for timeouts and retries."""
    from datetime import timedelta

    return {
        "client_options": {
            "allow_http": (endpoint or "").startswith("http://"),
            "connect_timeout": timedelta(seconds=settings.connect_timeout),
            "timeout": timedelta(seconds=settings.request_timeout),
        },
        # The time alone is the limit: obstore's ten retries are over within seconds.
        "retry_config": {
            "retry_timeout": timedelta(seconds=settings.retry_timeout),
            "max_retries": 1_000_000,
        },
    }
