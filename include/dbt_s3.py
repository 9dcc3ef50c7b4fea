"""What the dbt project `dags/dbt/trips` needs of Airflow at run time: where data lies, and keys.

dbt runs as a process of its own, in `dbt_venv`, and knows nothing of Airflow. The functions here
are called in the task, when the DAG's Jinja templates are rendered and before dbt is started.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.types import RuntimeTaskInstanceProtocol

DBT_VENV = Path(__file__).resolve().parents[1] / "dbt_venv"
MARTS_PREFIX = "dbt/trips"
"""In the bucket of the XComs, but outside of their prefix: marts are data of their own, that no
retry of a task deletes."""


def xcom_uri(ti: RuntimeTaskInstanceProtocol, task_id: str) -> str:
    """Return the `s3://` URI of what a task has returned, without downloading it."""
    from include import xcom_reference

    return xcom_reference.locate(ti, task_id).uri


def marts_uri(run_id: str) -> str:
    """Return where a run's marts lie: `s3://bucket/dbt/trips/run_id=…`."""
    from include.xcom_store import settings
    from include.xcom_store.stores import base

    bucket = base.connect(settings.load()).location.bucket
    return f"s3://{bucket}/{MARTS_PREFIX}/run_id={quote(run_id, safe='')}"


def grant_access(_context: Context, _operator: Any) -> None:
    """Give dbt the keys to the bucket, by the environment: a Cosmos interceptor.

    In this process's environment, which ends with the task and which dbt inherits. The operator's
    `env` is no place for keys, because Airflow stores it, rendered, in its database.
    """
    from include import xcom_reference

    access = xcom_reference.bucket_access()
    os.environ |= {
        "DBT_ENV_SECRET_S3_KEY_ID": access.key_id,
        "DBT_ENV_SECRET_S3_KEY": access.secret,
        "DBT_ENV_SECRET_S3_TOKEN": access.token or "",
        "S3_REGION": access.region,
        "S3_HOST": access.host,
        "S3_URL_STYLE": access.url_style,
        "S3_USE_SSL": str(access.use_ssl).lower(),
        "DUCKDB_HTTPFS": str(_httpfs()),
        # No usage data leaves this machine.
        "DO_NOT_TRACK": "1",
    }


def _httpfs() -> Path:
    """Return DuckDB's extension for s3://, which must be of the version of dbt's DuckDB."""
    found = list(
        DBT_VENV.glob("lib/python3*/site-packages/duckdb_extension_httpfs/extensions/v*/*")
    )
    if len(found) != 1:
        raise FileNotFoundError(
            f"No duckdb-extension-httpfs in {DBT_VENV}. `python3 -m dev setup` makes it, in the "
            "image the Dockerfile does, from dbt-requirements.lock."
        )
    return found[0]
