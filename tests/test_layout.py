"""The project is a complete Astro project, and nothing local gets out of it.

What the Astro CLI, Docker and git read must agree and be harmless; this holds the Dockerfile,
`.env`, `airflow_settings.yaml` and the ignore files to that (docker-compose.override.yml has
test_compose.py). Inside the image most of them are absent on purpose, so there it is skipped.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from dotenv import dotenv_values

from tests.astro_project import ROOT, dotenv, git, project_files, ships, translate

if TYPE_CHECKING:
    from pathlib import Path

BACKEND = "include.s3_xcom_backend.S3XComBackend"

pytestmark = pytest.mark.skipif(
    not (ROOT / ".env").exists(),
    reason="the image leaves out what is checked here; run this in a clone",
)


# ---------------------------------------------------------------------------- the layout


@pytest.mark.parametrize(
    "path",
    [
        "Dockerfile",
        "requirements.txt",
        "packages.txt",  # the image's build copies it, so it must be there, empty or not
        "airflow_settings.yaml",
        ".env",
        ".dockerignore",
        ".gitignore",
        ".astro/config.yaml",
        ".astro/dag_integrity_exceptions.txt",
        ".astro/test_dag_integrity_default.py",
        "LICENSE",
        "dags",
        "include",
        "tests",
    ],
)
def test_the_astro_cli_finds(path: str) -> None:
    assert (ROOT / path).exists()


def test_packages_txt_lists_no_comment() -> None:
    """Its lines go to apt-get; whether a comment survives that differs between images."""
    assert "#" not in (ROOT / "packages.txt").read_text()


@pytest.mark.parametrize("path", [".env", "airflow_settings.yaml", "packages.txt"])
def test_git_does_not_hide_what_a_clone_needs(path: str) -> None:
    assert git("check-ignore", "--no-index", "-q", path).returncode == 1


@pytest.mark.parametrize(
    "path",
    [
        ".venv/bin/python",
        "dbt_venv/bin/dbt",
        "spark_venv/bin/spark-submit",
        ".dev/s3/data",
        ".astro/standalone/airflow.db",
        ".astro/config.yaml.lock",
        "dags/__pycache__/x.cpython-313.pyc",
        "include/great_expectations/gx/uncommitted/config_variables.yml",
        "infra/aws/terraform.tfstate",
    ],
)
def test_git_hides_state(path: str) -> None:
    assert git("check-ignore", "--no-index", "-q", path).returncode == 0


# -------------------------------------------------------------------------- the settings

HARMLESS = {
    "AIRFLOW__CORE__XCOM_BACKEND",
    "AIRFLOW__CORE__PLUGINS_FOLDER",
    "AIRFLOW__XCOM_STORE__URL",
    "AIRFLOW__XCOM_STORE__ENDPOINT_URL",
    "AIRFLOW__XCOM_STORE__VIEWER",
    "GX_ANALYTICS_ENABLED",
    "DO_NOT_TRACK",
}


def test_env_holds_only_settings_that_may_reach_a_deployment() -> None:
    """`astro deployment variable create --load` sends every one of them there."""
    assert dotenv().keys() <= HARMLESS


def test_env_means_the_same_to_each_of_its_readers() -> None:
    """Compose and the CLI's standalone mode expand and strip; `docker --env-file` does not."""
    for line in (ROOT / ".env").read_text().splitlines():
        if line and not line.startswith("#"):
            assert re.fullmatch(r"[A-Z][A-Z0-9_]*=[A-Za-z0-9_.:/-]+", line), line
    assert dotenv_values(ROOT / ".env") == dotenv()


def test_env_and_image_switch_to_the_same_backend() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    in_image = re.findall(r"^ENV AIRFLOW__CORE__XCOM_BACKEND=(\S+)$", dockerfile, re.MULTILINE)
    assert in_image == [dotenv()["AIRFLOW__CORE__XCOM_BACKEND"]] == [BACKEND]


def test_image_knows_nothing_local() -> None:
    """Without .env the endpoint is AWS, and a store is named only by whoever owns the bucket."""
    instructions = [
        line
        for line in (ROOT / "Dockerfile").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    assert not [line for line in instructions if "ENDPOINT" in line or "localhost" in line]
    assert not [line for line in instructions if dotenv()["AIRFLOW__XCOM_STORE__URL"] in line]
    assert not [line for line in instructions if "--mount" in line], "needs BuildKit"


def test_settings_file_is_what_the_cli_imports() -> None:
    """Only keys that the CLI knows; it ignores others without a word."""
    settings: dict[str, Any] = yaml.safe_load((ROOT / "airflow_settings.yaml").read_text())
    airflow = settings["airflow"]
    assert airflow.keys() == {"connections", "variables", "pools"}
    known = {"id", "type", "host", "schema", "login", "password", "port", "uri", "extra"}
    connections = {connection["conn_id"]: connection for connection in airflow["connections"]}
    for connection in connections.values():
        assert connection.keys() <= {f"conn_{key}" for key in known}
    types = {conn_id: connection["conn_type"] for conn_id, connection in connections.items()}
    assert types == {"aws_default": "aws", "spark_default": "spark"}
    # The CLI lowercases these keys.
    assert all(key == key.lower() for key in connections["aws_default"]["conn_extra"])


def test_pickling_is_switched_on_nowhere() -> None:
    switch = "AIRFLOW__CORE__ENABLE_XCOM_" + "PICKLING"
    found = [name for name in project_files() if switch.encode() in (ROOT / name).read_bytes()]
    assert not found


def test_what_ships_does_not_import_dev() -> None:
    """dev/ is not in the image, and can be deleted."""
    files = [*ROOT.glob("dags/**/*.py"), *ROOT.glob("include/**/*.py")]
    files += [*ROOT.glob("plugins/**/*.py"), *ROOT.glob(".astro/*.py")]
    for file in files:
        assert not [name for name in imported(file) if name.split(".")[0] == "dev"], file


def imported(file: Path) -> list[str]:
    """Return the modules, and the names in them, that a file imports anywhere."""
    found = []
    for node in ast.walk(ast.parse(file.read_bytes(), str(file))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


# ---------------------------------------------------------------------- what would ship


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        (".env", ".env", True),
        (".env", "include/.env", False),
        ("dev", "dev/s3.py", True),
        ("dev", "devices.txt", False),
        ("*.md", "README.md", True),
        ("*.md", "include/README.md", False),
        ("**/__pycache__", "__pycache__/a.pyc", True),
        ("**/__pycache__", "dags/x/__pycache__/a.pyc", True),
        ("**/*.py[co]", "dags/a.pyc", True),
        ("**/*.py[co]", "dags/a.py", False),
        ("dags/dbt/*/logs", "dags/dbt/taxi/logs/dbt.log", True),
    ],
)
def test_the_matcher_reads_patterns_as_docker_does(pattern: str, path: str, matches: bool) -> None:
    assert bool(translate(pattern).fullmatch(path)) is matches


@pytest.mark.parametrize(
    "path",
    [
        ".env",
        ".env.production",
        "airflow_settings.yaml",
        "docker-compose.override.yml",
        "dev/requirements.lock",
        "infra/aws/main.tf",
        "docs/development.md",
        "examples/docker-compose/docker-compose.yml",
        ".ci/run",
        "tests/astro/test_init.py",
        "tests/dev/test_demo.py",
        "tests/infra/test_template.py",
        ".github/workflows/deploy.yml",
        ".git/config",
        ".venv/bin/python",
        "dbt_venv/bin/dbt",
        "spark_venv/bin/spark-submit",
        ".dev/airflow/airflow.db",
        ".astro/standalone/airflow.db",
        ".astro/config.yaml.lock",
        "airflow.db",
        "logs/scheduler.log",
        "tests/.hypothesis/examples/x",
        ".pytest_cache/README.md",
        ".mypy_cache/3.13/x.json",
        ".ruff_cache/x",
        "include/__pycache__/s3_xcom_backend.cpython-313.pyc",
        "include/great_expectations/gx/uncommitted/config_variables.yml",
        "README.md",
    ],
)
def test_does_not_ship(path: str) -> None:
    assert not ships(path)


def test_what_ships_is_what_runs() -> None:
    """All of the code, the tests that `astro dev pytest` runs in the image, and little else."""
    code = {"dags", "include", "plugins", "tests", ".astro"}
    files = {"Dockerfile", ".dockerignore", "requirements.txt", "packages.txt"}
    files |= {"pyproject.toml", "LICENSE", "dbt-requirements.txt", "dbt-requirements.lock"}
    left_out = ("tests/astro/", "tests/dev/", "tests/infra/")
    for path in project_files():
        runs = path.split("/")[0] in code and not path.startswith(left_out)
        assert ships(path) is (path in files or runs), path


def test_the_image_build_finds_what_it_reads() -> None:
    for path in re.findall(r"-r (\S+)", (ROOT / "Dockerfile").read_text()):
        assert (ROOT / path).is_file(), f"{path}: restore it, or delete the Dockerfile's line"
        assert ships(path)
        assert not path.startswith("dags/"), "a deploy may leave dags/ out of the image"


ROOMS = {
    "documents": {"errors", "record"},
    "codecs": {"documents", "errors", "record"},
    "stores": {"errors", "keys", "record", "settings", "sizes"},
}
"""What the rooms of the backend may import of it, besides themselves."""


@pytest.mark.parametrize("room", ROOMS)
def test_imports_of_a_room_run_one_way(room: str) -> None:
    """Also those inside functions."""
    backend = "include.xcom_store."
    for file in (ROOT / "include/xcom_store" / room).rglob("*.py"):
        for name in imported(file):
            if name.startswith("include."):
                assert name.removeprefix(backend).split(".")[0] in {room, *ROOMS[room]}, file
