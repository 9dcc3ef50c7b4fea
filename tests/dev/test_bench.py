"""The benchmarks' command: what it reports, and that a bar which fails is said to fail.

Nothing here depends on how fast this machine is.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("dev.bench", reason="only `python3 -m dev test` runs this")
from dev import bench, cli, environment, ports, processes
from dev.benchmarks import (
    by_reference,
    ceiling,
    compression,
    far_frame,
    growth,
    harness,
    many_parts,
    many_tasks,
    mapped,
    other_tools,
    small_values,
    stored_size,
    task_time,
    tls,
)
from dev.project import ROOT

BENCHMARKS = ROOT / "dev" / "benchmarks"


def pins(path):
    lines = (line.partition("#")[0].split(";")[0] for line in path.read_text().splitlines())
    return dict(re.findall(r"^([\w\[\]-]+)==(\S+)", "\n".join(lines), re.MULTILINE))


class TestTheReport:
    @pytest.mark.long
    def test_every_bar_holds(self, tmp_path, capsys):
        file = tmp_path / "found.json"
        assert bench.run(quick=True, only=["stored_size"], json_file=file) == 0
        shown = capsys.readouterr()
        assert "| yellow_tripdata_sample_2019-01.csv |" in shown.out
        assert "- holds: largest share of the CSV" in shown.out
        assert "obstore" in shown.out, "versions are printed"
        assert "FAILS" not in shown.out + shown.err
        found = json.loads(file.read_text())
        assert found["holds"] is True
        (bar,) = found["benchmarks"]["stored_size"]["bars"]
        assert 0 < bar["value"] <= bar["limit"]
        assert found["machine"]["cores"] >= 1

    def test_a_bar_fails(self, tmp_path, capsys, monkeypatch):
        monkeypatch.setattr(stored_size, "LIMIT", 0.01)
        monkeypatch.setattr(stored_size, "FILES", stored_size.FILES[:1])
        file = tmp_path / "found.json"
        before = bench.RESULTS.exists() and bench.RESULTS.read_text()
        assert bench.run(quick=True, only=["stored_size"], json_file=file) == 1
        shown = capsys.readouterr()
        assert "- FAILS: largest share of the CSV" in shown.out
        assert "stored_size: FAILS: largest share of the CSV" in shown.err
        assert json.loads(file.read_text())["holds"] is False
        assert before == (bench.RESULTS.exists() and bench.RESULTS.read_text()), "not published"

    def test_a_name_that_is_none(self, capsys):
        assert cli.main(["bench", "--only", "nonsense"]) == 1
        assert "stored_size" in capsys.readouterr().err


class TestMeasurements:
    """Each in this environment, small: that it measures at all, and checks what comes back."""

    @pytest.fixture
    def run(self, tmp_path):
        return lambda module: module.run(harness.Bench(quick=True, folder=tmp_path))

    def test_small_values(self, run, monkeypatch):
        monkeypatch.setattr(small_values, "QUICK_ROUNDS", 1)
        figures = run(small_values).figures
        assert all(times[0] > 0 for found in figures.values() for times in found.values())

    @pytest.mark.long
    def test_many_parts(self, run, monkeypatch):
        monkeypatch.setattr(many_parts, "QUICK_COUNTS", (2, 4))
        monkeypatch.setattr(many_parts, "QUICK_ROUNDS", 1)
        figures = run(many_parts).figures
        assert list(figures) == ["2 near", "2 far", "4 near", "4 far"]
        way_there_and_back = many_parts.ROUND_TRIP_MS / 1000
        for way in many_parts.WAYS:
            assert all(one[way]["seconds"] > way_there_and_back for one in figures["4 far"])

    @pytest.mark.long
    def test_ten_thousand_rows_are_one_request_each_way(self, tmp_path):
        with harness.Bench(quick=True, folder=tmp_path).s3() as env:
            found = far_frame.few_requests(harness.Bench(quick=True, folder=tmp_path), env)
        assert found["requests"] == {"push": 1, "pull": 1, "others": 0}
        assert min(found["ours"].values()) > far_frame.ROUND_TRIP_MS / 1000

    def test_nothing_is_reported_where_the_proxy_is_the_limit(self, run, monkeypatch):
        slow = {"push": 1e9, "pull": 2.9 * far_frame.CONNECTIONS * far_frame.BYTES_PER_SECOND}
        monkeypatch.setattr(ceiling, "measure", lambda *_: slow)
        found = run(far_frame)
        assert (found.rows, found.bars) == ([], [])
        assert "NOT REPORTED" in found.notes[1]

    @pytest.mark.weekly
    def test_a_frame_far_away(self, run, monkeypatch):
        environment.ensure_peers()
        monkeypatch.setattr(ceiling, "measure", lambda *_: {"push": 1e9, "pull": 1e9})
        monkeypatch.setattr(far_frame, "FAR", (30, 1_000_000))
        monkeypatch.setattr(far_frame, "QUICK_ROWS", 20_000)
        large = run(far_frame).figures["rounds"][0]["large"]
        assert large["the link"]["push"] > large["bytes"] / 8 / 1_000_000

    @pytest.mark.long
    def test_a_column_by_reference(self, run, monkeypatch):
        monkeypatch.setattr(by_reference, "QUICK_ROWS", 250_000)
        found = run(by_reference).figures
        assert 0.9 < found["bytes"] / (found["object"] / by_reference.COLUMNS) < 2

    @pytest.mark.long
    def test_mapped_tasks(self, run, monkeypatch):
        monkeypatch.setattr(mapped, "QUICK_COUNT", 5)
        found = run(mapped).figures
        assert [found[way]["requests"] for way in ("list", "each")] == [[6], [1]]

    @pytest.mark.long
    @pytest.mark.parametrize("module", [compression, tls])
    def test_a_setting(self, run, monkeypatch, module):
        monkeypatch.setattr(module, "QUICK_ROWS", 2_000)
        assert run(module).rows

    @pytest.mark.long
    def test_exactly_are_only_our_frames(self, tmp_path):
        small = harness.Bench(quick=True, folder=tmp_path)
        with small.s3() as env:
            of_peer = {
                peer: small.call("ours", env, "other_tools:exact", peer=peer)
                for peer in ("ours", "parquet_obstore")
            }
        same, frames = of_peer["ours"]
        assert same == frames > of_peer["parquet_obstore"][0]
        assert {*other_tools.PEERS} <= {*harness.PEERS} & {*harness.NAMES}

    @pytest.mark.weekly
    def test_the_time_of_a_task(self, run, monkeypatch):
        monkeypatch.setattr(task_time, "QUICK_RUNS", 2)
        found = run(task_time).figures["seconds"]
        assert all(min(phases) >= 0 for name in task_time.TASKS for phases in found[name])

    @pytest.mark.long
    def test_eight_processes_lose_nothing(self, run, monkeypatch):
        monkeypatch.setattr(many_tasks, "TIMES_FEW", 1)
        monkeypatch.setattr(many_tasks, "QUICK_MANY", 16)
        assert [phase["errors"] for phase in run(many_tasks).figures] == [[], []]

    def test_a_profile(self, tmp_path):
        kept = harness.Bench(quick=True, folder=tmp_path, profiles=tmp_path)
        pytest.importorskip("pyinstrument", reason="installed by dev bench --profile")
        kept.call("ours", kept.settings(""), "results:versions")
        (file,) = tmp_path.glob("results-versions-*.speedscope.json")
        assert json.loads(file.read_text())["shared"]["frames"]

    def test_what_a_process_prints_on_failure_is_shown(self, tmp_path):
        broken = harness.Bench(quick=True, folder=tmp_path)
        with pytest.raises(harness.DevError, match="No such file or directory: '/nowhere'"):
            broken.call("ours", broken.settings(""), "stored_size:push", path="/nowhere")


@pytest.mark.parametrize(
    ("value", "limit", "at_least", "holds"),
    [(1.0, 1.0, False, True), (1.01, 1.0, False, False), (5, 5, True, True), (4.9, 5, True, False)],
)
def test_a_bar(value, limit, at_least, holds):
    bar = harness.Bar("claim", value, limit, at_least=at_least)
    assert bar.holds is holds
    assert str(bar).startswith("holds: " if holds else "FAILS: ")


@pytest.mark.parametrize(
    ("seconds", "steepest"),
    [([0.1, 0.2, 1.2, 2.2], 1.0), ([0.1, 0.2, 1.2, 4.2], 3.0), ([0.1, 0.2, 1.2, 1.7], 0.5)],
)
def test_growth(seconds, steepest):
    sizes = [1e6, 10e6, 100e6, 190e6]
    figures = [{"bytes": b, "seconds": s} for b, s in zip(sizes, seconds, strict=True)]
    assert growth.steepest_step(figures, "seconds") == pytest.approx(steepest)


def test_the_proxy_is_as_far_away_as_it_says(tmp_path):
    async def times():
        ended = asyncio.Event()

        async def echo(reader, writer):
            while line := await reader.readline():
                writer.write(line)
            writer.close()
            await writer.wait_closed()
            ended.set()

        async def ask(began):
            writer.write(b"hello\n")
            assert await reader.readline() == b"hello\n"
            return time.monotonic() - began

        server = await asyncio.start_server(echo, ports.LOOPBACK, 0)
        target = server.sockets[0].getsockname()[1]
        log = tmp_path / "log"
        command = [sys.executable, "-m", "dev.benchmarks.latency", str(target), "50"]
        with log.open("wb") as out, processes.start(command, output=out, cwd=ROOT):
            while not log.read_text().endswith("\n"):
                await asyncio.sleep(0.05)
            began = time.monotonic()
            reader, writer = await asyncio.open_connection(ports.LOOPBACK, int(log.read_text()))
            first, second = await ask(began), await ask(time.monotonic())
            writer.close()
            await writer.wait_closed()
            await ended.wait()
        server.close()
        return first, second

    first, second = asyncio.run(times())
    assert first >= 0.1, "a new connection takes a round trip, too"
    assert second >= 0.05


class TestThePeers:
    def test_are_of_the_versions_that_are_used_here(self):
        peers = pins(BENCHMARKS / "peers.txt")
        here = pins(ROOT / "requirements.txt") | pins(ROOT / "dev" / "requirements.txt")
        named = {name.partition("[")[0]: number for name, number in peers.items()}
        both = named.keys() & here.keys() - {"pandas"}
        assert both == {"apache-airflow", "apache-airflow-providers-amazon", "pyarrow"}
        assert {name: named[name] for name in both} == {name: here[name] for name in both}
        assert named["pandas"].startswith("2."), "Airflow's own backend stores none of pandas 3"

    def test_are_locked(self):
        locked = pins(BENCHMARKS / "peers.lock")
        for name, number in pins(BENCHMARKS / "peers.txt").items():
            assert locked[name.partition("[")[0]] == number

    def test_every_script_is_in_the_command(self):
        scripts = {
            path.stem for path in BENCHMARKS.glob("*.py") if "def run(bench" in path.read_text()
        }
        assert scripts == set(bench.BENCHMARKS)


@pytest.mark.weekly
def test_all_of_them_quickly(tmp_path):
    file = tmp_path / "found.json"
    status = cli.main(["bench", "--quick", "--json", str(file)])
    found = json.loads(file.read_text())
    assert status == (0 if found["holds"] else 1)
    assert [*found["benchmarks"]] == [*bench.BENCHMARKS]
    assert Path(found["benchmarks"]["frames"]["figures"][0]["peer"])
