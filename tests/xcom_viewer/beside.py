"""Packages of one test, installed beside those of all."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path


def install(package: str, folder: Path) -> None:
    """Install a package into a folder; it may want none of ours in another version."""
    uv = [Path(sys.executable).with_name("uv"), "pip", "install", "--python", sys.executable]
    plan = subprocess.run([*uv, "--dry-run", package], check=True, capture_output=True, text=True)
    wanted = re.findall(r"^ \+ (\S+)$", plan.stderr, re.MULTILINE)
    assert any(line.startswith(f"{package}==") for line in wanted)
    assert not re.search(r"^ - ", plan.stderr, re.MULTILINE)
    subprocess.run([*uv, "--no-deps", "--target", str(folder), *wanted], check=True)
