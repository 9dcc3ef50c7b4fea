"""`ls`, `du`, `cat`, `uri`: what they print of values that were really pushed, and how they end."""

from __future__ import annotations

import itertools
import json
import os
import re
import socket
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("obstore")
pytest.importorskip("pandas")
import numpy as np
import obstore
import pandas as pd
import pyarrow as pa

from include.xcom_store.sizes import size_text
from include.xcom_tools import cli, output
from include.xcom_tools.output import Heading
from tests import local_s3
from tests.xcom_store.conftest import DAG, RUN, TASK

WHICH = ("--dag-id", DAG, "--run-id", RUN, "--task-id", TASK)
TEXT = "x" * 2_000  # goes to the store
PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def pushed(xcom):
    """Two DAGs, two runs, a mapped task, a value with a leaf, and an object of somebody else."""
    frame = pd.DataFrame({"a": [1, 2], "b": [0.5, float("nan")]})
    xcom.push({"frame": frame, "note": TEXT})
    xcom.push(TEXT, run_id="scheduled__1")
    for index in range(3):
        xcom.push(TEXT * 10, task_id="mapped", map_index=index)
    xcom.push(TEXT, dag_id="other \x1b[2J dag")
    obstore.put(xcom.s3.client, "notes.txt", b"not ours")
    return xcom


# ------------------------------------------------------------------------ ls


def test_ls(pushed, command, s3):
    rows = command("ls", "--json").lines()
    keys = s3.keys()
    assert sorted(row["uri"] for row in rows) == [f"{s3.url}/{key}" for key in keys]
    assert {row["dag_id"] for row in rows} == {DAG, "other \x1b[2J dag", None}
    assert {"bytes", "modified", "run_id", "task_id", "map_index", "key"} <= rows[0].keys()
    assert datetime.fromisoformat(rows[0]["modified"]).tzinfo
    done = command("ls")
    assert len(done.out.splitlines()) == len(rows) + 2
    assert "\x1b" not in done.out
    assert "notes.txt" in done.out
    assert "  mapped   " in done.out
    assert " kB " not in done.out.splitlines()[0]


@pytest.mark.parametrize(
    ("selection", "count"),
    [
        (("--dag-id", DAG), 6),
        (("--run-id", RUN), 6),  # a run of that name of each DAG
        (("--task-id", "mapped"), 3),
        (("--task-id", "mapped", "--map-index", 2), 1),
        (("--map-index", 0), 1),
        (("--dag-id", DAG, "--run-id", RUN, "--task-id", TASK), 2),
        (("--key", "return_value"), 7),
    ],
)
def test_ls_of_some(pushed, command, selection, count):
    done = command("ls", *selection, "--json")
    assert done.code == 0
    assert len(done.lines()) == count
    assert done.err == ""


def test_what_was_selected_is_named_where_nothing_is_found(pushed, command, s3):
    where = f"{s3.url}/ with run_id=xyz map_index=0\n"
    done = command("ls", "--run-id", "xyz", "--map-index", 0)
    assert (done.code, done.err) == (0, f"Nothing found under {where}")
    assert command("du", "--run-id", "xyz", "--map-index", 0).err.endswith(f" under {where}")


@pytest.mark.parametrize("command_name", ["ls", "du", "uri", "cat", "sweep"])
@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("tripz", RUN), (1, f"no DAG 'tripz' in s3://.* The nearest: {DAG}$")),
        ((DAG, "sched__2"), (1, f"no run 'sched__2' of {DAG} in .* The nearest: scheduled__1")),
        ((DAG, "l__"), (2, f"'l__' fits 2 runs of {DAG}: .* The newest: .*manual__2")),
    ],
)
def test_a_name_that_is_not_there(pushed, command, command_name, names, told):
    code, said = told
    pushed.push(TEXT, run_id="manual__2")
    value = ("--task-id", TASK) if command_name in ("uri", "cat") else ()
    done = command(command_name, "--dag-id", names[0], "--run-id", names[1], *value)
    assert (done.code, done.out) == (code, "")
    assert re.search(said, done.err, re.MULTILINE), done.err


@pytest.mark.parametrize("command_name", ["ls", "du", "uri", "cat", "sweep"])
@pytest.mark.parametrize(
    ("selection", "told"),
    [
        (("map",), f"no task 'map' of dag_id={DAG} run_id=.* in s3://.* The nearest: mapped$"),
        (("mapped", 7), "no map index '7' of .* task_id=mapped in .* There are: 0, 1, 2$"),
        (("mapped", 1, "value"), "no key 'value' of .* map_index=1 in .* The nearest: return_v"),
    ],
)
def test_a_task_index_or_key_that_is_not_there(pushed, command, command_name, selection, told):
    options = zip(("--task-id", "--map-index", "--key"), selection, strict=False)
    done = command(command_name, "--dag-id", DAG, "--run-id", RUN, *itertools.chain(*options))
    assert (done.code, done.out) == (1, "")
    assert re.search(told, done.err, re.MULTILINE), done.err


def test_a_shortened_run_id_and_the_latest(pushed, command):
    assert {
        row["run_id"]
        for row in command("ls", "--dag-id", DAG, "--run-id", "ed__1", "--json").lines()
    } == {"scheduled__1"}
    time.sleep(1.1)  # the store dates objects in whole seconds
    pushed.push(TEXT, run_id="a later one")
    done = command("uri", "--dag-id", DAG, "--latest", "--task-id", TASK)
    assert "/run_id=a%20later%20one/" in done.out
    assert "Run a later one" in done.err
    assert command("cat", "--dag-id", DAG, "--run-id", "later", "--task-id", TASK).code == 0
    done = command("ls", "--latest")
    assert (done.code, "add --dag-id" in done.err) == (2, True)


# ------------------------------------------------------------------------ du


def test_du(pushed, command):
    rows = command("du", "--json").lines()
    by_dag = {row["dag_id"]: row for row in rows}
    assert (by_dag[DAG]["objects"], by_dag[DAG]["values"]) == (6, 5)
    assert by_dag["(not of this backend)"]["bytes"] == 8
    assert [row["bytes"] for row in rows] == sorted((row["bytes"] for row in rows), reverse=True)
    listed = command("ls", "--json").lines()
    assert sum(row["bytes"] for row in rows) == sum(row["bytes"] for row in listed)
    assert "in 8 objects of 6 values" in command("du").err


@pytest.mark.parametrize(("by", "groups"), [("run", 4), ("task", 4)])
def test_du_by(pushed, command, by, groups):
    rows = command("du", "--by", by, "--json").lines()
    assert len(rows) == groups
    assert {row.get(f"{by}_id") for row in rows} >= {RUN if by == "run" else "mapped"}


# ------------------------------------------------------------------------ uri


def test_uri(pushed, command, s3):
    done = command("uri", *WHICH)
    (uri,) = done.out.splitlines()
    keys = s3.keys()
    assert uri.removeprefix(f"{s3.url}/") in keys
    main, leaf = command("uri", *WHICH, "--leaves").out.splitlines()
    assert main == uri
    assert leaf == f"{uri.removesuffix('.json')}/0.parquet"
    assert command("uri", *WHICH, "--json").lines() == [{"uri": uri}]


def test_uri_of_a_small_value(pushed, command):
    pushed.push(1, key="small")
    done = command("uri", *WHICH, "--key", "small")
    assert done.code == 1
    assert "no key 'small'" in done.err
    assert "small values lie in Airflow's database only" in done.err


def test_of_a_value_only_leaves_are_left(pushed, command, s3):
    uri = command("uri", *WHICH).out.strip()
    obstore.delete(s3.client, uri.removeprefix(f"{s3.url}/"))
    for name in ("uri", "cat"):
        done = command(name, *WHICH)
        assert (done.code, "is gone; only leaves are left" in done.err) == (1, True)


# ------------------------------------------------------------------------ cat


def test_cat_says_that_the_hash_is_not_checked(pushed, command):
    done = command("cat", *WHICH)
    assert json.loads(done.out)["note"] == TEXT
    assert "SHA-256 not checked" in done.err


def test_cat_by_uri_shows_a_leaf(pushed, command):
    leaf = command("uri", *WHICH, "--leaves").out.splitlines()[1]
    assert command("cat", leaf, "--json").lines() == [{"a": 1, "b": 0.5}, {"a": 2, "b": None}]
    done = command("cat", leaf)
    assert done.out.splitlines()[0].split() == ["a", "b"]
    assert "2 of 2 rows × 2 columns" in done.err


@pytest.mark.parametrize(
    ("value", "rows"),
    [
        (np.arange(4).reshape(2, 2), [{"0": 0, "1": 1}, {"0": 2, "1": 3}]),
        (np.arange(2), [{"0": 0}, {"0": 1}]),
        (np.array([(1, "x")], [("n", "i4"), ("s", "U1")]), [{"n": 1, "s": "x"}]),
        (np.zeros((0, 3)), []),
        (pa.table({"a": [1, None]}), [{"a": 1}, {"a": None}]),
        (pd.Series([1], name="s"), [{"s": 1, "__index_0__": 0}]),
    ],
)
def test_cat_as_rows(xcom, command, value, rows):
    xcom.push(value)
    shown = command("cat", *WHICH, "--json").lines()
    assert [dict(row) for row in shown] == rows or [
        {name: cell for name, cell in row.items() if name != "__index_0__"} for row in shown
    ] == [{"s": 1}]


def test_cat_of_a_scalar_array_and_of_bytes(xcom, command):
    xcom.push(np.array(7.5))
    assert command("cat", *WHICH).out == "7.5\n"
    xcom.push(b"\x01\x02" * 50_000, key="blob")
    assert json.loads(command("cat", *WHICH, "--key", "blob").out) == {
        "bytes": 100_000, "begins_with": "01 02 " * 7 + "01 02",
    }  # fmt: skip


def test_cat_shows_every_value_that_can_be_pushed(xcom, command):
    pytest.importorskip("polars")
    from tests.xcom_store.cases import VALUES

    shown = 0
    for number, make in enumerate(VALUES.values()):
        record = xcom.push(make(), key=f"k{number}")
        if isinstance(record, dict) and "uri" in record:
            for more in ((), ("--json",)):
                assert command("cat", record["uri"], *more).code == 0, record
            shown += 1
    assert shown > 50


def test_cat_reads_only_what_it_shows(xcom, command, monkeypatch):
    from include.xcom_store.stores.base import Store

    rng = np.random.default_rng(1)
    record = xcom.push(pd.DataFrame(rng.random((400_000, 4))))
    read = []
    original = Store.read_range

    def read_range(self, key, start, end, size=None):
        read.append(end - start)
        return original(self, key, start, end, size)

    monkeypatch.setattr(Store, "read_range", read_range)
    assert len(command("cat", *WHICH, "--rows", 5).out.splitlines()) == 5 + 2
    assert sum(read) < record["bytes"] / 50
    assert len(read) < 20


def test_cat_raw(xcom, s3, configure):
    """As a process, because it writes bytes past Python's text layer."""
    record = xcom.push(np.arange(1000))
    done = shell("cat", record["uri"], "--raw")
    key = record["uri"].removeprefix(f"{s3.url}/")
    assert done.stdout == bytes(obstore.get(s3.client, key).bytes())


def test_cat_of_a_key_pushed_twice_says_so(xcom, command):
    xcom.push(["first", TEXT])
    xcom.push(["second", TEXT])
    assert "2 objects of this XCom; showing the one written last" in command("cat", *WHICH).err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), (2, "Name a value")),
        (("--dag-id", DAG), (2, "Name a value")),
        (("s3://elsewhere/key.json",), (2, "the store that is set")),
        (("{url}2/key.json",), (2, "the store that is set")),
        (("{url}/a.json", "--dag-id", DAG, "--run-id", RUN), (2, "Give either")),
        (("{url}/nothing.json",), (1, "The object was deleted or has expired")),
        (("{url}/notes.txt",), (2, "is none of parquet, arrow")),
        (("{url}/broken.parquet",), (1, "cannot be read as parquet")),
        (("--dag-id", DAG, "--run-id", RUN, "--task-id", "mapped"), (2, "add --map-index N")),
        (("--dag-id", DAG, "--run-id", RUN, "--task-id", "none"), (1, "no task 'none'")),
    ],
)
def test_cat_of_what_it_cannot_show(pushed, command, s3, arguments, expected):
    obstore.put(s3.client, "broken.parquet", b"PAR1 no")
    done = command("cat", *(a.format(url=s3.url) for a in arguments))
    code, said = expected
    assert (done.code, said in done.err) == (code, True), done.err
    assert done.out == ""


# ------------------------------------------------------------------------ what all have in common


def shell(*arguments, python=sys.executable, **more):
    return subprocess.run(
        [python, "-m", "include.xcom_tools", *arguments],
        cwd=PROJECT, capture_output=True, check=False, timeout=120, **more,
    )  # fmt: skip


def test_as_a_process(pushed):
    done = shell("ls", "--json", text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert len([json.loads(line) for line in done.stdout.splitlines()]) == 8


def test_whoever_reads_it_may_stop(pushed):
    command = f"{sys.executable} -m include.xcom_tools ls | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command], cwd=PROJECT, capture_output=True,
        check=False, timeout=120, text=True,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout.endswith("\n0\n")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"url": None}, (2, "no store is set")),
        ({"url": "bucket/prefix"}, (2, "url is 'bucket/prefix'")),
        ({"threshold": "many"}, (2, "Correct or unset AIRFLOW__XCOM_STORE__THRESHOLD")),
        ({"endpoint_url": "http://127.0.0.1:{port}", "retry_timeout": 1}, (3, "cannot be reached")),
    ],
)
def test_errors_are_one_line_and_a_code(s3, command, configure, options, expected):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    configure(**{name: str(v).format(port=port) if v else v for name, v in options.items()})
    done = command("ls")
    code, said = expected
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith("error: ")
    assert said in done.err


def test_refused_is_unreachable(s3, command, connection):
    connection(login="local-access-key", password="wrong")
    assert command("ls").code == 3


def test_interrupted(command, monkeypatch):
    def run(_arguments):
        raise KeyboardInterrupt

    monkeypatch.setitem(
        cli.COMMANDS, "ls", SimpleNamespace(**{**vars(cli.COMMANDS["ls"]), "run": run})
    )
    assert command("ls").code == 130


def test_help_is_for_every_command(capsys):
    for name, module in cli.COMMANDS.items():
        with pytest.raises(SystemExit) as ended:
            cli.main([name, "--help"])
        assert ended.value.code == 0
        printed = capsys.readouterr().out
        assert module.__doc__.splitlines()[0] in printed
        assert "examples:\n  python -m include.xcom_tools " in printed
        assert "--json" in printed
    with pytest.raises(SystemExit) as ended:
        cli.main(["--help"])
    printed = capsys.readouterr().out
    assert "exit codes:" in printed
    assert all(f"\n    {name} " in printed for name in cli.COMMANDS)


def alone(*arguments, python=sys.executable, **environment):
    """Run it with nothing of Airflow in the environment; the folder `home` is the user's."""
    return shell(*arguments, python=python, env=environment, text=True)


def test_outside_of_airflow_it_says_what_is_missing(tmp_path):
    done = alone("ls", HOME=str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert "neither AIRFLOW_HOME nor AIRFLOW__XCOM_STORE__URL is set" in done.stderr
    assert "python3 -m dev tools" in done.stderr
    assert not [*tmp_path.iterdir()]


@pytest.mark.skipif(sys.prefix == sys.base_prefix, reason="this Python itself has Airflow")
def test_without_airflow_it_says_so(tmp_path):
    done = alone("ls", python=getattr(sys, "_base_executable", ""), HOME=str(tmp_path))
    assert done.returncode == 2
    assert "Airflow is not installed for" in done.stderr
    assert not [*tmp_path.iterdir()]


def test_with_settings_alone_no_home_is_made(tmp_path, s3):
    done = alone("ls", HOME=str(tmp_path), **local_s3.settings(s3.server, s3.prefix))
    assert (done.returncode, done.stderr) == (0, f"Nothing found under {s3.url}/\n")
    assert not [*tmp_path.iterdir()]


def test_help_is_quick():
    """Without Airflow, whose import takes seconds."""
    code = (
        "import sys; from include.xcom_tools import cli\n"
        "try: cli.main(['--help'])\n"
        "finally: assert not {'airflow', 'pyarrow', 'obstore', 'httpx'} & {*sys.modules}"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, check=False, capture_output=True
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_usage_error_is_2():
    with pytest.raises(SystemExit) as ended:
        cli.main(["du", "--by", "month"])
    assert ended.value.code == 2


# ------------------------------------------------------------------------ output


def test_tables_come_as_their_rows_do(capsys, monkeypatch):
    monkeypatch.setattr(output, "MEASURED_ROWS", 2)

    def rows():
        for number in range(4):
            if number == 3:
                assert capsys.readouterr().out.splitlines()[-1] == "2"
            yield {"n": number}

    assert output.rows(rows(), [Heading("n")], as_json=False) == 4


def test_cells(capsys):
    headings = [Heading("name"), Heading("bytes", size_text, right=True)]
    found = [{"name": "é\x1b[31m", "bytes": 1536}, {"name": "x" * 100, "bytes": 5}]
    output.rows(found, headings, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith("é\\x1b[31m ")
    assert lines[2].endswith("  1.5 kB")
    assert lines[3] == f"{'x' * 59}…     5 B"
    output.rows(found, headings, as_json=True)
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == found


def test_progress_is_for_terminals(capsys, monkeypatch):
    with output.progress("objects") as done:
        done(1)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with output.progress("objects", 2) as done:
        done(2)
    assert "objects" in capsys.readouterr().err


def test_results_go_to_standard_output_also_beside_a_progress_bar():
    code = (
        "from include.xcom_tools import output\n"
        "with output.progress('objects') as done:\n"
        "    output.rows(({'n': n} for n in (done(1) or 7,)), [], as_json=True)\n"
    )
    terminal, theirs = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=PROJECT, stdout=subprocess.PIPE, stderr=theirs,
        env={**os.environ, "TERM": "xterm"},
    ) as process:  # fmt: skip
        printed = process.communicate(timeout=60)[0]
    os.close(theirs)
    assert printed == b'{"n": 7}\n'
    assert b"objects" in os.read(terminal, 10_000)
    os.close(terminal)


def test_the_package_is_not_needed_by_the_backend():
    root = PROJECT / "include"
    for file in [*root.glob("*backend.py"), *(root / "xcom_store").rglob("*.py")]:
        assert "xcom_tools" not in file.read_text(encoding="utf-8"), file
    assert (root / "xcom_tools" / "__main__.py").exists()
