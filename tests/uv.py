"""uv, as `python3 -m dev` calls it: with the index, the CA and the like that pip is configured with."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).with_name("uv")


def environment() -> dict[str, str]:
    index = pytest.importorskip("dev.package_index", reason="only `python3 -m dev test` runs this")
    found: dict[str, str] = index.for_uv(
        os.environ, index.pip_settings(Path(sys.executable), os.environ)
    )
    return found
