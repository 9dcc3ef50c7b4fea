"""What the Astro CLI 1.45 does for `astro dev start --standalone`, without the CLI.

Written from its source (astronomer/astro-cli: airflow/standalone.go, pkg/airflowrt), because the
program itself was not to be had where these tests were made. Two things are not as there: the
constraints that Astronomer publishes for a Runtime, and its package index. In their place stand the
newest versions that resolve, from the index that pip or uv is configured for here.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.astro_project import ROOT, dotenv

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dev.airflow_rest import AirflowApi

STANDALONE = ".astro/standalone"


def locked(package: str) -> str:
    """The version in dev/requirements.lock: of Airflow and its SDK, the one in the image."""
    lock = (ROOT / "dev/requirements.lock").read_text()
    (version,) = re.findall(rf"^{package}==(\S+)", lock, re.MULTILINE)
    return str(version)


def pinned_python(project: Path) -> Path:
    """An interpreter of the version that the Dockerfile's FROM ends with."""
    found = re.search(
        r"^FROM \S+-python-(\S+)$", (project / "Dockerfile").read_text(), re.MULTILINE
    )
    assert found
    names = [sys.executable, shutil.which(f"python{found[1]}")]
    names += [str(path) for path in Path.home().glob(f".pyenv/versions/{found[1]}.*/bin/python")]
    probe = "import sys; print(sys._base_executable, '%d.%d' % sys.version_info[:2])"
    for name in filter(None, names):
        done = subprocess.run([name, "-c", probe], capture_output=True, text=True, check=False)
        if done.stdout.split()[1:] == [found[1]]:
            return Path(done.stdout.split()[0])
    pytest.skip(f"needs Python {found[1]}, the image's")


def install(project: Path) -> None:
    """Make .venv in three steps of uv, as the CLI does: environment, Airflow, requirements.txt."""
    from dev import environment, package_index

    plain = environment.clean_environment()
    pip = package_index.pip_settings(Path(sys.executable), plain)
    uv = [str(Path(sys.executable).with_name("uv"))]
    into = ["--quiet", "--compile-bytecode", "--python", str(project / ".venv/bin/python")]
    pins = [f"{name}=={locked(name)}" for name in ("apache-airflow", "apache-airflow-task-sdk")]
    for step in (
        ["venv", "--quiet", "--python", str(pinned_python(project)), "--allow-existing"],
        ["pip", "install", *into, pins[0]],
        ["pip", "install", *into, "-r", "requirements.txt", *pins],
    ):
        done = subprocess.run(
            uv + step, cwd=project, env=package_index.for_uv(plain, pip),
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr


def environment(project: Path, port: int) -> dict[str, str]:
    """The environment of Airflow: the caller's, then `.env`, then what the CLI forces."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "AWS_"))}
    return {
        **inherited,
        **dotenv(project),
        "PATH": f"{project}/.venv/bin:{os.environ['PATH']}",
        "PYTHONPATH": str(project),
        "AIRFLOW_HOME": str(project / STANDALONE),
        "ASTRONOMER_ENVIRONMENT": "local",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(project / "dags"),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://localhost:{port}/execution/",
        "NO_PROXY": "*",
        "no_proxy": "*",
    }


@contextmanager
def started(project: Path, port: int) -> Iterator[AirflowApi]:
    """`airflow standalone` until it is healthy; ended by one SIGTERM to its process group."""
    from dev.airflow_rest import AirflowApi

    log = project / STANDALONE / "airflow.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [project / ".venv/bin/airflow", "standalone"],
            cwd=project, env=environment(project, port), stdin=subprocess.DEVNULL,
            stdout=output, stderr=subprocess.STDOUT, process_group=0,
        )  # fmt: skip
    try:
        api = AirflowApi(f"http://localhost:{port}")
        deadline = time.monotonic() + 300
        while not api.healthy():
            assert process.poll() is None, log.read_text()[-5_000:]
            assert time.monotonic() < deadline, log.read_text()[-5_000:]
            time.sleep(0.5)
        yield api
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        deadline = time.monotonic() + 30
        # poll() takes leave of the leader, which would count as living until then.
        while (survived := process.poll() is None or group_lives(process.pid)) and (
            time.monotonic() < deadline
        ):
            time.sleep(0.1)
        if survived:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    assert not survived, "SIGTERM to the process group did not end all of Airflow"


def group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
