"""What a check says about the settings, the connection and the endpoint."""

from __future__ import annotations

import os
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from include.xcom_store.errors import ConfigurationError
from include.xcom_store.settings import variable
from include.xcom_tools.check_line import ERROR, OK, WARNING, CheckLine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from include.xcom_store.stores.base import Store
    from include.xcom_store.stores.service import Access

# Where Airflow runs for others, and this machine's own address leads nowhere. Astro sets the first
# one; Astronomer's Cosmos recognizes Astro by it, too.
_DEPLOYMENT: dict[str, Callable[[str | None], bool]] = {
    "ASTRONOMER_ENVIRONMENT": lambda value: value == "cloud",
    "KUBERNETES_SERVICE_HOST": bool,
    "AWS_EXECUTION_ENV": bool,
}
_PLACES = {
    "EnvironmentVariablesBackend": "the environment variable {variable}",
    "MetastoreBackend": "Airflow's database",
    "ExecutionAPISecretsBackend": "Airflow's API server (its secrets backend or its database)",
}


def settings_lines(store: Store) -> Iterator[CheckLine]:
    """Tell what is set, and what keeps values from going to the store."""
    from airflow.sdk.execution_time.xcom import XCom

    from include.xcom_backend import XComBackend

    if not issubclass(XCom, XComBackend):
        yield CheckLine(
            "backend",
            WARNING,
            f"XComs go to {XCom.__module__}.{XCom.__qualname__}, not to this backend.",
            "Set AIRFLOW__CORE__XCOM_BACKEND=include.s3_xcom_backend.S3XComBackend for all "
            "components of Airflow. (On your machine: `python3 -m dev tools check`.)",
        )
    options = store.settings
    try:
        uri = store.uri()
    except ConfigurationError as error:
        yield CheckLine("settings", ERROR, str(error))
        return
    yield CheckLine(
        "settings",
        OK,
        f"{uri}, plain values of more than {options.threshold:,} bytes, compression "
        f"{options.compression}, encryption {options.encryption or 'as the bucket has it'}.",
    )
    if not options.offload:
        yield CheckLine(
            "settings",
            WARNING,
            "offload is False: nothing new goes to the store.",
            f"Unset {variable('offload')} if that is not on purpose.",
        )


def connection_lines(conn_id: str) -> Iterator[CheckLine]:
    """Tell where the connection comes from, and which others of that name it hides."""
    from airflow.sdk.execution_time.supervisor import ensure_secrets_backend_loaded

    places = []
    for backend in ensure_secrets_backend_loaded():  # in this order, the first one wins
        place = _PLACES.get(type(backend).__name__, f"the secrets backend {type(backend).__name__}")
        place = place.format(variable=f"AIRFLOW_CONN_{conn_id.upper()}")
        try:
            if backend.get_connection(conn_id=conn_id):
                places.append(place)
        except Exception as error:  # noqa: BLE001 - whatever one raises, Airflow asks the next
            if not places:
                said = str(error).partition("\n")[0]
                yield CheckLine(
                    "connection",
                    WARNING,
                    f"Asking {place} fails: {type(error).__name__}: {said}",
                    "Correct it, unless it should not be reached from here.",
                )
    if places:
        hidden = f"; it hides the one in {' and '.join(places[1:])}" if places[1:] else ""
        yield CheckLine("connection", OK, f"{conn_id!r} from {places[0]}{hidden}.")
    else:
        said = f"There is no connection {conn_id!r}: credentials come from environment or role."
        yield CheckLine("connection", OK, said)


def endpoint_lines(store: Store, access: Access) -> Iterator[CheckLine]:
    """Tell where the credentials come from, and which endpoint they are sent to."""
    yield CheckLine("credentials", OK, f"By {access.source}.")
    endpoint = access.endpoint
    if not endpoint:
        yield CheckLine("endpoint", OK, f"{store.service.NAME}'s own.")
        return
    said = f"{endpoint}, from {_endpoint_source(store, endpoint)}."
    deployment = [name for name, is_set in _DEPLOYMENT.items() if is_set(os.environ.get(name))]
    if _is_loopback(endpoint) and deployment:
        yield CheckLine(
            "endpoint",
            ERROR,
            f"{said} That is this machine itself, in a deployment ({deployment[0]} is set).",
            f"Unset {variable('endpoint_url')} there, and the bucket is looked for on AWS. "
            "`astro deployment variable create --load` may have brought it from .env."
            if store.location.scheme == "s3"
            else f"Correct connection {store.location.conn_id!r} there.",
        )
    elif endpoint.startswith("http://") and not _is_loopback(endpoint):
        yield CheckLine(
            "endpoint", WARNING, f"{said} Values travel unencrypted.", "Use https:// if it can."
        )
    else:
        yield CheckLine("endpoint", OK, said)


def _endpoint_source(store: Store, endpoint: str) -> str:
    if endpoint == store.settings.endpoint_url:
        return variable("endpoint_url")
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"):
        if endpoint == os.environ.get(name):
            return name
    return f"connection {store.location.conn_id!r}"


def _is_loopback(endpoint: str) -> bool:
    host = urlsplit(endpoint).hostname or ""
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified
