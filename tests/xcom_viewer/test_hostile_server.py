"""A real API server, and a bucket full of damaged and forged objects: it lives, and stays small."""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import json
import os
import re
import sqlite3
import threading
import time
from functools import partial
from urllib.parse import urlencode

import pytest

pytest.importorskip("dev.airflow_server", reason="only `python3 -m dev test` runs this")
pytest.importorskip("polars")
pytest.importorskip("include.xcom_viewer", reason="the viewer was deleted")
import obstore
import psutil

from include.xcom_store import keys
from include.xcom_viewer import readers
from include.xcom_viewer.reader.remote import IDLE_SECONDS
from tests.astro_project import ROOT
from tests.xcom_viewer import damage
from tests.xcom_viewer.airflow_site import Site
from tests.xcom_viewer.beside import install
from tests.xcom_viewer.peak import Peak

DAG, RUN, EARLIER = "hostile", "manual__1", "manual__0"
MEGABYTE = 1_000_000
ONE_FILE = threading.Lock()
"""A server process writes one CSV file at a time, and answers 503 to the next."""
SERVERS = {
    "one worker": {},
    "workers = 2": {"AIRFLOW__API__WORKERS": "2"},
    "gunicorn": {"AIRFLOW__API__SERVER_TYPE": "gunicorn", "AIRFLOW__API__WORKERS": "2"},
}


def test_what_is_put_in_the_bucket():
    """The long test would tell a mistake in here from a strong viewer by its counts only."""
    found = list(damage.objects(120))
    assert len({name for name, _, _ in found}) == len(damage.values()) * len(damage.WAYS)
    assert len({record["codec"] for _, record, _ in found}) >= 6
    for _name, record, data in found:
        assert damage.resealed(record, data)["bytes"] == len(data)


class Row:
    """An XCom whose object is what its row says, and whose row somebody has written."""

    def __init__(self, site, task_id, record, data, run_id=RUN):
        self.task_id, self.run_id, self._site = task_id, run_id, site
        owner = keys.Owner(DAG, run_id, task_id, -1, "return_value")
        key = f"{keys.new_stem(owner)}.{record['uri'].rpartition('/')[2].partition('.')[2]}"
        obstore.put(site.store, key, data)
        self.record = damage.resealed(record, data) | {"uri": f"{site.store_url}/{key}"}

    def path(self, page="value", **more):
        query = {"dag_id": DAG, "run_id": RUN, "task_id": self.task_id, "key": "return_value"}
        return f"{self._site.url}/xcom-viewer/{page}?{urlencode(query | more)}"


def write(site, rows):
    with contextlib.closing(sqlite3.connect(site.server.home / "airflow.db", timeout=60)) as table:
        table.executemany(
            "INSERT INTO dag_run (id, dag_id, run_id, run_type, run_after)"
            " VALUES (?, ?, ?, 'manual', '2026-11-22 10:00:00.000000')",
            [(999_998, DAG, EARLIER), (999_999, DAG, RUN)],
        )
        table.executemany(
            "INSERT INTO xcom (dag_run_id, task_id, map_index, key, dag_id, run_id, value, timestamp)"
            " VALUES (?, ?, -1, 'return_value', ?, ?, ?, '2026-11-22 10:00:05.000000')",
            [
                (
                    999_998 + (row.run_id == RUN),
                    row.task_id,
                    DAG,
                    row.run_id,
                    json.dumps(row.record),
                )
                for row in rows
            ],
        )
        table.commit()


def processes(site):
    """The API server and all its children."""
    server = psutil.Process(site.server.components["api-server"].pid)
    return [server, *server.children(recursive=True)]


def is_reader(process):
    try:
        return "include.xcom_viewer.reader" in process.cmdline()
    except psutil.Error:  # it has ended
        return False


def pss(site):
    """Proportional memory of the API server and all its children."""
    total = 0
    for process in processes(site):
        with contextlib.suppress(psutil.Error, OSError):
            total += process.memory_full_info().pss
    return total


def look(site, row):
    """The state of a card, of its chart, of its comparison; what became of its download as CSV."""
    found = [
        state(site, row.path(page, **more))
        for page, more in (("value", {}), ("chart", {"y": 0}), ("previous", {}))
    ]
    with ONE_FILE:
        csv = site.page(row.path("download", **{"as": "csv"}))
    return *found, csv.status


def state(site, path):
    for _ in range(5):
        answer = site.page(path)
        assert answer.status == 200, (path, answer.status)
        found = [*re.findall(r'data-state="([\w-]+)"', answer.text), "shown"][0]
        if found not in ("busy", "slow", "unreachable"):  # as a loaded machine says
            break
        time.sleep(2)
    return found


@pytest.mark.weekly
@pytest.mark.parametrize("server", SERVERS)
def test_the_api_server_lives(tmp_path, s3_server, server):
    settings = SERVERS[server]
    if server == "gunicorn":
        install("gunicorn", tmp_path / "packages")
        settings = settings | {"PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path / 'packages'}"}
    count = int(os.environ.get("HOSTILE_OBJECTS", "2100" if server == "one worker" else "210"))
    with Site.running(tmp_path, s3_server, [], [], **settings) as site:
        forged = [(codec, make()) for codec, make in damage.FORGERIES.values()]
        rows = [
            Row(site, f"forged_{n}", damage.record(codec, data), data)
            for n, (codec, data) in enumerate(forged)
        ]
        found = damage.objects(count)
        rows += [Row(site, f"damaged_{n}", *pair) for n, (_, *pair) in enumerate(found)]
        good = list(damage.sound())
        sound = [Row(site, f"sound_{n}", *pair) for n, pair in enumerate(good)]
        # In the run before each was sound; the forgeries were any.
        before = [
            Row(site, row.task_id, *good[n % len(good)], EARLIER)
            for part in (rows[: len(forged)], rows[len(forged) :], sound)
            for n, row in enumerate(part)
        ]
        write(site, rows + sound + before)
        usual = {process.pid for process in processes(site)}
        for row in sound:  # what pages and readers need is loaded before memory is measured
            assert look(site, row)[0] in ("shown", "no-preview")
        states, charts, comparisons, files = (collections.Counter() for _ in range(4))
        before, started = pss(site), time.monotonic()
        with Peak(partial(pss, site)) as peak, concurrent.futures.ThreadPoolExecutor(4) as pool:
            for seen in pool.map(lambda row: look(site, row), rows):
                for counter, one in zip((states, charts, comparisons, files), seen, strict=True):
                    counter[one] += 1
        took = time.monotonic() - started
        for row in sound:
            assert look(site, row)[0] in ("shown", "no-preview")
        after, waited = pss(site), time.monotonic() + IDLE_SECONDS + 30
        while after - before > 100 * MEGABYTE and time.monotonic() < waited:
            time.sleep(2)  # more readers were needed than before: they end when they are idle
            after = pss(site)
        run = site.page(f"{site.url}/xcom-viewer/run?{urlencode({'dag_id': DAG, 'run_id': RUN})}")
        print(
            f"\n{server}: {len(rows)} objects in {took:.0f} s, cards {dict(states)}, charts "
            f"{dict(charts)}, comparisons {dict(comparisons)}, CSV {dict(files)}"
        )
        print(
            f"PSS {before / MEGABYTE:.0f} MB before, + {(peak.most - before) / MEGABYTE:.0f} at most, "
            f"+ {(after - before) / MEGABYTE:.0f} MB after"
        )
        site.server.check_alive()
        assert run.status == 200
        assert usual <= {process.pid for process in processes(site)}, (
            "a process of the server ended"
        )
        for found in (states, charts, comparisons):
            assert found["shown"]
            assert found["corrupt"]
            assert found["busy"] == found["slow"] == found["unreachable"] == 0
        assert files[503] == 0
        workers = int(settings.get("AIRFLOW__API__WORKERS", 1))
        assert sum(map(is_reader, processes(site))) <= readers.MAX_READERS * workers
        assert peak.most - before < 500 * MEGABYTE
        assert after - before < 100 * MEGABYTE
