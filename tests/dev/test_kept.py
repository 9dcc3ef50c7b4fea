"""What `up` keeps: by whom it may be gone on with, and what an interruption leaves of it."""

from __future__ import annotations

import json
import socket
import sqlite3
from types import SimpleNamespace

import pytest

from dev import airflow_environment, kept, ports, project
from dev.errors import DevError

SECRETS = dict.fromkeys(airflow_environment.SECRETS, "secret")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    folder = tmp_path / "up"
    for name, path in (("FOLDER", ""), ("_STATE", "state.json"), ("_RUNNING", "running.json")):
        monkeypatch.setattr(kept, name, folder / path)
    monkeypatch.setattr(project, "STATE", tmp_path)
    return folder


@pytest.fixture
def saved(folder):
    """State of this Airflow and format, with a file of an earlier run."""

    def saved(**changes):
        first = kept.Kept(fresh=False)
        assert first.is_new
        first.save(SECRETS, airflow=ports.free_ports(1)[0], s3=1)
        state = json.loads((folder / "state.json").read_text()) | changes
        (folder / "state.json").write_text(json.dumps(state))
        (folder / "value").touch()
        return state

    return saved


def test_the_next_start_goes_on(saved, folder):
    state = saved()
    again = kept.Kept(fresh=False)
    assert not again.is_new
    assert again.secrets == SECRETS
    assert again.port("airflow") == state["ports"]["airflow"]
    assert again.port("other") is None
    assert (folder / "value").exists()
    assert (folder / "state.json").stat().st_mode & 0o077 == 0
    with socket.create_server(("127.0.0.1", state["ports"]["airflow"])):
        assert again.port("airflow") is None


def test_fresh_forgets(saved, folder):
    saved()
    assert kept.Kept(fresh=True).is_new
    assert not (folder / "value").exists()


def test_an_interrupted_first_start_is_made_anew(folder):
    (folder / "airflow").mkdir(parents=True)
    assert kept.Kept(fresh=False).is_new
    assert not (folder / "airflow").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"format": "xcom_store/0"}, "are of format xcom_store/0"),
        ({"airflow": "3.99.0"}, "is of Airflow 3.99.0"),
    ],
)
def test_what_cannot_be_gone_on_with_says_fresh(saved, folder, changes, said):
    saved(**changes)
    with pytest.raises(DevError, match=said) as raised:
        kept.Kept(fresh=False)
    assert "python3 -m dev up --fresh" in str(raised.value)
    assert (folder / "value").exists()


def test_state_that_cannot_be_read_says_fresh(saved, folder):
    saved()
    (folder / "state.json").write_text("{")
    with pytest.raises(DevError, match="up --fresh"):
        kept.Kept(fresh=False)


def database(path):
    """One whose last row is only in SQLite's log, as SIGKILL leaves it."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE kept (value)")
    connection.execute("INSERT INTO kept VALUES (1)")
    connection.commit()
    return connection


@pytest.mark.parametrize("fails", [False, True])
def test_the_database_of_an_older_airflow_is_migrated_in_a_copy(saved, folder, fails):
    saved(airflow="3.2.1")
    home = folder / "airflow"
    home.mkdir()
    connection = database(home / "airflow.db")
    url = f"sqlite:///{home}/airflow.db?timeout=60"

    def migrate(changes):
        (copy,) = (value.removeprefix("sqlite:///").partition("?")[0] for value in changes.values())
        with sqlite3.connect(copy) as copied:
            copied.execute("CREATE TABLE new AS SELECT * FROM kept")
        copied.close()
        if fails:
            raise DevError("no")

    airflow = SimpleNamespace(home=home, env={airflow_environment.DATABASE: url}, migrate=migrate)
    state = kept.Kept(fresh=False)
    if fails:
        with pytest.raises(DevError):
            state.migrate(airflow)
    else:
        assert state.migrate(airflow)
    connection.close()
    with sqlite3.connect(home / "airflow.db") as left:
        tables = {name for (name,) in left.execute("SELECT name FROM sqlite_master")}
        assert left.execute("SELECT value FROM kept").fetchall() == [(1,)]
    left.close()
    assert tables == ({"kept"} if fails else {"kept", "new"})


def test_this_airflow_needs_no_migration(saved):
    saved()
    assert not kept.Kept(fresh=False).migrate(SimpleNamespace())


def test_the_scheduler_that_was_killed_has_ended(saved, folder):
    saved()
    airflow = SimpleNamespace(home=folder)
    with sqlite3.connect(folder / "airflow.db") as database:
        database.execute("CREATE TABLE job AS SELECT 'running' AS state UNION SELECT 'success'")
    kept.Kept(fresh=False).end_jobs(airflow)
    states = [state for (state,) in database.execute("SELECT state FROM job ORDER BY state")]
    database.close()
    assert states == ["failed", "success"]


@pytest.mark.parametrize("is_kept", [True, False])  # with --store nothing is
def test_tools_find_a_running_up_only(saved, is_kept):
    if is_kept:
        saved()
        kept.Kept(fresh=False)
    assert kept.running_settings() is None
    env = {"AIRFLOW_HOME": "/home", "AIRFLOW__API__PORT": "1", "NO_PROXY": "x", "PATH": "/bin"}
    with project.exclusive("demo", "up"):
        assert kept.running_settings() is None  # it is not healthy yet
        kept.running(env)
        assert kept.running_settings() == {k: v for k, v in env.items() if k != "PATH"}
    assert kept.running_settings() is None
