"""`astro dev init`: how its project becomes this template, and what it does to a clone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.astro.conftest import RUNTIME, Project
from tests.astro_project import ROOT, copy_files, git, project_files

GUIDE = ROOT / "docs/development.md"
ADDED = {"dags/exampledag.py", "tests/dags/test_dag_example.py"}


def init(folder: Path, home: Path) -> Project:
    folder.mkdir(parents=True, exist_ok=True)
    project = Project(folder, home)
    # Named, because otherwise the CLI asks a host for the newest.
    project.astro("dev", "init", "--force", "--runtime-version", RUNTIME)
    return project


def recipe() -> str:
    """The commands of the guide."""
    text = GUIDE.read_text()
    (found,) = re.findall(
        r"<!-- tested: init -->\n```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL
    )
    return str(found)


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def needed() -> set[str]:
    parts = ("include/", "dags/", "plugins/", "tests/", "dev/", ".astro/test_dag")
    return {name for name in project_files() if name.startswith(parts)}


def test_the_recipe_copies_what_runs(tmp_path):
    """Without the CLI, on those files of its project that matter."""
    copy_files(project_files(), tmp_path / "s3-xcom-backend")
    mine = tmp_path / "mine"
    for name in (*ADDED, ".astro/config.yaml"):
        (mine / name).parent.mkdir(parents=True, exist_ok=True)
        (mine / name).touch()
    astro = 'astro() { echo "$@" >../asked; }'
    subprocess.run(["sh", "-e", "-c", f"{astro}\n{recipe()}"], cwd=mine, check=True)
    assert needed() <= files(mine)
    assert not files(mine) & ADDED
    (tag,) = re.findall(r'tag: "(\S+)"', (ROOT / ".astro/config.yaml").read_text())
    assert (tmp_path / "asked").read_text() == f"config set postgres.tag {tag}\n"


@pytest.fixture(scope="module")
def mine(cli, tmp_path_factory) -> Project:
    """A project of `astro dev init` after the recipe, beside a clone of this repository."""
    folder = tmp_path_factory.mktemp("init")
    for parent in (folder, *folder.parents[:2]):
        parent.chmod(0o755)  # containers run as another user
    copy_files(project_files(), folder / "s3-xcom-backend")
    project = init(folder / "mine", tmp_path_factory.mktemp("home"))
    assert files(project.root) >= ADDED
    project.run("sh", "-e", "-c", recipe())
    return project


def test_its_project_becomes_this_template(mine):
    """Nothing that runs is missing, and nothing of the scaffold is left that would break it."""
    assert needed() <= files(mine.root)
    assert not files(mine.root) & ADDED
    assert 'tag: "17.6"' in (mine.root / ".astro/config.yaml").read_text()
    assert "name: mine" in (mine.root / ".astro/config.yaml").read_text()


def test_its_tests_pass(mine):
    """Those that `astro dev pytest` looks at first, with the packages of this environment."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0",
         ".astro/test_dag_integrity_default.py", "tests/dags", "tests/test_layout.py"],
        cwd=mine.root, env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-5_000:]


@pytest.mark.weekly
@pytest.mark.usefixtures("images")
def test_its_dags_parse_in_the_image(mine):
    assert "No errors detected" in mine.astro("dev", "parse")


def test_in_a_clone_the_guide_says_how_to_undo_it(cli, tmp_path):
    """It adds its two examples, and rewrites its configuration without the comments."""
    git("--version")
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    changed = copy_files(project_files(), clone)  # what is not committed yet
    git_there = ["git", "-C", str(changed), "-c", "user.name=x", "-c", "user.email=x@example.com"]
    subprocess.run([*git_there, "add", "-A"], check=True)
    subprocess.run([*git_there, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    project = init(clone, tmp_path / "home")
    status = project.run("git", "status", "--short").splitlines()
    assert status == [" M .astro/config.yaml", *(f"?? {name}" for name in sorted(ADDED))]
    (undo,) = re.findall(r"^(git checkout .*)$", GUIDE.read_text(), re.MULTILINE)
    project.run("sh", "-e", "-c", undo)
    assert project.run("git", "status", "--short") == ""
