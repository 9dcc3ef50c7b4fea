"""What people type, and what they are told when it cannot work."""

from __future__ import annotations

import ast
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from dev import ports
from dev.demo_options import DATA_FILES
from tests.dev.copies import BASE_PYTHON

COMMANDS = (
    "demo",
    "up",
    "tools",
    "clean",
    "test",
    "bench",
    "setup",
    "s3",
    "lint",
    "golden",
    "pictures",
    "lock",
)


def old_python(version: str) -> str:
    found = sorted(Path("~/.pyenv/versions").expanduser().glob(f"{version}.*/bin/python"))
    if not found:
        pytest.skip(f"no Python {version} on this machine")
    return str(found[0])


def test_help_names_every_command(bare_copy):
    done = bare_copy.run("--help")
    assert done.returncode == 0
    assert "start here" in done.stdout
    assert all(f"\n    {name}" in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_examples(bare_copy, name):
    done = bare_copy.run(name, "--help")
    assert done.returncode == 0
    help_of_all = name == "tools"  # the tool's own; its commands have the examples
    assert f"python3 -m dev {name}" in done.stdout
    assert ("examples:" in done.stdout) is not help_of_all
    assert not (bare_copy.root / ".venv").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("fly",), "invalid choice: 'fly'"),
        (("tools", "fly"), "invalid choice: 'fly'"),
        (("tools", "ls"), "Nothing runs here"),
        (("demo", "--fly"), "python3 -m dev demo does not take --fly"),
        (("demo", "--port", "http"), "'http' is not a port number"),
        (("demo", "--s3-port", "70000"), "'70000' is not a port number"),
        (("demo", "--all", "--dag", "x"), "not allowed with argument"),
        (("up", "--json"), "python3 -m dev up does not take --json"),
        (("demo", "--fresh"), "python3 -m dev demo does not take --fresh"),
    ],
)
def test_wrong_arguments(bare_copy, arguments, message):
    done = bare_copy.run(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert not (bare_copy.root / ".venv").exists()


def test_without_a_command_it_says_what_there_is(bare_copy):
    done = bare_copy.run()
    assert (done.returncode, "start here" in done.stdout) == (2, True)


@pytest.mark.parametrize("command", ["demo", "up"])
def test_a_dag_that_is_in_no_file_is_told_before_anything_is_installed(bare_copy, command):
    done = bare_copy.run(command, "--dag", "example_datafram_dag")
    assert done.returncode == 1
    assert "has a DAG of this name. Is it one of example_dataframe_dag" in done.stderr
    assert not (bare_copy.root / ".venv").exists()


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.10"])
def test_an_older_python_is_refused(bare_copy, version):
    done = subprocess.run(
        [old_python(version), "-m", "dev", "demo"],
        cwd=str(bare_copy.root),
        env=bare_copy.environ(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert f"This is Python {version}" in done.stderr
    assert "python3.13 -m dev demo" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("version", "status"), [((3, 14), 1), ((4, 0), 1), ((3, 13), 0)])
def test_a_newer_python_is_refused(bare_copy, version, status):
    code = (
        f"import runpy, sys; sys.version_info = {(*version, 0, 'final', 0)};"
        "sys.argv[1:] = ['--help']; runpy.run_module('dev', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=bare_copy.root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status
    assert ("This is Python" in done.stderr) == bool(status)


@pytest.mark.parametrize("name", ["__init__.py", "__main__.py"])
def test_the_entry_point_has_nothing_that_old_pythons_cannot_parse(bare_copy, name):
    tree = ast.parse((bare_copy.root / "dev" / name).read_text(), feature_version=(3, 4))
    assert not any(isinstance(node, ast.JoinedStr) for node in ast.walk(tree))


def test_clean_removes_state_and_keeps_caches(bare_copy):
    state = bare_copy.root / ".dev"
    for name in ("up/airflow", "runs/one", "s3", "cache"):
        (state / name).mkdir(parents=True)
    (bare_copy.root / "theirs").mkdir()
    (bare_copy.root / ".venv").symlink_to("theirs")
    assert bare_copy.run("clean").returncode == 0
    assert {path.name for path in state.iterdir() if path.is_dir()} == {"cache"}
    assert bare_copy.run("clean", "--all").returncode == 0
    assert not state.exists()
    assert not (bare_copy.root / ".venv").is_symlink()
    assert (bare_copy.root / "theirs").exists()


def test_clean_leaves_alone_what_runs(bare_copy, monkeypatch):
    from dev import project

    (bare_copy.root / ".dev" / "up").mkdir(parents=True)
    monkeypatch.setattr(project, "STATE", bare_copy.root / ".dev")
    with project.exclusive("demo", "demo"):
        assert project.holder("demo") == os.getpid()
        done = bare_copy.run("clean", "--all")
    assert project.holder("demo") is None
    assert (done.returncode, f"(process {os.getpid()})" in done.stderr) == (1, True)
    assert (bare_copy.root / ".dev" / "up").exists()


@pytest.mark.parametrize("option", ["--port", "--s3-port"])
@pytest.mark.parametrize("command", ["demo", "up"])
def test_busy_port(bare_copy, command, option):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        done = bare_copy.run(command, option, port)
    assert done.returncode == 1
    assert f"{option} {port}: this port of 127.0.0.1 is busy" in done.stderr
    assert not (bare_copy.root / ".dev").exists()


def test_one_port_for_both(bare_copy):
    port = str(ports.free_ports(1)[0])
    done = bare_copy.run("demo", "--port", port, "--s3-port", port)
    assert done.returncode == 1
    assert "need one each" in done.stderr


def test_data_that_is_no_directory(bare_copy):
    done = bare_copy.run("demo", "--data", "nowhere")
    assert done.returncode == 1
    assert "nowhere: there is no such directory" in done.stderr
    assert not (bare_copy.root / ".venv").exists()


def test_data_without_the_files(bare_copy, tmp_path):
    (tmp_path / DATA_FILES[0]).touch()
    done = bare_copy.run("demo", "--data", str(tmp_path))
    assert done.returncode == 1
    assert f"cannot read {DATA_FILES[1]} (No such file or directory)" in done.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_data_that_may_not_be_read(bare_copy, tmp_path):
    for name in DATA_FILES:
        (tmp_path / name).touch(mode=0o000)
    done = bare_copy.run("demo", "--data", str(tmp_path))
    assert done.returncode == 1
    assert "Permission denied" in done.stderr


@pytest.mark.parametrize("command", ["setup", "demo", "test", "s3"])
def test_read_only_clone(bare_copy, command):
    root = bare_copy.root
    if os.geteuid() == 0:
        mounted = subprocess.run(["mount", "--bind", root, root], capture_output=True, check=False)
        if mounted.returncode:
            pytest.skip("root ignores permissions, and cannot mount here")
        subprocess.run(["mount", "-o", "remount,bind,ro", root], check=True)
    else:
        root.chmod(0o555)
    try:
        done = bare_copy.run(command, PYTHONDONTWRITEBYTECODE="1")
    finally:
        if os.geteuid() == 0:
            subprocess.run(["umount", root], check=True)
        else:
            root.chmod(0o755)
    assert done.returncode == 1
    assert f"Cannot write to {root}" in done.stderr
    assert len(done.stderr.splitlines()) < 24


def test_it_runs_without_an_environment_of_ones_own(bare_copy):
    done = subprocess.run(
        [BASE_PYTHON, "-m", "dev", "--help"],
        cwd=bare_copy.root,
        env={"PATH": os.defpath},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0


def test_the_time_of_the_setup_is_counted_by_one_command_only(monkeypatch):
    """A demo that `dev bench` starts right after its own setup reported that one, too."""
    from dev import cli
    from dev.environment import VENV

    if Path(sys.prefix).resolve() != VENV.resolve():
        pytest.skip("needs to run in .venv")
    monkeypatch.setattr(cli.environment.MAIN.__class__, "is_current", lambda _self: True)
    monkeypatch.setenv("_DEV_SETUP_SECONDS", "46.1")
    assert cli.enter_environment() == 46.1
    assert cli.enter_environment() == 0


@pytest.mark.parametrize(
    ("arguments", "cores", "processes"),
    [
        ("", 2, 3),
        ("--long -q", 8, 4),
        ("tests/dev --long", 2, 3),
        ("--long -m long", 3, 4),
        ("-rs --durations=20", 2, 3),
        ("", 1, 0),
        ("", None, 0),
        ("tests/test_lock.py", 2, 0),
        ("tests/test_lock.py::test_every_requirement_is_pinned[x]", 2, 0),
        ("tests/dev -k s3", 2, 0),
        ("-qx", 2, 0),
        ("-s tests/dev", 2, 0),
        ("--pdb", 2, 0),
        ("--capture=no", 2, 0),
        ("--co", 2, 0),
        ("-p no:xdist", 2, 0),
    ],
)
def test_tests_run_in_several_processes_unless_one_is_watched(arguments, cores, processes):
    from dev import cli

    options = cli.in_processes(arguments.split(), cores)
    assert options[:2] == (["-n", str(processes)] if processes else [])


@pytest.mark.parametrize("arguments", ["-n 6", "-n6 --long", "--numprocesses 2"])
def test_a_file_stays_together_however_many_processes_are_asked_for(arguments):
    """Its tests count on one another: with pytest-xdist's default four of them failed."""
    from dev import cli

    options = cli.in_processes(arguments.split(), 2)
    assert options == ["--dist", "loadfile", "--no-loadscope-reorder"]
