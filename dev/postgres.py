"""A PostgreSQL of our own on loopback, for an Airflow as it is run in production.

    with postgres.serve(folder) as url:
        ...                              # postgresql://airflow:password@127.0.0.1:port/postgres

The programs are this machine's (PATH, or where Debian and Homebrew put them); port, password and
data are new each time. The server ends with the process that started it (see `guard.py`).
"""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from dev import ports, processes
from dev.errors import DevError

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROLE = "airflow"
# Debian puts the server beside the PATH, Homebrew does not link its numbered versions into it.
_FOLDERS = (
    "usr/lib/postgresql/*/bin",
    "opt/homebrew/opt/postgresql@*/bin",
    "usr/local/opt/postgresql@*/bin",
)
_SETTINGS = {
    "listen_addresses": ports.LOOPBACK,
    "unix_socket_directories": "",
    "fsync": "off",  # nobody needs this data after a crash
    "dynamic_shared_memory_type": "mmap",  # in the data folder: a killed server leaves nothing else
}
# It refuses to run as root. Python drops root's rights before it becomes the server, because its
# own files may lie where the other user cannot go.
_AS_USER = (
    "import os, sys; uid, gid = map(int, sys.argv[1:3]); os.setgroups([]); os.setgid(gid);"
    " os.setuid(uid); os.execv(sys.argv[3], sys.argv[3:])"
)


@contextlib.contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Serve an empty database; yields its URL. `folder` gets the log and, but as root, the data."""
    bindir = find()
    folder.mkdir(parents=True)
    log = folder / "postgres.log"
    password = secrets.token_urlsafe(24)
    (port,) = ports.free_ports(1)
    settings = {**_SETTINGS, "port": str(port)}
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    with _data_folder(folder) as data, log.open("wb") as output:
        _make_cluster(bindir, data, password)
        command = [*as_user(), str(bindir / "postgres"), "-D", str(data), *options]
        with processes.start(command, env=_environment(), cwd=data, output=output) as process:
            pid_file = data / "postmaster.pid"
            processes.wait_until(lambda: _is_ready(pid_file), process, "PostgreSQL", log)
            yield f"postgresql://{_ROLE}:{password}@{ports.LOOPBACK}:{port}/postgres"


def find() -> Path:
    """The folder with `postgres` and `initdb`; FileNotFoundError if there is none."""
    on_path = shutil.which("postgres")
    folders = [Path(on_path).resolve().parent] if on_path else []
    for pattern in _FOLDERS:
        folders += sorted(Path("/").glob(pattern), key=_version, reverse=True)
    for folder in folders:
        if all(os.access(folder / name, os.X_OK) for name in ("postgres", "initdb")):
            return folder
    raise FileNotFoundError("PostgreSQL (postgres and initdb)")


def as_user() -> list[str]:
    """What to put before a command of PostgreSQL: nothing, or what leaves root's rights behind."""
    user = _other_user()
    if user is None:
        return []
    return [sys.executable, "-I", "-S", "-c", _AS_USER, str(user.pw_uid), str(user.pw_gid)]


def _other_user() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise DevError(
        "PostgreSQL does not run as root, and this machine has no user postgres or nobody to run"
        " it as. Run this as an ordinary user."
    )


@contextlib.contextmanager
def _data_folder(folder: Path) -> Iterator[Path]:
    """Where the data goes.

    As root, that is a temporary folder, removed at the end: what root has made, in its home or in
    pytest's temporary folder, the server's user may not enter.
    """
    user = _other_user()
    if user is None:
        yield folder / "data"
        return
    with tempfile.TemporaryDirectory(prefix="airflow-postgres-") as name:
        os.chown(name, user.pw_uid, user.pw_gid)
        yield Path(name) / "data"


def _make_cluster(bindir: Path, data: Path, password: str) -> None:
    # In a file: everyone can read a process' arguments.
    password_file = data.with_name("password")
    password_file.touch(mode=0o600)
    password_file.write_text(password)
    if user := _other_user():
        os.chown(password_file, user.pw_uid, user.pw_gid)
    command = [*as_user(), str(bindir / "initdb"), "-D", str(data), "-U", _ROLE]
    command += ["--auth=scram-sha-256", f"--pwfile={password_file}"]
    command += ["--encoding=UTF8", "--no-locale", "--no-sync"]
    status, said = processes.capture(command, _environment(), cwd=data.parent)
    password_file.unlink()
    if status:
        raise DevError(f"PostgreSQL's initdb failed with status {status}:\n{said}")


def _environment() -> dict[str, str]:
    """Ours, less the variables that lead PostgreSQL elsewhere."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def _is_ready(pid_file: Path) -> bool:
    """What `pg_ctl --wait` looks at, too: the eighth line of the server's own file."""
    try:
        return pid_file.read_text().splitlines()[7:8] == ["ready   "]
    except FileNotFoundError:
        return False


def _version(bindir: Path) -> int:
    number = bindir.parent.name.rpartition("@")[2]
    return int(number) if number.isdecimal() else 0
