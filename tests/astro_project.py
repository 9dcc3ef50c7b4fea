"""What belongs to this project, and what of it an image gets: for the tests of the Astro layout."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def dotenv(root: Path = ROOT) -> dict[str, str]:
    """`.env` as `docker --env-file` reads it: everything after the first = is the value."""
    lines = (root / ".env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def git(*arguments: str) -> subprocess.CompletedProcess[str]:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git clone, or no git on PATH")
    # A clone in a folder of another owner (a container's mount) is still this clone.
    command = ["git", "-c", f"safe.directory={ROOT}", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def project_files() -> list[str]:
    """Every file that is, or could be, committed."""
    listed = git("ls-files", "--cached", "--others", "--exclude-standard", "-z")
    assert listed.returncode == 0, listed.stderr
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def copy_files(names: list[str], target: Path) -> Path:
    """Copy these files of the project to another folder."""
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target / name)
    return target


def translate(pattern: str) -> re.Pattern[str]:
    """A pattern of .dockerignore, matching what it names and everything below it.

    Unlike in .gitignore it starts at the root of the context and `*` stops at a slash:
    https://docs.docker.com/build/concepts/context/#syntax
    """
    special = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    tokens = re.findall(r"\*\*/?|[*?]|\[[^]]*\]|.", pattern.strip("/"))
    parts = [special.get(one) or (one if one[0] == "[" else re.escape(one)) for one in tokens]
    return re.compile("".join(parts) + "(?:/.*)?")


def ships(path: str) -> bool:
    """Whether a file is part of the image: the last pattern that matches it decides."""
    answer = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.strip()
        if not pattern or pattern.startswith("#"):
            continue
        if translate(pattern.lstrip("!")).fullmatch(path):
            answer = pattern.startswith("!")
    return answer
