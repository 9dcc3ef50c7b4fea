"""The project's local settings: `.env` and `airflow_settings.yaml`, as the Astro CLI reads them."""

from __future__ import annotations

import json
import urllib.parse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dev.errors import DevError
from dev.project import ROOT
from include.xcom_store.errors import ConfigurationError
from include.xcom_store.stores.location import parse_url

if TYPE_CHECKING:
    from pathlib import Path

    from include.xcom_store.stores.location import Location

Json = dict[str, Any]

ENV_FILE = ROOT / ".env"
SETTINGS_FILE = ROOT / "airflow_settings.yaml"
_URL = "AIRFLOW__XCOM_STORE__URL"
_ENDPOINT = "AIRFLOW__XCOM_STORE__ENDPOINT_URL"


@dataclass(frozen=True)
class LocalSettings:
    """What `.env` and `airflow_settings.yaml` say about Airflow and its S3 on this machine."""

    env: dict[str, str]
    connections: list[Json]  # each a body of Airflow's REST API
    variables: list[Json]
    pools: list[Json]

    @property
    def location(self) -> Location:
        """Connection, bucket and prefix of the store."""
        try:
            return parse_url(self._required(_URL))
        except ConfigurationError as error:
            raise DevError(f"{ENV_FILE}: {error}") from error

    @property
    def s3_port(self) -> int:
        """The port of the local S3 endpoint."""
        url = urllib.parse.urlsplit(self._required(_ENDPOINT))
        if url.hostname not in ("localhost", "127.0.0.1") or url.port is None:
            raise DevError(
                f"{ENV_FILE}: {_ENDPOINT} is {url.geturl()}, not http://localhost:PORT,"
                " so there is no local S3 server to start for it."
            )
        return url.port

    @property
    def keys(self) -> tuple[str, str]:
        """Access key id and secret of the connection that the backend uses."""
        wanted = self.location.conn_id
        for connection in self.connections:
            if connection["connection_id"] == wanted:
                if connection.get("login") and connection.get("password"):
                    return connection["login"], connection["password"]
                break
        raise DevError(
            f"{SETTINGS_FILE} has no connection {wanted} with conn_login and conn_password:"
            " the local S3 server is started with these as its keys."
        )

    def _required(self, name: str) -> str:
        if name not in self.env:
            raise DevError(f"{ENV_FILE} does not set {name}.")
        return self.env[name]


def read() -> LocalSettings:
    """Read both files; DevError names the file and the entry that cannot be used."""
    import yaml  # in .venv only; `python3 -m dev setup` imports this package without it

    try:
        airflow: Json = yaml.safe_load(SETTINGS_FILE.read_text())["airflow"] or {}
        connections = [_connection(entry) for entry in airflow.get("connections") or []]
        variables = [
            {
                "key": entry["variable_name"],
                "value": entry["variable_value"],
                "description": entry.get("variable_description"),
            }
            for entry in airflow.get("variables") or []
        ]
        pools = [
            {
                "name": entry["pool_name"],
                "slots": entry["pool_slot"],
                "description": entry.get("pool_description"),
                "include_deferred": False,
            }
            for entry in airflow.get("pools") or []
        ]
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise DevError(f"{SETTINGS_FILE} cannot be used: {error!r}") from error
    return LocalSettings(_read_env(ENV_FILE), connections, variables, pools)


def _connection(entry: Json) -> Json:
    extra = entry.get("conn_extra") or {}
    body = {
        "connection_id": entry["conn_id"],
        "conn_type": entry["conn_type"],
        "host": entry.get("conn_host"),
        "schema": entry.get("conn_schema"),
        "login": entry.get("conn_login"),
        "password": entry.get("conn_password"),
        "port": entry.get("conn_port"),
        "extra": extra if isinstance(extra, str) else json.dumps(extra),
    }
    return {name: value for name, value in body.items() if value not in (None, "", 0)}


def _read_env(path: Path) -> dict[str, str]:
    """Name to value; like `docker --env-file`, so without quotes or substitution."""
    try:
        lines = [line.strip() for line in path.read_text().splitlines()]
    except OSError as error:
        raise DevError(f"{path} cannot be read: {error}") from error
    pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
    if wrong := [name for name, equals, _ in pairs if not equals]:
        raise DevError(f"{path}: no '=' in the line {wrong[0]!r}")
    return {name: value for name, _, value in pairs}
