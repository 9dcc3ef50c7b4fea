"""Copies of the project to run `python -m dev` in, and proof that nothing of it is left."""

from __future__ import annotations

import os
import shutil
import signal

import pytest

from dev import environment
from dev.project import ROOT
from tests.dev.copies import TINY_DAGS, Copy, copy_project


@pytest.fixture
def bare_copy(tmp_path):
    """The project without any environment."""
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
    if not environment.MAIN.is_current():
        pytest.skip("needs the .venv that `python3 -m dev setup` makes")
    (bare_copy.root / ".venv").symlink_to(ROOT / ".venv")
    for dag in (bare_copy.root / "dags").glob("*.py"):
        dag.unlink()
    (bare_copy.root / "dags" / "tiny.py").write_text(TINY_DAGS)
    # The migrated database is the slow part of a first start.
    cache = ROOT / ".dev" / "cache"
    if cache.exists():
        shutil.copytree(cache, bare_copy.root / ".dev" / "cache")
    return bare_copy
