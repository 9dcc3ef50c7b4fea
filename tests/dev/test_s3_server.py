"""The embedded S3 server: it answers, keeps to loopback, and goes."""

from __future__ import annotations

import socket
import subprocess
import sys
import time

import obstore
import obstore.exceptions
import psutil
import pytest

from dev import ports
from dev.project import ROOT
from dev.s3_server import S3Server, S3ServerError, check_platform
from tests import local_s3
from tests.dev.copies import gone


def pids(server: S3Server) -> list[int]:
    guard = psutil.Process(server.process.pid)
    return [guard.pid, *(child.pid for child in guard.children(recursive=True))]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    running = S3Server.start(tmp_path_factory.mktemp("s3"), bucket="airflow-xcoms")
    yield running
    running.kill()


def test_it_keeps_objects(server):
    obstore.put(local_s3.client(server), "a/b", b"content")
    assert bytes(obstore.get(local_s3.client(server), "a/b").bytes()) == b"content"


def test_it_refuses_other_keys(server):
    with pytest.raises(obstore.exceptions.PermissionDeniedError):
        obstore.get(local_s3.client(server, secret_access_key="wrong-secret-key"), "a/b")


def test_it_listens_on_loopback_only(server):
    listening = {
        connection.laddr.ip
        for pid in pids(server)
        for connection in psutil.Process(pid).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


def test_it_talks_to_nobody_else(server):
    peers = {
        connection.raddr.ip
        for pid in pids(server)
        for connection in psutil.Process(pid).net_connections("inet")
        if connection.raddr
    }
    assert peers <= {"127.0.0.1"}


def test_stop_leaves_nothing_and_the_data_can_be_used_again(tmp_path):
    with S3Server.start(tmp_path, bucket="one-bucket") as first:
        obstore.put(local_s3.client(first), "kept", b"x" * 100_000)
        was_running = pids(first)
        held = list(first.port_of.values())
    assert all(gone(pid, 0.5) for pid in was_running)
    assert all(ports.is_free(port) for port in held)
    with S3Server.start(tmp_path, bucket="one-bucket") as second:
        assert len(obstore.get(local_s3.client(second), "kept").bytes()) == 100_000


def test_kill(tmp_path):
    server = S3Server.start(tmp_path, bucket="one-bucket")
    was_running = pids(server)
    server.kill()
    assert all(gone(pid, 10) for pid in was_running)
    ends = time.monotonic() + 10  # the kernel lets go of the port a moment after the process
    while not ports.is_free(server.port) and time.monotonic() < ends:
        time.sleep(0.1)
    assert ports.is_free(server.port)


def test_it_takes_the_port_it_is_given(tmp_path):
    (port,) = ports.free_ports(1)
    with S3Server.start(tmp_path, bucket="one-bucket", port=port) as server:
        assert server.endpoint_url == f"http://127.0.0.1:{port}"


def test_busy_port(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(S3ServerError, match=f"port {port} on 127.0.0.1 is busy"):
            S3Server.start(tmp_path, bucket="one-bucket", port=port)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo it broke; exit 3", "ended with status 3.*it broke"),
        ("echo up; sleep 600", "not ready after 1 s.*up"),
    ],
)
def test_a_server_that_does_not_come_up(tmp_path, script, message):
    weed = tmp_path / "weed"
    weed.write_text(f"#!/bin/sh\n{script}\n")
    weed.chmod(0o755)
    before = set(psutil.Process().children(recursive=True))
    with pytest.raises(S3ServerError, match=f"(?s){message}"):
        S3Server.start(tmp_path / "data", bucket="one-bucket", timeout=1, weed=weed)
    assert set(psutil.Process().children(recursive=True)) <= before


def test_a_bucket_that_cannot_be_made_is_named(tmp_path):
    with pytest.raises(S3ServerError, match="HTTP status 404 for bucket x"):
        S3Server.start(tmp_path, bucket="x", timeout=2)  # too short for S3


@pytest.mark.parametrize(
    ("system", "machine"), [("darwin", "x86_64"), ("linux", "ppc64le"), ("freebsd14", "amd64")]
)
def test_platform_without_a_wheel(system, machine):
    with pytest.raises(S3ServerError, match=rf"\({system}, {machine}\).*(?s:.*)Use Docker"):
        check_platform(system, machine)


@pytest.mark.parametrize(
    ("system", "machine"), [("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64")]
)
def test_platform_with_a_wheel(system, machine):
    check_platform(system, machine)


def test_missing_binary(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(S3ServerError, match="weed is missing: run python3 -m dev setup"):
        S3Server.start(tmp_path / "data", bucket="one-bucket")


def test_it_ends_when_its_starter_is_killed(tmp_path):
    code = (
        "import os, sys; from pathlib import Path; from dev.s3_server import S3Server;"
        "s = S3Server.start(Path(sys.argv[1]), bucket='one-bucket');"
        "print(s.process.pid, s.port, flush=True); os.kill(os.getpid(), 9)"
    )
    starter = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    pid, port = map(int, starter.stdout.split())
    assert gone(pid)
    assert ports.is_free(port)


def test_importing_it_needs_the_standard_library_only():
    code = (
        "import sys; import dev.s3_server;"
        "print([m for m in sys.modules if m.split('.')[0] not in sys.stdlib_module_names"
        " and m.split('.')[0] not in ('dev', '__main__')])"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
