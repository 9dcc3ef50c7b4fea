"""`demo`, `up` and `s3` for real, and that nothing is left whenever they are stopped.

The fixture `bare_copy` fails a test that leaves a process running.
"""

from __future__ import annotations

import json
import re
import signal
import sqlite3
import time
import urllib.request
from importlib import metadata

import psutil
import pytest

from dev import demo, ports
from tests import waiting


def stop(process, number, seconds=60):
    process.send_signal(number)
    return process.wait(seconds)


def ended(project_copy, seconds=30):
    """Wait until nothing of it runs, as its guards have seen that it has gone."""
    waiting.until(lambda: not project_copy.running(), project_copy.running, seconds=seconds)


def ports_named_in(text):
    return [int(port) for port in re.findall(r"http://(?:127\.0\.0\.1|localhost):(\d+)", text)]


def answers(project_copy, *tool):
    """What a command of the operator's tool finds, beside `up`."""
    done = project_copy.run("tools", *tool, "--json")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.long
def test_what_a_demo_tells(project_copy):
    done = project_copy.run("demo", "--dag", "tiny", "--dag", "tiny_failing", "--json")
    document = json.loads(done.stdout)
    assert done.returncode == 1, done.stderr
    assert document["ok"] is False
    assert document["airflow"] == metadata.version("apache-airflow")
    assert document["seconds"].keys() == {"setup", "s3", "airflow_start", "run", "total"}

    tiny, failing = document["dags"]
    assert (tiny["state"], tiny["problems"]) == ("success", [])
    assert tiny["tasks"] == {"make": "success", "use": "success"}
    (xcom,) = tiny["xcoms"]
    assert (xcom["task_id"], xcom["key"], xcom["stored"]) == ("make", "return_value", "s3")
    assert xcom["uri"].startswith("s3://airflow-xcoms/xcom/dag_id=tiny/run_id=scheduled__")
    assert xcom["bytes"] > 1024

    assert failing["state"] == "failed"
    assert failing["problems"] == ["the run ended as failed, expected is success"]
    assert "ValueError: this is what went wrong" in done.stderr
    assert "Not as expected" in done.stderr
    assert "\x1b[" not in done.stderr
    assert all(ports.is_free(port) for port in ports_named_in(done.stderr))


def test_what_is_next_is_the_same_that_was_run():
    said = demo.next_steps(["--json", "--dag", "my_fares", "--data", "my taxi"])
    assert "\n  python3 -m dev up --dag my_fares --data 'my taxi'   the same" in said
    plain = demo.next_steps([]).splitlines()[1:3]
    assert plain[0].index("the same") == plain[1].index("all example")
    assert "demo --all" not in demo.next_steps(["--all"])


def test_what_is_worth_a_look_is_named_while_it_is_there():
    said = demo.more_to_see(["example_dataframe_dag", "example_validation_failure_dag", "my_fares"])
    assert said.startswith("More to see:    trigger example_dataframe_dag (")
    assert ", example_validation_failure_dag (" in said
    assert demo.more_to_see({"my_fares"}) == ""


def test_ctrl_c_at_the_beginning(project_copy):
    process = project_copy.start("demo", "--dag", "tiny")
    project_copy.wait_for("S3 server:", process)
    assert stop(process, signal.SIGINT) == 130
    assert project_copy.running() == []
    assert "stopped by SIGINT; nothing is left running" in project_copy.output


@pytest.mark.long
def test_ctrl_c_while_a_task_runs(project_copy):
    process = project_copy.start("demo", "--dag", "tiny_slow")
    project_copy.wait_for("running", process)
    listening = {
        connection.laddr.ip
        for line in project_copy.running()
        for connection in psutil.Process(int(line.split()[0])).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}
    assert stop(process, signal.SIGINT) == 130
    assert project_copy.running() == []
    assert all(ports.is_free(port) for port in ports_named_in(project_copy.output))


def test_s3_serves_until_ctrl_c(project_copy):
    (port,) = ports.free_ports(1)
    env_file = project_copy.root / ".env"
    env_file.write_text(env_file.read_text().replace(":8333", f":{port}"))
    process = project_copy.start("s3")
    project_copy.wait_for("Ctrl-C stops this server", process)
    assert f"http://127.0.0.1:{port}" in project_copy.output
    second = project_copy.run("s3")
    assert second.returncode == 1
    assert f"(process {process.pid})" in second.stderr
    tools = project_copy.run("tools", "ls")
    assert (tools.returncode, tools.stdout) == (0, "")
    assert tools.stderr == "Nothing found under s3://airflow-xcoms/xcom/\n"
    assert stop(process, signal.SIGTERM) == 143
    assert ports.is_free(port)


def test_two_demos_at_once(project_copy):
    first = project_copy.start("demo", "--dag", "tiny_slow")  # or it may have ended meanwhile
    project_copy.wait_for("S3 server:", first)
    second = project_copy.run("demo", "--dag", "tiny")
    assert second.returncode == 1
    assert f"Another demo or up is running in this project (process {first.pid})" in second.stderr
    # What nohup starts ignores it.
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    number = signal.SIGTERM if ignored else signal.SIGHUP
    assert stop(first, number) == 128 + number


def test_test_passes_arguments_and_status_through(project_copy):
    (project_copy.root / "tests").mkdir()
    (project_copy.root / "tests" / "test_it.py").write_text("def test_it(): assert False\n")
    done = project_copy.run("test", "-q", "tests/test_it.py")
    assert done.returncode == 1
    assert "1 failed" in done.stdout


@pytest.mark.weekly
@pytest.mark.parametrize("seconds", [0.3, 0.8, 2, 5, 8, 12, 16, 20])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_any_moment(project_copy, seconds, number):
    process = project_copy.start("demo", "--dag", "tiny_slow")
    time.sleep(seconds)
    status = stop(process, number)
    # To a shell the two are the same; the second where Python itself is still starting. On a busy
    # machine it may not have got as far as that.
    if status != 1 or "Fatal Python error" not in project_copy.output:
        assert status in (128 + number, -number)
    assert project_copy.running() == []


@pytest.mark.long
def test_impatient_ctrl_c(project_copy):
    process = project_copy.start("demo", "--dag", "tiny_slow")
    project_copy.wait_for("running", process)
    for _ in range(5):
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
    # The last one may find Python itself ending: to a shell that is 130, too.
    assert process.wait(60) in (130, -signal.SIGINT)
    assert project_copy.running() == []


@pytest.mark.long
def test_killed(project_copy):
    process = project_copy.start("demo", "--dag", "tiny_slow")
    project_copy.wait_for("running", process)
    assert stop(process, signal.SIGKILL) == -signal.SIGKILL
    ended(project_copy)


@pytest.mark.long
def test_ctrl_c_during_setup(bare_copy):
    process = bare_copy.start(
        "setup", UV_CACHE_DIR=str(bare_copy.root / "cache"), PIP_NO_CACHE_DIR="1"
    )
    bare_copy.wait_for("Making .venv", process)
    time.sleep(1)
    assert stop(process, signal.SIGINT) == 130
    assert bare_copy.running() == []


@pytest.mark.long
def test_a_dag_file_that_cannot_be_imported(project_copy):
    broken = project_copy.root / "dags" / "broken.py"
    broken.write_text("import airflow\nfrom nowhere import dag\n")
    done = project_copy.run("demo", "--dag", "tiny")
    assert done.returncode == 1
    assert "broken.py" in done.stderr
    assert "No module named 'nowhere'" in done.stderr


@pytest.mark.long
def test_a_dag_that_does_not_exist(project_copy):
    done = project_copy.run("demo", "--dag", "task")  # a word of its files, and no DAG
    assert done.returncode == 1
    assert "Airflow does not know the DAGs task" in done.stderr
    assert "It knows: tiny, tiny_failing, tiny_slow" in done.stderr


@pytest.mark.long
def test_up_goes_on_where_it_was_killed(project_copy):
    """With its ports, runs and values; `tools` reach it without anything exported."""
    up = ("up", "--dag", "tiny")
    process = project_copy.start(*up)
    project_copy.wait_for("Ctrl-C stops everything", process)
    first = ports_named_in(project_copy.output)
    with urllib.request.urlopen(f"http://localhost:{first[-2]}/api/v2/version") as answer:
        assert json.load(answer)["version"] == metadata.version("apache-airflow")
    checked = project_copy.run("tools", "check")
    assert checked.returncode == 0
    assert "References compared with the bucket (bytes, SHA-256): 1\n" in project_copy.output
    assert "anonymous" not in checked.stdout  # nor what else is no fault of a local server
    assert stop(process, signal.SIGKILL) == -signal.SIGKILL
    ended(project_copy)
    assert "Nothing runs here" in project_copy.run("tools", "ls").stderr

    process = project_copy.start(*up)
    project_copy.wait_for("Ctrl-C stops everything", process)
    assert ports_named_in(project_copy.output) == first
    runs = [value["run_id"] for value in answers(project_copy, "ls")]
    assert [run.partition("__")[0] for run in sorted(runs)] == ["manual", "scheduled"]
    verified = project_copy.run("tools", "verify", "--dag-id", "tiny")
    assert (verified.returncode, "2 values: 2 ok" in verified.stderr) == (0, True)
    value = ("--dag-id", "tiny", "--latest", "--task-id", "make")
    (used,) = answers(project_copy, "du", "--by", "task")
    assert (used["dag_id"], used["task_id"], used["values"]) == ("tiny", "make", 2)
    assert answers(project_copy, "cat", *value) == [{"numbers": [*range(500)]}]
    (uri,) = answers(project_copy, "uri", *value)
    assert uri["uri"].startswith("s3://airflow-xcoms/xcom/dag_id=tiny/run_id=")
    *_, swept = answers(project_copy, "sweep", "--missing")
    assert (swept["objects"], swept["orphans"], swept["delete"]) == (2, 0, False)
    assert swept["requests"] > 0  # Airflow has answered
    wrong = project_copy.run("tools", "verify", "--dag-id", "tinny")
    assert (wrong.returncode, "The nearest: tiny" in wrong.stderr) == (1, True)
    assert stop(process, signal.SIGINT) == 0
    assert all(ports.is_free(port) for port in first)


@pytest.mark.long
def test_a_task_that_was_killed_with_up_runs_again(project_copy):
    """Soon after the next start, as all of its Airflow is known to be gone."""
    up = ("up", "--dag", "tiny_slow")
    process = project_copy.start(*up)
    project_copy.wait_for(" running\n", process)
    assert stop(process, signal.SIGKILL) == -signal.SIGKILL
    ended(project_copy)
    process = project_copy.start(*up)
    project_copy.wait_for(" running\n", process)

    def running():
        with sqlite3.connect(project_copy.root / ".dev/up/airflow/airflow.db") as database:
            query = "SELECT try_number FROM task_instance WHERE state = 'running'"
            found = sorted(number for (number,) in database.execute(query))
        database.close()
        return found == [1, 2]

    waiting.until(running, "the first run's task does not go on", seconds=60)
    assert stop(process, signal.SIGINT) in (0, 130)


@pytest.mark.weekly
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_up_starts_again_wherever_it_was_ended(project_copy, number):
    """Between first lines and first run; what was kept till then is whole and is used."""
    up = ("up", "--dag", "tiny")
    for seconds in (0.5, 1.5, 3, 5, 8, 12, 16):
        process = project_copy.start(*up)
        time.sleep(seconds)
        # Python itself may be starting still, or Airflow be up, which Ctrl-C is meant to end.
        assert stop(process, number) in (-number, 128 + number, 0)
        ended(project_copy)
    process = project_copy.start(*up)
    project_copy.wait_for("Ctrl-C stops everything", process)
    verified = project_copy.run("tools", "verify", "--dag-id", "tiny")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert stop(process, signal.SIGINT) == 0
    assert project_copy.running() == []
