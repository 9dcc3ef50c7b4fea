"""A sweep of 100,000 objects: its memory, its rate, and where the time goes. On PostgreSQL.

(On SQLite Airflow 3.3.0 takes a second a request with as many rows: it reads the whole table of task
instances for each.)
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

pytest.importorskip("dev.postgres", reason="only `python3 -m dev test` runs this")
import obstore

from dev import airflow_environment, ports, postgres
from dev.airflow_server import AirflowServer
from include.xcom_store import keys
from tests import local_s3
from tests.xcom_tools import sweep_airflow
from tests.xcom_tools.sweep_airflow import owner

ROOT = Path(__file__).parents[2]
DAGS, RUNS, INDEXES = 4, 25, 1_000
ORPHANS_A_RUN = 2
MEGABYTES = 300
CODE = """
import re, sys
from pathlib import Path
from include.xcom_tools import cli
code = cli.main(sys.argv[1:])
status = Path("/proc/self/status")
if status.exists():
    peak = int(re.search(r"VmHWM:\\s+(\\d+)", status.read_text())[1]) // 1024
else:
    import resource
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024 // 1024
print(peak, file=sys.stderr)
sys.exit(code)
"""


async def put_all(client, names):
    """Write an object each, many at once; when each was written."""
    gate = asyncio.Semaphore(32)

    async def put(name):
        async with gate:
            await obstore.put_async(client, name, b'{"value": 1}')
            return time.time()

    return await asyncio.gather(*map(put, names))


def made(client, url, dag, run, indexes=INDEXES):
    """Make a run's objects; its rows, without those of some."""
    stems = [keys.new_stem(owner(dag, run, index=index)) for index in range(indexes)]
    written = asyncio.run(put_all(client, [f"{stem}.json" for stem in stems]))
    return [
        [index, {"__id__": "xcom_store/1", "uri": f"{url}/{stem}.json"}, when]
        for index, (stem, when) in enumerate(zip(stems, written, strict=True))
    ][ORPHANS_A_RUN:]


@pytest.fixture
def environment(tmp_path, s3_server):
    """An API server on PostgreSQL, with the rows, and the bucket with the objects."""
    try:
        postgres.find()
    except FileNotFoundError as error:
        pytest.skip(f"{error} is not installed")
    prefix, home, [port] = f"xcom-{uuid.uuid4().hex[:12]}", tmp_path / "home", ports.free_ports(1)
    home.mkdir()
    settings = local_s3.settings(s3_server, prefix, AIRFLOW__XCOM_STORE__OPERATION_TIMEOUT="0.5")
    url = settings["AIRFLOW__XCOM_STORE__URL"]
    client = local_s3.client(s3_server, prefix)
    with postgres.serve(tmp_path / "postgres") as database:
        env = airflow_environment.make(home, port, settings)
        env[airflow_environment.DATABASE] = database.replace("postgresql:", "postgresql+psycopg2:")
        with AirflowServer(home, port, env) as server:
            server.make_database()
            script = str(Path(__file__).with_name("sweep_many_rows.py"))
            rows = subprocess.Popen([sys.executable, script], env=env, stdin=subprocess.PIPE)
            for dag in range(DAGS):
                for run in range(RUNS):
                    names = f"dag{dag}", f"manual__{run}"
                    found = made(client, url, *names)
                    rows.stdin.write(json.dumps([*names, found]).encode() + b"\n")
            rows.stdin.close()
            assert rows.wait(300) == 0
            sweep_airflow.launch(server)
            yield env


def test_a_run_has_orphans_and_rows_with_the_time_of_their_objects(s3_server):
    prefix = f"xcom-{uuid.uuid4().hex[:12]}"
    client, began = local_s3.client(s3_server, prefix), time.time()
    rows = made(client, f"s3://{s3_server.bucket}/{prefix}", "dag0", "manual__0", indexes=5)
    objects = [found["path"] for page in obstore.list(client) for found in page]
    assert (len(objects), [index for index, _, _ in rows]) == (5, [2, 3, 4])
    for _, record, when in rows:
        assert record["uri"].partition(f"/{prefix}/")[2] in objects
        assert began <= when <= time.time()


@pytest.mark.weekly
def test_100_000_objects(environment):
    for arguments in ([], ["--claim", "--delete"]):
        done = subprocess.run(
            [sys.executable, "-c", CODE, "sweep", "--json", "--rate", "10000",
             "--grace-hours", "0.0003", *arguments],
            env=environment, cwd=ROOT, capture_output=True, text=True, timeout=1200, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        *lines, total = map(json.loads, done.stdout.splitlines())
        peak = int(done.stderr.splitlines()[-1])
        print(f"{arguments}: {peak} MB at most, {total}")
        assert peak < MEGABYTES
        assert total["objects"] == DAGS * RUNS * INDEXES
        orphans = [line for line in lines if line["kind"] == "orphan"]
        assert len(orphans) == total["orphans"] == DAGS * RUNS * ORPHANS_A_RUN
        assert all(
            "map_index=0/" in line["uri"] or "map_index=1/" in line["uri"] for line in orphans
        )
