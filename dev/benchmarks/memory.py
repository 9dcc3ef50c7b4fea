"""How much memory pushing and pulling a large frame takes, beyond what the frame itself takes.

    python -m dev.benchmarks.memory [--rows N] [--json]

A frame of 20 mixed columns goes through the backend's own `serialize_value` and
`deserialize_value` to the embedded S3 server and back. Making it, pushing it and pulling it are
processes of their own, so that none is measured with what another left in its allocator:

    push   peak while pushing, less what the process that holds the frame takes
    pull   peak while pulling, the result included, less what the process took before

both as a multiple of the frame's size (`memory_usage(deep=True)`). Exit status 1 if a push takes
more than 0.6 or a pull more than 1.7.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from dev.project import ROOT
from dev.s3_server import S3Server

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

LIMITS = {"push": 0.6, "pull": 1.7}
"""Of the frame's size."""
WHERE = {
    "key": "return_value",
    "dag_id": "benchmark",
    "run_id": "manual__1",
    "task_id": "make_frame",
    "map_index": -1,
}
_WARM_UP_ROWS = 100  # a first push and pull loads libraries and starts threads


def main() -> int:
    """Measure, print, compare with the limits; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", 1)[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    parser.add_argument("--step", choices=LIMITS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        print(json.dumps(_STEPS[options.step](options.rows)))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        measured = _measure(options.rows, Path(folder))
    if options.json:
        print(json.dumps(measured, indent=2))
    else:
        _show(measured)
    return 0 if all(measured[step]["times"] <= limit for step, limit in LIMITS.items()) else 1


def _measure(rows: int, folder: Path) -> dict[str, Any]:
    with S3Server.start(folder / "s3", bucket="airflow-xcoms") as s3:
        connection = {
            "conn_type": "aws",
            "login": s3.access_key_id,
            "password": s3.secret_access_key,
            "extra": {"region_name": "us-east-1"},
        }
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
            "AIRFLOW_HOME": str(folder / "airflow"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__S3_XCOM__BUCKET": s3.bucket,
            "AIRFLOW__S3_XCOM__ENDPOINT_URL": s3.endpoint_url,
            "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(connection),
            "PYTHONPATH": str(ROOT),
            "_MEMORY_RECORD": str(folder / "record.json"),
        }
        measured: dict[str, Any] = {
            step: _run_step(step, rows, environment) for step in ("push", "pull")
        }
    frame_bytes = measured["push"].pop("frame_bytes")
    for step, limit in LIMITS.items():
        measured[step]["times"] = round(measured[step]["peak_bytes"] / frame_bytes, 2)
        measured[step]["limit"] = limit
    return {"rows": rows, "frame_bytes": frame_bytes, **measured, "versions": _versions()}


def _run_step(step: str, rows: int, environment: dict[str, str]) -> dict[str, Any]:
    command = [sys.executable, "-m", "dev.benchmarks.memory", "--step", step, "--rows", str(rows)]
    done = subprocess.run(
        command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _push(rows: int) -> dict[str, Any]:
    from include.s3_xcom_backend import S3XComBackend

    def push(frame: pd.DataFrame) -> Any:
        return S3XComBackend.serialize_value(frame, **WHERE)  # type: ignore[arg-type]

    push(make_frame(_WARM_UP_ROWS))
    frame = make_frame(rows)
    record, used = _peak_of(lambda: push(frame))
    Path(os.environ["_MEMORY_RECORD"]).write_text(json.dumps(record))
    size = int(frame.memory_usage(deep=True).sum())
    return {**used, "frame_bytes": size, "object_bytes": record["bytes"]}


def _pull(rows: int) -> dict[str, Any]:
    from include.s3_xcom_backend import S3XComBackend

    def pull(record: Any) -> Any:
        return S3XComBackend.deserialize_value(SimpleNamespace(value=record))

    pull(S3XComBackend.serialize_value(make_frame(_WARM_UP_ROWS), **WHERE))  # type: ignore[arg-type]
    record = json.loads(Path(os.environ["_MEMORY_RECORD"]).read_text())
    frame, used = _peak_of(lambda: pull(record))
    assert len(frame) == rows
    return used


def make_frame(rows: int) -> pd.DataFrame:
    """20 columns of the kinds that tables of trips and orders have; the same for each call.

    Made without temporary objects: what they leave in the allocators would hide what a push takes.
    """
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    random = np.random.default_rng(7)

    def strings(choices: list[str]) -> Any:
        numbers = pa.array(random.integers(0, len(choices), rows))
        return pd.array(pa.array(choices, pa.large_string()).take(numbers), dtype="str")

    columns: dict[str, Any] = {}
    for number in range(4):
        columns[f"count_{number}"] = random.integers(0, 1_000, rows)
    for number in range(4):
        columns[f"amount_{number}"] = random.normal(20, 5, rows).round(2)
    for number in range(3):
        seconds = random.integers(0, 30_000_000, rows)
        columns[f"at_{number}"] = np.datetime64("2026-01-01", "us") + seconds.astype("m8[s]")
    for number in range(2):
        columns[f"payment_{number}"] = strings(["credit card", "cash", "no charge", "dispute"])
    for number in range(2):
        columns[f"zone_{number}"] = strings([f"zone {number:04}" for number in range(265)])
    columns["address"] = strings([f"{n} Main Street, New York, NY 10001" for n in range(20_000)])
    digits = np.frombuffer(b"0123456789abcdef", "u1")[random.integers(0, 16, rows * 32, "u1")]
    offsets = np.arange(0, rows * 32 + 1, 32)
    identifiers = [None, pa.py_buffer(offsets), pa.py_buffer(digits)]
    columns["id"] = pd.array(
        pa.Array.from_buffers(pa.large_string(), rows, identifiers), dtype="str"
    )
    codes = random.integers(0, 3, rows).astype("i1")
    columns["kind"] = pd.Categorical.from_codes(codes, pd.Index(["street", "airport", "booked"]))
    columns["flag"] = random.random(rows) < 0.5
    missing = random.random(rows) < 0.1
    columns["passengers"] = pd.arrays.IntegerArray(random.integers(0, 9, rows), missing)
    return pd.DataFrame(columns, copy=False)


def _peak_of(call: Callable[[], Any]) -> tuple[Any, dict[str, Any]]:
    """Return a call's result, and by how many bytes the process grew at most meanwhile."""
    before = _start_peak()
    started = time.perf_counter()
    result = call()
    seconds = time.perf_counter() - started
    return result, {"peak_bytes": _peak() - before, "seconds": round(seconds, 2)}


def _start_peak() -> int:
    """Give back what is free, forget the peak so far, where the system can; return what is used."""
    import pyarrow as pa

    gc.collect()
    pa.default_memory_pool().release_unused()
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):  # glibc
        trim(0)
    clear = Path("/proc/self/clear_refs")
    if clear.exists():
        clear.write_text("5")
    return _peak()


def _peak() -> int:
    """The most memory the process has had, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    names = ("apache-airflow", "pandas", "pyarrow", "obstore")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def _show(measured: dict[str, Any]) -> None:
    size = measured["frame_bytes"]
    stored = measured["push"]["object_bytes"]
    print(
        f"A frame of {measured['rows']:,} rows × 20 columns, {size / 1e6:.0f} MB, "
        f"{stored / 1e6:.0f} MB in S3"
    )
    print(f"{'':<6}{'peak on top':>14}{'× frame':>9}{'limit':>7}{'seconds':>9}")
    for step in LIMITS:
        found = measured[step]
        peak = f"{found['peak_bytes'] / 1e6:.0f} MB"
        print(f"{step:<6}{peak:>14}{found['times']:>9}{found['limit']:>7}{found['seconds']:>9}")
    print(", ".join(f"{name} {number}" for name, number in measured["versions"].items()))


_STEPS = {"push": _push, "pull": _pull}

if __name__ == "__main__":
    sys.exit(main())
