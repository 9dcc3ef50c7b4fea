"""A push and a pull on each service that keeps XComs, each on its local server, beside common-io.

The servers are emulators on this machine: SeaweedFS, Azurite, Hadoop's mini cluster. common-io gets
fsspec's file systems as they are, without a provider. On GCS it is not measured: gcsfs speaks the
JSON API, which SeaweedFS does not have. In HDFS it refuses Airflow's run IDs, for their colons: so
the run is called `manual`.
"""

from __future__ import annotations

import importlib
import json
import os
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from dev import stores
from dev.benchmarks.harness import NAMES, Bench, Result, median, spread
from dev.errors import DevError

TITLE = "One value on each service"
ROUNDS = {"ours": 5, "common_io": 3}
QUICK_ROUNDS = {"ours": 3, "common_io": 1}
PEERS = tuple(ROUNDS)
VALUES = {"64 MB frame": "frame", "1.4 KB value": "small"}
COMMON_IO_PATHS = {"azure": "abfs://it@airflow-xcoms/common-io", "hdfs": "webhdfs://it@/common-io"}
"""Of S3 the harness has it; `it` is the connection of the attached file system."""
NO_COMMON_IO = {"gcs"}


def run(bench: Bench) -> Result:
    figures: dict[str, dict[str, Any]] = {}
    notes = []
    for service in (stores.DEFAULT, *stores.SERVERS):
        with ExitStack() as started:
            env = started.enter_context(bench.s3())
            try:
                env |= _environment(service, bench, started)
            except DevError as error:
                notes.append(f"Not measured on {service}: {error}")
                continue
            for peer, rounds in (QUICK_ROUNDS if bench.quick else ROUNDS).items():
                if peer == "ours" or service not in NO_COMMON_IO:
                    bench.say(f"{service}: {NAMES[peer]}")
                    found = bench.call(
                        peer, env, "services:measure", peer=peer, service=service, rounds=rounds
                    )
                    figures[f"{service}, {NAMES[peer]}"] = found
    return Result(
        ["service", *(f"{value}, {did}, s" for value in VALUES for did in ("push", "pull"))],
        [
            [name, *(spread(found[value][did]) for value in VALUES for did in ("push", "pull"))]
            for name, found in figures.items()
        ],
        [],
        {
            name: {
                value: {did: median(took) for did, took in of.items()} for value, of in all_.items()
            }
            for name, all_ in figures.items()
        },
        notes,
    )


def _environment(service: str, bench: Bench, started: ExitStack) -> dict[str, str]:
    if service == stores.DEFAULT:
        return {}
    folder = started.enter_context(tempfile.TemporaryDirectory(dir=bench.folder, prefix=service))
    env = started.enter_context(stores.start(service, Path(folder))).environment("xcom")
    if path := COMMON_IO_PATHS.get(service):
        env["AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH"] = path
    return env


def measure(peer: str, service: str, rounds: int) -> dict[str, dict[str, list[float]]]:
    """In the child: seconds of each push and pull, by value."""
    import numpy as np
    import pandas as pd

    from dev.benchmarks.peers import ours

    ours.WHERE["run_id"] = "manual"
    if peer == "common_io" and service in COMMON_IO_PATHS:
        _attach(service)
    module = importlib.import_module(f"dev.benchmarks.peers.{peer}")
    numbers = np.random.default_rng(0).random((400_000, 20))  # 64 MB that zstd makes no smaller
    values = {
        "frame": pd.DataFrame(numbers, columns=[f"c{n}" for n in range(20)]),
        "small": ["x" * 1_400],
    }
    found: dict[str, dict[str, list[float]]] = {}
    for value, name in VALUES.items():
        took = found[value] = {"push": [], "pull": []}
        for number in range(rounds + 1):
            started = time.perf_counter()
            record = module.push(values[name])
            between = time.perf_counter()
            back = module.pull(record)
            ended = time.perf_counter()
            same = back.equals(values[name]) if name == "frame" else back == values[name]
            if not same:
                raise ValueError(f"another value came back: {record}")
            if number:  # the first connects
                took["push"].append(between - started)
                took["pull"].append(ended - between)
    return found


def _attach(service: str) -> None:
    """Give Airflow the file system for the path of common-io."""
    import fsspec
    from airflow.sdk.io import attach

    protocol = COMMON_IO_PATHS[service].partition(":")[0]
    said = json.loads(os.environ[f"AIRFLOW_CONN_{stores.SERVERS[service].conn_id.upper()}"])
    if service == "azure":
        key, account, host = said["password"], said["login"], said["host"]
        options = {
            "connection_string": f"AccountName={account};AccountKey={key};BlobEndpoint={host};"
        }
    else:
        options = {"host": said["host"], "port": said["port"], "user": said["login"]}
    attach(protocol, "it", fs=fsspec.filesystem(protocol, **options))
