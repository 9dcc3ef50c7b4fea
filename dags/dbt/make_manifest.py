"""Make `trips/manifest.json`, from which Cosmos draws the tasks, after a change of the dbt project.

    python dags/dbt/make_manifest.py

It is what `dbt parse` writes, less what Cosmos does not read (dbt's own macros are most of it) and
what differs from one run or machine to the next. A test compares it with the project.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

PROJECT = Path(__file__).resolve().parent / "trips"
MANIFEST = PROJECT / "manifest.json"
DBT = Path(__file__).resolve().parents[2] / "dbt_venv" / "bin" / "dbt"

VOLATILE = {"created_at", "checksum", "unrendered_config", "raw_code"}
# dbt resolves the profile even to parse, though it connects to nothing.
SETTINGS = (
    "TRIPS_MARTS_URI", "DUCKDB_HTTPFS", "DBT_ENV_SECRET_S3_KEY_ID", "DBT_ENV_SECRET_S3_KEY",
    "DBT_ENV_SECRET_S3_TOKEN", "S3_REGION", "S3_HOST", "S3_URL_STYLE", "S3_USE_SSL",
)  # fmt: skip


def make() -> dict[str, Any]:
    """Return the manifest of the project as it is now."""
    with TemporaryDirectory() as folder:
        command = [str(DBT), "--quiet", "parse", "--no-partial-parse"]
        command += ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)]
        command += ["--target-path", folder, "--log-path", folder]
        environment = os.environ | dict.fromkeys(SETTINGS, "-") | {"DO_NOT_TRACK": "1"}
        subprocess.run(command, env=environment, cwd=folder, check=True)  # noqa: S603 - our own dbt
        whole = json.loads(Path(folder, "manifest.json").read_text(encoding="utf-8"))
    metadata = {name: whole["metadata"][name] for name in ("dbt_schema_version", "project_name")}
    return {
        "metadata": metadata,
        "nodes": {
            name: _lasting(node)
            for name, node in sorted(whole["nodes"].items())
            if node["resource_type"] != "operation"
        },
        "sources": {name: _lasting(node) for name, node in sorted(whole["sources"].items())},
    }


def _lasting(node: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in sorted(node.items()) if name not in VOLATILE}


if __name__ == "__main__":
    MANIFEST.write_text(json.dumps(make(), indent=1) + "\n", encoding="utf-8")
