"""Nothing that we start outlives us."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from dev import processes
from dev.project import ROOT
from tests import waiting
from tests.dev.copies import gone

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
STUBBORN = [
    sys.executable,
    "-c",
    (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True);"
        " time.sleep(600)"
    ),
]
# Starts a child in a session of its own, as Airflow's BashOperator does, and prints its id.
PARENT = [
    sys.executable,
    "-c",
    (
        "import subprocess, sys, time;"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'],"
        " start_new_session=True); print(p.pid, flush=True); time.sleep(float(sys.argv[1]))"
    ),
]


def printed(log: Path) -> str:
    waiting.until(lambda: log.read_text().endswith("\n"), every=0.02)
    return log.read_text().strip()


def family(process: processes.Process) -> list[int]:
    guard = psutil.Process(process.pid)
    waiting.until(guard.children, every=0.02)
    return [process.pid, *(child.pid for child in guard.children(recursive=True))]


def test_stop_ends_the_command_and_its_guard():
    process = processes.start(SLEEP)
    pids = family(process)
    assert process.poll() is None
    process.stop()
    assert process.poll() is not None
    assert all(gone(pid, 0.5) for pid in pids)


def test_stop_twice_is_no_error():
    process = processes.start(SLEEP)
    process.stop()
    process.stop()


def test_status_of_the_command_comes_through():
    with processes.start([sys.executable, "-c", "raise SystemExit(7)"]) as process:
        assert process.wait(15) == 7


def test_a_child_in_its_own_session_ends_too(tmp_path):
    with (tmp_path / "log").open("wb") as output:
        process = processes.start([*PARENT, "600"], output=output)
    child = int(printed(tmp_path / "log"))
    process.stop()
    assert gone(child, 0.5)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux hands orphans to the guard")
def test_an_orphan_ends_when_the_command_has_ended(tmp_path):
    with (
        (tmp_path / "log").open("wb") as output,
        processes.start([*PARENT, "0"], output=output) as process,
    ):
        child = int(printed(tmp_path / "log"))
        assert process.wait(15) == 0
        assert gone(child, 0.5)


def test_what_ignores_the_polite_signal_is_killed_after_the_grace_time(tmp_path):
    with (tmp_path / "log").open("wb") as output:
        process = processes.start(STUBBORN, output=output, grace=0.5)
    printed(tmp_path / "log")
    pids = family(process)
    process.stop()
    assert all(gone(pid, 0.5) for pid in pids)


def test_a_further_signal_ends_the_grace_time(tmp_path):
    with (tmp_path / "log").open("wb") as output:
        process = processes.start(STUBBORN, output=output, grace=60)
    printed(tmp_path / "log")
    process.ask_to_stop()
    time.sleep(0.5)
    process.hurry()
    began = time.monotonic()
    process.stop()
    assert time.monotonic() - began < 10


def test_kill_ends_all_at_once():
    process = processes.start(SLEEP)
    pids = family(process)
    process.kill()
    assert all(gone(pid, 2) for pid in pids)


def test_it_ends_when_its_starter_is_killed():
    code = (
        "import os, sys, time; from dev import processes;"
        "p = processes.start([sys.executable, '-c', 'import time; time.sleep(600)']);"
        "time.sleep(0.5); print(p.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    starter = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert starter.returncode == -9
    assert gone(int(starter.stdout))


def test_tail_of_a_log(tmp_path):
    log = tmp_path / "log"
    assert processes.tail(log) == "  | (no output)"
    log.write_text("1\n2\n3\n")
    assert processes.tail(log, lines=2) == "  | 2\n  | 3"
