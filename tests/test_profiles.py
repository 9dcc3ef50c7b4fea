"""What `python3 -m dev test` counts on: its fast profile, and that processes can share the tests."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict

import pytest

from tests.astro_project import ROOT


def test_every_file_has_a_fast_test(request):
    """So that nothing is left to `--long` alone."""
    if request.config.option.keyword or request.config.option.markexpr:
        pytest.skip("-k and -m hide tests")
    fast = defaultdict(int)
    for item in request.session.items:
        fast[item.nodeid.partition("::")[0]] += not item.get_closest_marker("long")
    assert not [file for file, n in fast.items() if not n]


def test_names_are_the_same_in_every_process(request):
    """The address of a function in them would not be: name the parameters (`ids=`)."""
    assert not [item.nodeid for item in request.session.items if " at 0x" in item.nodeid]


def test_in_an_environment_of_somebody_else_dev_is_absent(tmp_path):
    """So that no test replaces, say, the Astro CLI's .venv while it runs from it."""
    code = "import tests.conftest, importlib.util as u; print(u.find_spec('dev'))"
    answer = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.prefix = {str(tmp_path)!r}; {code}"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert answer.stdout.strip() == "None"
