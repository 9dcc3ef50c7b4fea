"""A maintainer's commands: `lint`, `golden`, `pictures`. Each runs what is installed in .venv."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from dev import environment
from dev.errors import DevError
from dev.project import ROOT

_BIN = Path(sys.executable).parent
_IMAGES = ROOT / "docs" / "images"
_NAMES = ("frame", "run", "validation", "previous", "chart")
_PICTURES = {f"example-{name}": f"viewer-{name}" for name in _NAMES}
"""What the browser's tests keep, and what the README calls it."""


def lint(*, check: bool) -> int:
    """Format and check the code, its types and the workflows; with `check`, change nothing."""
    ruff = str(_BIN / "ruff")
    steps = [
        [ruff, "check", *([] if check else ["--fix"]), "."],
        [ruff, "format", *(["--check"] if check else []), "."],
        [str(_BIN / "mypy")],
    ]
    workflows, actionlint = (ROOT / ".github").exists(), shutil.which("actionlint")
    if workflows:
        steps.append([str(_BIN / "zizmor"), "--offline", "--quiet", ".github"])
        steps += [[actionlint]] if actionlint else []
    failed = [Path(step[0]).name for step in steps if _call(*step)]
    if workflows and not actionlint:
        print(
            "actionlint is not on PATH, so the workflows' syntax was not checked:"
            " go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"
        )
    print(f"Not right: {', '.join(failed)}" if failed else "All is right")
    return bool(failed)


def golden() -> int:
    """Make the golden files that are missing; those that are there stay."""
    return _call(sys.executable, "-m", "tests.xcom_store.golden.make")


def pictures() -> int:
    """Make the README's pictures of the viewer again, in a real browser on the examples."""
    with tempfile.TemporaryDirectory() as folder:
        test = ["tests/xcom_viewer/test_browser_long.py", "-k", "pictures_of_the_examples", "-q"]
        command = [sys.executable, "-m", "pytest", "--long", "-n", "0", "-rs", *test]
        if _call(*command, SCREENSHOTS=folder):
            return 1
        for made, name in _PICTURES.items():
            if not (picture := Path(folder) / f"{made}.png").exists():
                raise DevError("No picture was made; the test above says why it was skipped.")
            shutil.copy(picture, _IMAGES / f"{name}.png")
    print(f"Made {', '.join(_PICTURES.values())} in {_IMAGES}; look at them before you commit")
    return 0


def _call(*command: str, **changes: str) -> int:
    env = {**environment.clean_environment(), **changes}
    return subprocess.run(command, cwd=ROOT, env=env, check=False).returncode
