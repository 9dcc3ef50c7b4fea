"""Where Airflow's REST API is, and who asks; secrets are never on the command line.

The first one found counts:

| address | credentials |
|---|---|
| `--airflow-url`, `AIRFLOW_API_URL` | `AIRFLOW_API_TOKEN`, or `AIRFLOW_API_USERNAME` and `_PASSWORD` |
| host of the connection `airflow_api` | the same: its password a token; with a login, login and password |
| `[core] execution_api_server_url`, `[api] base_url` | none: `simple_auth_manager_all_admins` |

The connection is read only if no variable gives credentials. User name and password are exchanged
for a token at `/auth/token`. docs/tools.md shows how to set it up on your machine and on Astro.
"""  # noqa: E501 - a table

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from include.xcom_tools.airflow_api import AirflowApi, AirflowApiError
from include.xcom_tools.errors import ToolError

if TYPE_CHECKING:
    import argparse

    import httpx

CONNECTION = "airflow_api"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of commands that ask Airflow; `from_arguments` reads them."""
    parser.add_argument(
        "--airflow-url",
        metavar="URL",
        help=f"Airflow's address; default: AIRFLOW_API_URL, the connection {CONNECTION}, or this "
        "environment's own. A token comes from AIRFLOW_API_TOKEN or that connection only",
    )
    parser.add_argument(
        "--rate", type=float, default=100.0, metavar="N",
        help="ask Airflow at most N times per second (default: 100)",
    )  # fmt: skip


def from_arguments(arguments: argparse.Namespace) -> AirflowApi:
    """Return the client that the command line asks for."""
    if arguments.rate <= 0:
        raise ToolError("--rate is a number of requests per second, above 0.")
    return connect(arguments.airflow_url, arguments.rate)


def connect(url: str | None = None, rate: float | None = None) -> AirflowApi:
    """Return a client for the named Airflow, or for this environment's own.

    Raises:
        AirflowApiError: user name and password are refused, or nobody answers.
        ToolError: no address is known.
    """
    import httpx

    found_url, user, secret = _who_and_where()
    url = (url or found_url).rstrip("/").removesuffix("/api/v2")
    if not url.startswith(("http://", "https://")):
        raise ToolError(
            f"{url!r} is not the address of an Airflow; it must begin with http:// or https://."
        )
    client = httpx.Client(base_url=url, timeout=httpx.Timeout(60.0, connect=10.0))
    if user:
        try:
            secret = _exchange(client, user, secret)
        except AirflowApiError:
            client.close()
            raise
    if secret:
        client.headers["Authorization"] = f"Bearer {secret}"
    return AirflowApi(client, rate)


def _who_and_where() -> tuple[str, str, str]:
    env = os.environ
    url = env.get("AIRFLOW_API_URL", "")
    user, secret = env.get("AIRFLOW_API_USERNAME", ""), env.get("AIRFLOW_API_PASSWORD", "")
    if token := env.get("AIRFLOW_API_TOKEN", ""):
        user, secret = "", token
    if not secret:
        host, user, secret = _from_connection()
        url = url or host
    return url or _own_url(), user, secret


def _from_connection() -> tuple[str, str, str]:
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        connection = BaseHook.get_connection(CONNECTION)
    except AirflowNotFoundException:
        return "", "", ""
    url = connection.host or ""
    if url and "://" not in url:
        port = f":{connection.port}" if connection.port else ""
        url = f"{connection.schema or 'https'}://{url}{port}"
    return url, connection.login or "", connection.password or ""


def _own_url() -> str:
    from airflow.sdk.configuration import conf

    # First where tasks reach it: in containers, that differs from where a browser does.
    execution = conf.get("core", "execution_api_server_url", fallback="") or ""
    own = execution.rstrip("/").removesuffix("/execution")
    return own or conf.get("api", "base_url", fallback="") or "http://localhost:8080"


def _exchange(client: httpx.Client, user: str, password: str) -> str:
    import httpx

    where = f"user {user!r} at {str(client.base_url).rstrip('/')}/auth/token"
    try:
        answer = client.post("/auth/token", json={"username": user, "password": password})
        if answer.is_success:
            return str(answer.json()["access_token"])
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        raise AirflowApiError(f"no token for {where}: {type(error).__name__} {error}") from error
    raise AirflowApiError(f"no token for {where}: {answer.status_code}. Is the password right?")
