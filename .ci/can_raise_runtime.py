"""Can the Runtime in the Dockerfile rise? Asks the package index; see docs/development.md.

    .venv/bin/python .ci/can_raise_runtime.py     exit status 0: it can, 1: not yet, 2: not known

The pin has one reason: no release of airflow-provider-great-expectations may be installed beside an
Airflow newer than 3.3.0, because it caps structlog below what that needs.
"""
# ruff: noqa: INP001 - a script, not a module

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

NEWER = "apache-airflow>3.3.0\nairflow-provider-great-expectations>=1\n"
PYTHON = "3.13"  # of the image


def unknown(reason: str) -> int:
    print(reason, file=sys.stderr)  # noqa: T201
    return 2


def main() -> int:
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if uv is None:
        return unknown("uv is missing: run python3 -m dev setup, and use .venv/bin/python")
    command = [uv, "pip", "compile", "--quiet", "--no-header", "--no-annotate"]
    options = ["--prerelease", "disallow", "--python-version", PYTHON, "-"]
    done = subprocess.run(  # noqa: S603
        [*command, *options], input=NEWER, capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        names = ("apache-airflow==", "airflow-provider-great-expectations==")
        pins = [line for line in done.stdout.splitlines() if line.startswith(names)]
        print("It can rise:", *pins, sep="\n")  # noqa: T201
        return 0
    if "structlog" not in done.stderr:  # no index, or another reason than the one we know
        return unknown(done.stderr)
    reason = next(line for line in done.stderr.splitlines() if "structlog" in line)
    print(f"Not yet. {reason.partition('cause: ')[2] or reason}")  # noqa: T201
    return 1


if __name__ == "__main__":
    sys.exit(main())
