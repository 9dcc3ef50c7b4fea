"""Packages of one test, installed beside those of all."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests import uv


def install(package: str, folder: Path) -> None:
    """Install a package into a folder; it may want none of ours in another version."""
    call, env = [uv.PROGRAM, "pip", "install", "--python", sys.executable], uv.environment()
    plan = subprocess.run(
        [*call, "--dry-run", package], env=env, check=True, capture_output=True, text=True
    )
    wanted = re.findall(r"^ \+ (\S+)$", plan.stderr, re.MULTILINE)
    assert any(line.startswith(f"{package}==") for line in wanted)
    assert not re.search(r"^ - ", plan.stderr, re.MULTILINE)
    subprocess.run([*call, "--no-deps", "--target", str(folder), *wanted], env=env, check=True)
