"""What the tests of the real Astro CLI share; each is skipped, with the reason, where it cannot run.

They need `astro` on the PATH, a running engine (`docker info` answers) and the images that the
Dockerfile and docker-compose.override.yml name, which the engine has or can pull:

    python3 -m dev test tests/astro --long -s
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.astro_project import ROOT, copy_files, project_files

BUILD_SECONDS = 900
RUNTIME = re.findall(r"^FROM .*:([\d.]+-\d+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)[0]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What needs an engine builds images and starts containers: that is for once a week."""
    for item in items:
        of_this_folder = item.path.is_relative_to(Path(__file__).parent)
        if of_this_folder and "engine" in getattr(item, "fixturenames", ()):
            item.add_marker("weekly")


class Project:
    """A folder, the Astro CLI in it, and what to delete in the end."""

    def __init__(self, root: Path, home: Path, **environment: str) -> None:
        self.root = root
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AIRFLOW", "AWS_", "PYTEST", "VIRTUAL_ENV", "PYTHON"))
        } | {"ASTRO_HOME": str(home), "ASTRO_TELEMETRY_DISABLED": "1", **environment}

    def astro(
        self, *arguments: str, check: bool = True, seconds: int = BUILD_SECONDS, typed: str = ""
    ) -> str:
        """Run a command of the CLI and return all that it said."""
        return self.run("astro", *arguments, check=check, seconds=seconds, typed=typed)

    def run(self, *command: str, check: bool = True, seconds: int = 300, typed: str = "") -> str:
        done = subprocess.run(
            command, cwd=self.root, env=self.environment, input=typed, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=seconds,
        )  # fmt: skip
        assert not check or done.returncode == 0, f"{command}\n{done.stdout[-8_000:]}"
        return done.stdout

    def container(self, service: str) -> str:
        """The name of a service's container."""
        name = self.run("docker", "ps", "--all", "--format", "{{.Names}}", "--filter",
                        f"label=com.docker.compose.service={service}", "--filter",
                        f"label=com.docker.compose.project={self.compose_project()}")  # fmt: skip
        return name.strip()

    def compose_project(self) -> str:
        """What the CLI calls this project's containers: after its name and the hash of its path."""
        folder = f"label=com.docker.compose.project.working_dir={self.root}"
        names = self.run("docker", "ps", "--all", "--filter", folder, "--format",
                         '{{.Label "com.docker.compose.project"}}')  # fmt: skip
        (name,) = set(names.split())
        return name

    def inside(self, service: str, *command: str, check: bool = True) -> str:
        """Run a command in a service's container."""
        return self.run("docker", "exec", self.container(service), *command, check=check)


@pytest.fixture(scope="session", autouse=True)
def here() -> None:
    if not (ROOT / ".env").exists() or importlib.util.find_spec("dev") is None:
        pytest.skip("only `python3 -m dev test`, in a clone, runs this")


@pytest.fixture(scope="session")
def cli() -> None:
    if shutil.which("astro") is None:
        pytest.skip("the Astro CLI (`astro`) is not on the PATH")


@pytest.fixture(scope="session")
def engine() -> None:
    """A container engine."""
    if shutil.which("docker") is None:
        pytest.skip("no container engine: `docker` is not on the PATH")
    probe = subprocess.run(["docker", "info"], capture_output=True, text=True, check=False)
    if probe.returncode or "Server Version" not in probe.stdout:
        pytest.skip("no container engine answers `docker info`")


@pytest.fixture(scope="session")
def images(engine: None) -> None:
    """Those of `astro dev start`: the engine has them, or gets them now."""
    (tag,) = re.findall(r'tag: "(\S+)"', (ROOT / ".astro/config.yaml").read_text())
    need(f"docker.io/postgres:{tag}", *named("Dockerfile", "docker-compose.override.yml"))


def named(*files: str, root: Path = ROOT) -> list[str]:
    """The images that these files name."""
    text = "\n".join((root / file).read_text() for file in files)
    return re.findall(r"^(?:FROM| +image:) (docker\.io\S+|astro\S+)", text, re.MULTILINE)


def need(*images: str) -> None:
    for image in images:
        if not (answers("docker", "image", "inspect", image) or answers("docker", "pull", image)):
            pytest.skip(f"the image {image} is not there and cannot be pulled")


def answers(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a fresh clone, in a folder that containers can read."""
    folder = tmp_path_factory.mktemp("astro")
    for parent in (folder, *folder.parents[:2]):
        parent.chmod(0o755)  # containers run as another user; pytest's folders are its own user's
    return copy_files(project_files(), folder / "clone")
