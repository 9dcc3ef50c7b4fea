"""What the benchmarks have in common: servers, processes, medians, and bars that hold or do not.

A benchmark is a module with a `TITLE` and `run(bench) -> Result`. What it measures runs in
processes of its own (`Bench.call`), one at a time, the peers in turn (A B A B), so that whatever
else happens on the machine hits all alike.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dev import environment, processes
from dev.benchmarks.child import MARK
from dev.errors import DevError
from dev.project import ROOT
from dev.s3_server import S3Server

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BUCKET = "airflow-xcoms"
PEERS = {
    "ours": environment.MAIN,
    "floor": environment.MAIN,
    "airflow": environment.MAIN,
    "common_io": environment.PEERS,
    "tutorial": environment.PEERS,
    "s3_hook": environment.PEERS,
    "dagster_pickle": environment.MAIN,
    "prefect_pickle": environment.MAIN,
    "metaflow_pickle": environment.MAIN,
    "feather": environment.MAIN,
    "parquet_obstore": environment.MAIN,
    "parquet_s3fs": environment.PEERS,
}
"""Each runs in its environment; the modules in `peers` are called so."""
NAMES = {
    "ours": "S3XComBackend",
    "floor": "floor",
    "airflow": "Airflow's default",
    "common_io": "common-io",
    "tutorial": "tutorial (CSV)",
    "s3_hook": "S3Hook",
    "dagster_pickle": "pickle (Dagster)",
    "prefect_pickle": "pickle, base64 (Prefect)",
    "metaflow_pickle": "pickle, gzip (Metaflow)",
    "feather": "Feather, lz4",
    "parquet_obstore": "to_parquet, obstore",
    "parquet_s3fs": "to_parquet, s3fs",
}


@dataclass(frozen=True)
class Bar:
    """One promise, and what was measured."""

    claim: str
    value: float
    limit: float
    at_least: bool = False
    unit: str = "×"

    @property
    def holds(self) -> bool:
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def __str__(self) -> str:
        """Return the line of the report."""
        sign = "≥" if self.at_least else "≤"
        verdict = "holds" if self.holds else "FAILS"
        return f"{verdict}: {self.claim}: {number(self.value)}{self.unit} ({sign} {self.limit:g})"


@dataclass
class Result:
    """What a benchmark found: a table for people, bars, and all figures for machines."""

    header: Sequence[str]
    rows: list[Sequence[str]]
    bars: list[Bar]
    figures: Any
    notes: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {
            "bars": [{**asdict(bar), "holds": bar.holds} for bar in self.bars],
            "notes": self.notes,
            "figures": self.figures,
        }


class Bench:
    """One run of the benchmarks."""

    def __init__(self, *, quick: bool, folder: Path, profiles: Path | None = None) -> None:
        self.quick = quick
        self.folder = folder
        self.profiles = profiles
        """Where a profile of each process of ours goes; it costs time, so no bar counts."""

    def say(self, line: str) -> None:
        """Show progress, apart from the report."""
        print(f"  {line}", file=sys.stderr, flush=True)

    @contextmanager
    def s3(self) -> Iterator[dict[str, str]]:
        """A fresh S3 server; yields the environment in which all peers use it."""
        with (
            tempfile.TemporaryDirectory(dir=self.folder, prefix="s3-") as data,
            S3Server.start(Path(data), bucket=BUCKET) as server,
        ):
            yield self.settings(server.endpoint_url, server)

    def settings(self, endpoint: str, server: S3Server | None = None) -> dict[str, str]:
        """The environment of the measured processes; nothing of the caller's Airflow or AWS."""
        inherited = {
            name: value
            for name, value in environment.clean_environment().items()
            if not name.startswith(("AIRFLOW", "AWS_"))
        }
        connection = {
            "conn_type": "aws",
            "login": server.access_key_id if server else "",
            "password": server.secret_access_key if server else "",
            "extra": {"region_name": "us-east-1", "endpoint_url": endpoint},
        }
        return inherited | {
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "ignore",
            "AIRFLOW_HOME": str(self.folder / "airflow"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__XCOM_STORE__URL": f"s3://{BUCKET}/xcom",
            "AIRFLOW__XCOM_STORE__ENDPOINT_URL": endpoint,
            "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH": f"s3://aws_default@{BUCKET}/common-io",
            "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_THRESHOLD": "0",
            "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(connection),
            "BENCHMARK_BUCKET": BUCKET,
            "BENCHMARK_SERVER": str(server.process.pid) if server else "",
        }

    def call(self, peer: str, env: dict[str, str], function: str, /, **arguments: Any) -> Any:
        """Run `module:function` of `dev.benchmarks` in a new process of the peer's environment."""
        module, name = function.split(":")
        file = self.folder / "arguments.json"
        file.write_text(json.dumps(arguments))
        if self.profiles and peer == "ours":
            env = env | {"BENCHMARK_PROFILES": str(self.profiles)}
        command = [str(PEERS[peer].python), "-m", "dev.benchmarks.child"]
        command += [f"dev.benchmarks.{module}", name, str(file)]
        status, output = processes.capture(command, env, ROOT)
        found = [line for line in output.splitlines() if line.startswith(MARK)]
        if status or not found:
            said = f"{function} of {peer} ended with status {status}:\n{output[-4000:]}"
            raise DevError(said)
        return json.loads(found[-1].removeprefix(MARK))


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def spread(values: Sequence[float]) -> str:
    """The median, with the least and the most in brackets."""
    return f"{number(median(values))} ({number(min(values))}–{number(max(values))})"


def number(value: float) -> str:
    """Three digits that count."""
    if value == 0 or value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"
