"""Who sees what with Flask-AppBuilder's auth manager, whose roles have rights by DAG of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tests.astro_project import ROOT
from tests.xcom_viewer.beside import install

FAB = "apache-airflow-providers-fab"
TESTS = ["tests/xcom_viewer/test_access.py", "-k", "who_may"]


def test_the_tests_that_are_run_again_are_there():
    source = (ROOT / TESTS[0]).read_text()
    assert len(re.findall(r"WHO_SEES_WHAT\n(@.*\n)*def test_who_may", source)) == 3


@pytest.mark.weekly
def test_the_same_with_fabs_auth_manager(tmp_path):
    install(FAB, tmp_path)
    done = subprocess.run(
        # FAB's own warnings are not ours; and of its modules one takes the name of `dev`.
        [sys.executable, "-m", "pytest", "-q", "-n", "0", "-rs", "-o", "filterwarnings=",
         "-p", "dev.s3_server", "-p", "no:cacheprovider", *TESTS],
        env=os.environ | {"PYTHONPATH": str(tmp_path), "VIEWER_USERS": "tests.xcom_viewer.fab_users"},
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3_000:]
    assert re.search(r"\b[1-9]\d+ passed", done.stdout)
    assert "skipped" not in done.stdout
