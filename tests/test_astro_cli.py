"""A clone as the Astro CLI uses it: installed, parsed, tested, started without Docker.

Not run: the CLI itself, a container, Astronomer's index and constraints. tests/astro_cli.py does in
their place what the CLI's source does. All of it needs a package index and takes minutes.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from include.xcom_store.stores.location import parse_url
from tests import astro_cli, local_s3
from tests.astro_project import ROOT, copy_files, dotenv, project_files, ships

pytestmark = pytest.mark.skipif(
    not (ROOT / ".env").exists() or importlib.util.find_spec("dev") is None,
    reason="the image has no .env and no dev/; run this in a clone",
)

BACKEND = "include.s3_xcom_backend.S3XComBackend"
DAG = "example_great_expectations_dag"
PLUGIN = """
from airflow.plugins_manager import AirflowPlugin

class Probe(AirflowPlugin):
    name = "probe_of_the_plugins_folder"
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A clone with the .venv that the CLI makes in it, and free ports in .env."""
    from dev import ports

    clone = copy_files(project_files(), tmp_path_factory.mktemp("clone"))
    env = clone / ".env"
    env.write_text(env.read_text().replace(":8333", f":{ports.free_ports(1)[0]}"))
    astro_cli.install(clone)
    return clone


def run(project: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [project / ".venv/bin" / command[0], *command[1:]],
        cwd=project, env=astro_cli.environment(project, 8080) | environment,
        capture_output=True, text=True, check=False, timeout=900,
    )  # fmt: skip


def test_what_the_cli_forces_beats_the_project():
    """And `.env` names the backend: in its standalone mode the CLI ignores the Dockerfile's ENV."""
    env = astro_cli.environment(ROOT, 8080)
    assert env["AIRFLOW__CORE__XCOM_BACKEND"] == BACKEND
    assert env["AIRFLOW__CORE__DAGS_FOLDER"] == str(ROOT / "dags")
    assert env["AIRFLOW_HOME"] != os.environ["AIRFLOW_HOME"]
    assert not [name for name in env if name.startswith("AIRFLOW_CONN_")]


# ------------------------------------------------------------------------ what is installed


@pytest.mark.weekly
def test_nothing_was_downgraded(project):
    code = "import importlib.metadata as m; [print(d.name, d.version) for d in m.distributions()]"
    listed = run(project, "python", "-c", code).stdout.lower().replace("_", "-").splitlines()
    installed = dict(line.split() for line in listed)
    for name in ("apache-airflow", "apache-airflow-core", "apache-airflow-task-sdk"):
        assert installed[name] == astro_cli.locked(name)
    assert installed["airflow-provider-great-expectations"] == "1.0.0"
    assert installed["great-expectations"].startswith("1.")
    assert installed["pandas"].startswith("3.")
    pins = re.findall(r"^([\w-]+)==(\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert {name: installed[name] for name, _ in pins} == dict(pins)


@pytest.mark.weekly
def test_the_run_lines_of_the_dockerfile(project):
    """dbt's own environment, by the very command of the image's build."""
    text = (project / "Dockerfile").read_text().replace("\\\n", " ")
    commands = re.findall(r"^RUN (.*)$", text, re.MULTILINE)
    assert commands
    for command in commands:
        done = subprocess.run(
            ["sh", "-c", command], cwd=project, check=False, capture_output=True, text=True,
            env=os.environ | {"PATH": f"{project}/.venv/bin:{os.environ['PATH']}"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    shown = subprocess.run(
        [project / "dbt_venv/bin/dbt", "--version"],
        capture_output=True, text=True, check=False, env=os.environ | {"DO_NOT_TRACK": "1"},
    )  # fmt: skip
    assert shown.returncode == 0, shown.stderr
    assert "duckdb" in shown.stdout


# ------------------------------------------------------------------------ parse and pytest


@pytest.fixture(scope="module")
def image(project, tmp_path_factory) -> Path:
    """What an image holds of the project: no .env, no dev/, no S3 server."""
    return copy_files(
        [name for name in project_files() if ships(name)], tmp_path_factory.mktemp("image")
    )


def in_image(project: Path, image: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """In the environment of `docker create --env-file .env`, with the Dockerfile's ENV."""
    env = re.findall(r"^ENV (\w+)=(\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    return subprocess.run(
        [project / ".venv/bin" / command[0], *command[1:]],
        cwd=image, capture_output=True, text=True, check=False, timeout=900,
        env={
            "PATH": f"{project}/.venv/bin:/usr/bin:/bin",
            "HOME": str(image),
            **dict(env),
            **dotenv(),
            "AIRFLOW_HOME": str(image),
            "PYTHONPATH": str(image),
            "ASTRONOMER_RUNTIME_VERSION": "3.3-2",
        },
    )  # fmt: skip


@pytest.mark.weekly
@pytest.mark.parametrize("what", [".astro/test_dag_integrity_default.py", "tests"])
def test_parse_and_pytest_in_the_image(project, image, what):
    """Neither S3 nor a connection nor what only development installs; skips say why."""
    options = ["-p", "no:cacheprovider", "--tb=short", "-rsfE"]
    done = in_image(project, image, "pytest", *options, what)
    told, _, summary = done.stdout.partition("short test summary info")
    assert done.returncode == 0, told[-8_000:] + done.stderr[-2_000:]
    assert re.search(r"\d+ passed", done.stdout)
    skipped = [line for line in summary.splitlines() if line.startswith("SKIPPED")]
    assert not [line for line in skipped if line.endswith(("unconditional skip", ": "))]


@pytest.mark.weekly
def test_parse_standalone(project):
    done = run(project, "pytest", "-p", "no:cacheprovider", ".astro/test_dag_integrity_default.py")
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


@pytest.mark.weekly
@pytest.mark.parametrize("path", ["{0}", "{0}/include:{0}"])
def test_the_backend_is_found(project, path):
    """Some releases of the CLI put include/ first on the path, before what it was started with."""
    code = "from airflow.sdk.execution_time.xcom import XCom; print(XCom.__module__)"
    done = run(project, "python", "-c", code, PYTHONPATH=path.format(project))
    assert done.stdout.split()[-1:] == [BACKEND.rpartition(".")[0]], done.stderr


# ------------------------------------------------------------------------ started


@pytest.mark.weekly
def test_standalone(project):
    """Healthy, backend and plugins active, connection imported, three objects, nothing left."""
    from dev import ports, settings_file
    from dev.s3_server import S3Server

    settings = dotenv(project)
    port = ports.free_ports(1)[0]
    (project / "plugins").mkdir(exist_ok=True)
    (project / "plugins/probe.py").write_text(PLUGIN)
    endpoint = settings["AIRFLOW__XCOM_STORE__ENDPOINT_URL"]
    server = S3Server.start(
        project / ".dev/s3",
        bucket=parse_url(settings["AIRFLOW__XCOM_STORE__URL"]).bucket,
        port=int(endpoint.rpartition(":")[2]),
    )
    with server as s3, astro_cli.started(project, port) as api:
        api.overwrite("connections", settings_file.read().connections)
        connection = api.call("GET", "api/v2/connections/aws_default")
        assert connection["login"] == s3.access_key_id
        plugins = api.call("GET", "api/v2/plugins")["plugins"]
        views = {plugin["name"]: plugin["external_views"] for plugin in plugins}
        assert "probe_of_the_plugins_folder" in views
        if (project / "plugins/xcom_viewer.py").exists():
            assert len(views["xcom_viewer"]) == 2
        run_id = follow_to_the_end(api)
        stored = api.xcoms(DAG, run_id)
        store = local_s3.client(s3)
        found = [f"s3://{s3.bucket}/{o['path']}" for page in store.list("xcom/") for o in page]
    assert len(found) == 3
    assert sorted(entry["value"]["uri"] for entry in stored) == sorted(found)
    assert {entry["value"]["__id__"] for entry in stored} == {"xcom_store/1"}
    assert ports.is_free(port)


def follow_to_the_end(api) -> str:
    """Unpause the example, as one does in the UI; its run starts by itself."""
    deadline = time.monotonic() + 300
    while DAG not in {dag["dag_id"] for dag in api.dags()}:
        assert time.monotonic() < deadline, api.import_errors()
        time.sleep(1)
    api.unpause(DAG)
    while True:
        runs = api.runs(DAG)
        if runs and runs[0]["state"] in ("success", "failed"):
            assert runs[0]["state"] == "success", api.task_instances(DAG, runs[0]["dag_run_id"])
            return runs[0]["dag_run_id"]
        assert time.monotonic() < deadline, runs
        time.sleep(1)
