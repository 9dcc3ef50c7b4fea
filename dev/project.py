"""Where things lie in this project, and the one lock that keeps two commands apart."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from dev.errors import DevError

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
STATE = ROOT / ".dev"  # git-ignored: S3 data, Airflow homes, logs, caches; may be deleted
VENV = ROOT / ".venv"
DBT_VENV = ROOT / "dbt_venv"
SPARK_VENV = ROOT / "spark_venv"
PEERS_VENV = STATE / "peers_venv"  # what the benchmarks compare with
S3_VENV = STATE / "s3_venv"  # what `python3 -m dev s3` needs, and no Airflow
_KEPT_RUNS = 5
_CACHES = ("cache", "peers_venv", "s3_venv")  # in STATE: what takes long to make again


def check_writable() -> None:
    """Raise DevError if nothing can be written here, before anything is begun."""
    if not os.access(ROOT, os.W_OK):
        raise DevError(
            f"Cannot write to {ROOT}: it is read-only or belongs to someone else.\n"
            "The environment (.venv) and all state (.dev) live in the project folder:"
            " clone it to a place of your own and run this there."
        )


@contextlib.contextmanager
def exclusive(name: str, what: str) -> Iterator[None]:
    """Hold the lock of that name; DevError if another process has it. Ends with the process."""
    STATE.mkdir(exist_ok=True)
    with (STATE / f"{name}.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise DevError(
                f"Another {what} is running in this project (process {holder})."
                " Only one can run at a time: wait for it to end, or stop it with Ctrl-C."
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def holder(name: str) -> int | None:
    """The process that holds the lock of that name; None if nobody does."""
    path = STATE / f"{name}.lock"
    if not path.exists():
        return None
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            text = file.read()
            return int(text) if text.isdecimal() else None
        return None


def remove_state(*, caches: bool) -> list[str]:
    """Remove what runs have left, and return its names; DevError if something runs that uses it."""
    if not STATE.exists():
        return []
    removed = []
    with exclusive("demo", "demo or up"), exclusive("s3", "S3 server"), exclusive("setup", "setup"):
        for path in STATE.iterdir():
            if path.suffix == ".lock" or (path.name in _CACHES and not caches):
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
            removed.append(f"{STATE.name}/{path.name}")
    if caches:
        shutil.rmtree(STATE)
    return removed


def new_run_folder() -> Path:
    """A fresh folder for a demonstration; the oldest ones go."""
    runs = STATE / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    for old in sorted(runs.iterdir())[: -_KEPT_RUNS + 1]:
        shutil.rmtree(old)
    folder = runs / datetime.now().astimezone().strftime("%Y-%m-%d_%H-%M-%S")
    folder.mkdir()
    return folder
