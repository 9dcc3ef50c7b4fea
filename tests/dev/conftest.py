"""Copies of the project to run `python -m dev` in, and proof that nothing of it is left."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal

import pytest

# dev/ may be deleted, is not in the Astro image, and is kept out of an environment of somebody else
# (tests/conftest.py); these tests go with it.
if importlib.util.find_spec("dev") is None:

    class NotHere(pytest.Module):
        def collect(self):
            pytest.skip("only `python3 -m dev test` runs this")

    def pytest_pycollect_makemodule(module_path, parent):
        return NotHere.from_parent(parent, path=module_path)


@pytest.fixture
def bare_copy(tmp_path):
    """The project without any environment."""
    from tests.dev.copies import Copy, copy_project

    copy = Copy(tmp_path / "project")
    copy_project(copy.root)
    yield copy
    left = copy.running()
    for line in left:
        os.kill(int(line.split()[0]), signal.SIGKILL)
    assert left == []


@pytest.fixture
def project_copy(bare_copy):
    """The project with this environment and small DAGs, ready to run a demo in."""
    from dev import environment, project
    from tests.dev.copies import TINY_DAGS

    if not environment.MAIN.is_current():
        pytest.skip("needs the .venv that `python3 -m dev setup` makes")
    (bare_copy.root / ".venv").symlink_to(project.VENV)
    for dag in (bare_copy.root / "dags").glob("*.py"):
        dag.unlink()
    (bare_copy.root / "dags" / "tiny.py").write_text(TINY_DAGS)
    # The migrated database is the slow part of a first start.
    cache = project.STATE / "cache"
    if cache.exists():
        shutil.copytree(cache, bare_copy.root / ".dev" / "cache")
    return bare_copy
