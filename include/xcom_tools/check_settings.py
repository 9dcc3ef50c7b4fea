"""What a check says of the settings, the connection and the endpoint."""

from __future__ import annotations

import os
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from include.xcom_store.settings import variable
from include.xcom_tools.check_line import ERROR, OK, WARNING, Line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from include.xcom_store.connection import Access
    from include.xcom_store.settings import Settings

# Where Airflow runs for others, and this machine's own address leads nowhere. Astro sets the first;
# Cosmos, Astronomer's own, tells Astro by it too.
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


def settings_lines(options: Settings) -> Iterator[Line]:
    """Tell what is set, and what keeps values from going to S3."""
    from airflow.sdk.execution_time.xcom import XCom

    from include.s3_xcom_backend import S3XComBackend

    if not issubclass(XCom, S3XComBackend):
        yield Line(
            "backend",
            WARNING,
            f"XComs go to {XCom.__module__}.{XCom.__qualname__}, not to this backend.",
            "Set AIRFLOW__CORE__XCOM_BACKEND=include.s3_xcom_backend.S3XComBackend for every "
            "component of Airflow.",
        )
    if not options.bucket:
        yield Line(
            "settings",
            ERROR,
            f"No bucket is set: no value over {options.threshold} bytes can be pushed.",
            f"Set {variable('bucket')} to the name of a bucket.",
        )
        return
    yield Line(
        "settings",
        OK,
        f"s3://{options.bucket}/{options.prefix}/, plain values from {options.threshold + 1} bytes "
        f"on, compression {options.compression}, encryption "
        f"{options.encryption or 'as the bucket has it'}.",
    )
    if not options.offload:
        yield Line(
            "settings",
            WARNING,
            "offload is False: nothing new goes to S3.",
            f"Unset {variable('offload')} if that is not meant.",
        )


def connection_lines(conn_id: str) -> Iterator[Line]:
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
                yield Line(
                    "connection",
                    WARNING,
                    f"Asking {place} fails: {type(error).__name__}: {said}",
                    "Correct it, unless it is not meant to be reached from here.",
                )
    if places:
        hidden = f"; it hides the one in {' and '.join(places[1:])}" if places[1:] else ""
        yield Line("connection", OK, f"{conn_id!r} from {places[0]}{hidden}.")
    else:
        said = f"There is no connection {conn_id!r}: credentials come from environment or role."
        yield Line("connection", OK, said)


def endpoint_lines(options: Settings, access: Access) -> Iterator[Line]:
    """Tell how the credentials were found, and whom they are shown to."""
    yield Line("credentials", OK, f"By {access.source}.")
    endpoint = access.endpoint
    if not endpoint:
        yield Line("endpoint", OK, "AWS.")
        return
    said = f"{endpoint}, from {_endpoint_source(options, endpoint)}."
    deployment = [name for name, is_set in _DEPLOYMENT.items() if is_set(os.environ.get(name))]
    if _is_loopback(endpoint) and deployment:
        yield Line(
            "endpoint",
            ERROR,
            f"{said} That is this machine itself, in a deployment ({deployment[0]} is set).",
            f"Unset {variable('endpoint_url')} there: the bucket is then looked for on AWS. "
            "`astro deployment variable create --load` may have brought it from .env.",
        )
    elif endpoint.startswith("http://") and not _is_loopback(endpoint):
        yield Line(
            "endpoint", WARNING, f"{said} Values travel unencrypted.", "Use https:// if it can."
        )
    else:
        yield Line("endpoint", OK, said)


def _endpoint_source(options: Settings, endpoint: str) -> str:
    if endpoint == options.endpoint_url:
        return variable("endpoint_url")
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"):
        if endpoint == os.environ.get(name):
            return name
    return f"connection {options.conn_id!r}"


def _is_loopback(endpoint: str) -> bool:
    host = urlsplit(endpoint).hostname or ""
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified
