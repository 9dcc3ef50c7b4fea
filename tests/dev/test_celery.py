"""Airflow on Celery: what it needs, and that values get from one worker to the other unchanged.

The tests that run something need PostgreSQL and Redis, as `--executor CeleryExecutor` does.
"""

from __future__ import annotations

import json
import shutil
import signal
import socket
import stat
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from dev import celery_workers, demo_options, postgres, redis_server, report
from dev.errors import DevError

HERE = Path(__file__).parent


def missing():
    try:
        celery_workers.check_installed()
    except DevError as error:
        return str(error).splitlines()[0]
    return ""


needs_servers = pytest.mark.skipif(bool(missing()), reason=missing() or "they are here")


@pytest.fixture
def nothing_installed(monkeypatch, tmp_path):
    monkeypatch.setattr(postgres, "_FOLDERS", ())
    monkeypatch.setattr(redis_server, "FOLDER", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def program(folder, *names):
    for name in names:
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)


def check(**changed):
    options = {"data": None, "dags": None, "all_dags": False, "port": None, "s3_port": None}
    options |= {"executor": "LocalExecutor", "stay": False, "as_json": False}
    return demo_options.check(**options | changed)


def test_what_is_missing_is_named_with_what_installs_it(nothing_installed):
    with pytest.raises(DevError) as raised:
        check(executor="CeleryExecutor")
    message = str(raised.value)
    assert "needs PostgreSQL (postgres and initdb) and Redis (redis-server)" in message
    assert "sudo apt-get install postgresql redis-server" in message
    assert "brew install" in message
    program(nothing_installed, "redis-server")
    with pytest.raises(DevError, match=r"needs PostgreSQL \(postgres and initdb\): not on PATH"):
        check(executor="CeleryExecutor")


def test_a_postgres_without_initdb_is_not_enough(nothing_installed):
    program(nothing_installed, "postgres")
    with pytest.raises(FileNotFoundError):
        postgres.find()
    program(nothing_installed, "initdb")
    assert postgres.find() == nothing_installed.resolve()


def test_the_newest_postgres_is_taken(nothing_installed, monkeypatch):
    folders = [nothing_installed / "postgresql" / number / "bin" for number in ("9", "17", "16")]
    for folder in folders:
        folder.mkdir(parents=True)
        program(folder, "postgres", "initdb")
    pattern = f"{str(nothing_installed)[1:]}/postgresql/*/bin"
    monkeypatch.setattr(postgres, "_FOLDERS", (pattern,))
    assert postgres.find() == folders[1]


def test_nothing_is_begun_without_the_servers(bare_copy, tmp_path):
    if Path(redis_server.FOLDER, "redis-server").exists():
        pytest.skip(f"cannot be hidden: redis-server in {redis_server.FOLDER}")
    done = bare_copy.run("demo", "--executor", "CeleryExecutor", PATH=str(tmp_path))
    assert done.returncode == 1
    assert "sudo apt-get install postgresql redis-server" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (bare_copy.root / ".venv").exists()
    assert not (bare_copy.root / ".dev").exists()


def test_another_executor(bare_copy):
    done = bare_copy.run("up", "--executor", "KubernetesExecutor")
    assert done.returncode == 2
    assert "invalid choice: 'KubernetesExecutor'" in done.stderr


def test_celery_runs_a_dag_whose_tasks_run_at_the_same_time(monkeypatch):
    monkeypatch.setattr(celery_workers, "check_installed", lambda: None)
    assert check().dags == ("example_great_expectations_dag",)
    default = ("example_great_expectations_dag", "example_dynamic_mapping_dag")
    assert check(executor="CeleryExecutor").dags == default
    assert check(executor="CeleryExecutor", dags=["example_dataframe_dag"]).dags == (
        "example_dataframe_dag",
    )


def test_dbt_is_installed_for_those_who_run_it():
    dbt = "example_dbt_cosmos_dag"
    there = (demo_options.project.ROOT / "dags" / f"{dbt}.py").exists()
    assert not check().needs_dbt
    assert check(dags=[dbt]).needs_dbt == there
    assert check(all_dags=True).needs_dbt == there
    assert check(stay=True).needs_dbt == there


@needs_servers
def test_the_servers_let_nobody_in_without_the_password(tmp_path):
    import psycopg2
    import redis

    with (
        postgres.serve(tmp_path / "postgres") as database,
        redis_server.serve(tmp_path / "redis") as queue,
    ):
        without = [
            urlsplit(url)._replace(netloc=urlsplit(url).netloc.partition("@")[2]).geturl()
            for url in (database, queue)
        ]
        connection = psycopg2.connect(database)
        with connection.cursor() as cursor:
            cursor.execute("SHOW listen_addresses")
            assert cursor.fetchone() == ("127.0.0.1",)
        connection.close()
        with pytest.raises(psycopg2.OperationalError, match="no password supplied"):
            psycopg2.connect(without[0], user="airflow")
        with redis.Redis.from_url(queue) as client:
            assert client.ping()
            assert client.config_get("bind") == {"bind": "127.0.0.1"}
        with pytest.raises(redis.AuthenticationError), redis.Redis.from_url(without[1]) as client:
            client.ping()
        config = tmp_path / "redis" / "redis.conf"
        assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert not list(tmp_path.glob("**/password"))
    for url in (database, queue):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", urlsplit(url).port), timeout=1)


def data_folders():
    """Of PostgreSQL, where root runs it; elsewhere its data is in the run's folder."""
    return set(Path(tempfile.gettempdir()).glob("airflow-postgres-*"))


def dag_report(workers):
    return report.DagReport("d", "r", "success", "success", {}, [], workers=workers)


@pytest.mark.parametrize(
    ("runs", "problems"),
    [
        ([{"a": "worker-1", "b": "worker-2"}], []),
        ([{"a": "worker-1"}, {"a": "worker-2", "b": "worker-1"}], []),
        ([{"a": "worker-1", "b": "worker-1"}], ["no run had tasks on each"]),
        ([{"a": "worker-1"}, {"a": "worker-2"}], ["no run had tasks on each"]),
        ([{"a": "worker-1", "b": "worker-2", "c": "elsewhere"}], ["tasks ran on elsewhere"]),
    ],
)
def test_where_tasks_ran(runs, problems):
    found = celery_workers.problems([dag_report(workers) for workers in runs])
    assert len(found) == len(problems)
    assert all(map(str.startswith, found, problems))


def test_what_lies_about(tmp_path, monkeypatch):
    common = tmp_path / "common"
    monkeypatch.setattr(celery_workers.tempfile, "gettempdir", lambda: str(common))
    run = tmp_path / "run"
    for folder in (run / "s3", run / "worker-1" / "tmp", common):
        folder.mkdir(parents=True)
    (run / "s3" / "1.dat").write_bytes(b"payload")
    (run / "worker-1" / "tmp" / "other").write_bytes(b"another")
    (common / "link").symlink_to(run / "s3" / "1.dat")
    assert celery_workers.found_on_disk(run, [b"payload", b""]) == []
    (common / "handed over").write_bytes(b"payload")
    (run / "worker-1" / "tmp" / "copy").write_bytes(b"payload")
    (run / "airflow" / "logs" / "dag_id=d").mkdir(parents=True)
    found = celery_workers.found_on_disk(run, [b"payload", b""])
    assert [line.partition(":")[0].rpartition("/")[2] for line in found] == [
        "copy",
        "handed over",
        "dag_id=d",
    ]


@needs_servers
@pytest.mark.long
def test_every_value_gets_from_one_worker_to_the_other(project_copy):
    """Tasks are pinned to workers by queue; those that pull fail unless all is as pushed."""
    shutil.copy(HERE / "celery_dag.py", project_copy.root / "dags")
    # A push that PostgreSQL refuses is not to be tried again for minutes.
    once = {"AIRFLOW__WORKERS__EXECUTION_API_RETRIES": "1"}
    arguments = ("--executor", "CeleryExecutor", "--dag", "celery_values", "--json")
    done = project_copy.run("demo", *arguments, **once)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["executor"], document["problems"]) == ("CeleryExecutor", [])
    (dag,) = document["dags"]
    assert (dag["state"], dag["problems"]) == ("success", [])
    assert dag["workers"] == {
        "push_small": "worker-1",
        "pull_small": "worker-2",
        "push_large": "worker-2",
        "pull_large": "worker-1",
        "stop": "worker-1",
    }
    assert dag["tasks"]["runs_nowhere"] == "skipped"
    stored = {(x["task_id"], x["stored"]) for x in dag["xcoms"] if x["task_id"] != "stop"}
    assert stored == {("push_small", "database"), ("push_large", "s3")}

    (run,) = (project_copy.root / ".dev" / "runs").iterdir()
    for worker in celery_workers.WORKERS:
        logs = [path.name for path in run.glob(f"{worker}/logs/dag_id=*/run_id=*/task_id=*")]
        assert sorted(logs) == sorted(
            f"task_id={t}" for t, w in dag["workers"].items() if w == worker
        )
        assert list((run / worker / "tmp").iterdir()) == []
    assert project_copy.running() == []


@needs_servers
@pytest.mark.weekly
def test_ctrl_c_with_workers(project_copy):
    before = data_folders()
    process = project_copy.start(
        "up", "--executor", "CeleryExecutor", "--dag", "tiny_slow", "--dag", "tiny"
    )
    project_copy.wait_for("running", process)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert project_copy.running() == []
    assert data_folders() <= before
