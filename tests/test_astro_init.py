"""`astro dev init` and this template: what it adds to a clone, and how its project becomes this one.

SCAFFOLD is the list of the CLI 1.45 (astronomer/astro-cli, airflow/airflow.go and pkg/airflowrt).
The CLI itself is not run; it skips every file that is there.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.astro_project import ROOT, copy_files, project_files

# Stand-ins where the content matters here: a Dockerfile, and what git is not to see.
SCAFFOLD = {
    "Dockerfile": "FROM astrocrpublic.azurecr.io/runtime:3.3-2\n",
    ".gitignore": ".git\n.env\nairflow_settings.yaml\n__pycache__/\n.venv\n.astro/standalone/\n",
    ".dockerignore": "astro\n.git\n.env\nairflow_settings.yaml\nlogs/\n.venv\n",
    ".env": "",
    "packages.txt": "",
    "requirements.txt": "# comments\n",
    "airflow_settings.yaml": "airflow:\n  connections:\n  pools:\n  variables:\n",
    "README.md": "# Overview\n",
    "dags/.airflowignore": "",
    "dags/exampledag.py": (
        '"""An example."""\n'
        "from airflow.sdk import dag, task\n"
        '@dag(doc_md=__doc__, default_args={"owner": "Astro", "retries": 3}, tags=["example"])\n'
        "def example_astronauts():\n"
        "    @task\n"
        "    def count(): ...\n"
        "    count()\n"
        "example_astronauts()\n"
    ),
    "tests/dags/test_dag_example.py": "def test_nothing(): ...\n",
    ".astro/config.yaml": "project:\n  name: mine\n",
    ".astro/test_dag_integrity_default.py": "def test_nothing(): ...\n",
    ".astro/dag_integrity_exceptions.txt": "# none\n",
}
ADDED = {"dags/exampledag.py", "tests/dags/test_dag_example.py"}
FOLDERS = ["dags", "plugins", "include", "tests/dags"]
GUIDE = ROOT / "docs/astro.md"

pytestmark = pytest.mark.skipif(
    not GUIDE.exists() or not (ROOT / ".env").exists(), reason="the image; or docs/ was deleted"
)


def init(project: Path) -> set[str]:
    """What `astro dev init` does to a folder; returns the files that it added."""
    for folder in FOLDERS:
        (project / folder).mkdir(parents=True, exist_ok=True)
    missing = {name for name in SCAFFOLD if not (project / name).exists()}
    for name in missing:
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text(SCAFFOLD[name])
    return missing


def parsed(project: Path, home: Path) -> list[str]:
    """The DAGs of a project, with its own backend switched on."""
    code = (
        "from airflow.sdk.execution_time.xcom import XCom\n"
        "from airflow.dag_processing.dagbag import DagBag\n"
        "bag = DagBag('dags')\n"
        "assert not bag.import_errors, bag.import_errors\n"
        "print(XCom.__name__, *sorted(bag.dags))"
    )
    env = dict(re.findall(r"^(\w+)=(.*)$", (project / ".env").read_text(), re.MULTILINE))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=project, capture_output=True, text=True,
        check=False, env=os.environ | env | {"PYTHONPATH": str(project), "AIRFLOW_HOME": str(home)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3_000:]
    backend, *dags = done.stdout.splitlines()[-1].split()
    assert backend == "S3XComBackend"
    return dags


def test_in_a_clone_it_adds_an_example_and_nothing_else(tmp_path):
    clone = copy_files(project_files(), tmp_path / "clone")
    before = parsed(clone, tmp_path / "home")
    assert init(clone) == ADDED
    assert parsed(clone, tmp_path / "home") == sorted([*before, "example_astronauts"])


def test_its_project_becomes_this_template(tmp_path):
    """By the commands of the guide; what is left of the scaffold is harmless."""
    copy_files(project_files(), tmp_path / "s3-xcom-backend")
    project = tmp_path / "mine"
    assert init(project) == SCAFFOLD.keys()
    (commands,) = re.findall(
        r"<!-- tested: init -->\n```sh\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL
    )
    done = subprocess.run(
        ["sh", "-e", "-c", commands], cwd=project, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    kept = {name for name, text in SCAFFOLD.items() if (project / name).read_text() == text}
    assert kept - {"packages.txt", "dags/.airflowignore"} == ADDED | {
        "README.md", ".astro/config.yaml", ".astro/test_dag_integrity_default.py",
        ".astro/dag_integrity_exceptions.txt",
    }  # fmt: skip
    needed = [name for name in project_files() if name.startswith(("include/", "dags/", "dev/"))]
    assert needed
    assert [name for name in needed if not (project / name).is_file()] == []
    assert "example_great_expectations_dag" in parsed(project, tmp_path / "home")
