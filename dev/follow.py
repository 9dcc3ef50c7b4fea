"""Watching Airflow work: DAGs as they are listed, a run from start to end, its objects and logs."""

from __future__ import annotations

import json
import time
import urllib.parse
from typing import TYPE_CHECKING

from dev import report
from dev.errors import DevError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from dev.airflow_rest import Json
    from dev.airflow_server import AirflowServer
    from dev.s3_server import S3Server

_POLL_SECONDS = 0.5
_SAID_SECONDS = 5.0  # the longest silence while DAG files are waited for
_LISTED_SECONDS = 120.0  # a DAG file that is not parsed after this long never will be
_RUN_BEGINS_SECONDS = 120.0  # some seconds; a loaded machine takes long
_RUN_SECONDS = 900.0
_FINAL = ("success", "failed")
_LOG_LINES = 10


def listed_dags(
    airflow: AirflowServer, wanted: Sequence[str] | None, say: Callable[[str], None]
) -> list[str]:
    """Wait until Airflow lists these DAGs, or with None every DAG whose file is there."""
    began = said = time.monotonic()
    while True:
        airflow.check_alive()
        found = sorted(dag["dag_id"] for dag in airflow.api.dags())
        if errors := airflow.api.import_errors():
            texts = [f"{error['filename']}:\n{error['stack_trace']}" for error in errors]
            raise DevError("Airflow cannot import these DAG files:\n" + "\n".join(texts))
        now = time.monotonic()
        unread = _unread_files(airflow)
        complete = not unread or now > began + _LISTED_SECONDS
        if wanted is None and found and complete:
            return found
        if wanted is not None and set(wanted) <= set(found):
            return list(wanted)
        if complete:
            missing = sorted(set(wanted or ()) - set(found))
            raise DevError(
                f"Airflow does not know the DAGs {', '.join(missing) or '(any)'}."
                f" It knows: {', '.join(found) or 'none'}."
            )
        if now > said + _SAID_SECONDS:
            said = now
            say(f"  {now - began:6.1f} s  waiting for DAG files: {', '.join(sorted(unread))}")
        time.sleep(_POLL_SECONDS)


def one_run(
    airflow: AirflowServer, dag_id: str, say: Callable[[str], None]
) -> tuple[Json, list[Json]]:
    """Follow a new run to its end.

    It is the one that unpausing makes; where there is no schedule, or were runs, one is triggered.
    """
    say(f"\nRunning {dag_id}")
    began = time.monotonic()
    before = airflow.api.runs(dag_id)
    dag = airflow.api.unpause(dag_id)
    run_id = None
    if before or dag["timetable_summary"] is None:
        run_id = airflow.api.trigger(dag_id)["dag_run_id"]
    seen: dict[str, str] = {}
    while True:
        airflow.check_alive()
        elapsed = time.monotonic() - began
        runs = [r for r in airflow.api.runs(dag_id) if run_id in (None, r["dag_run_id"])]
        tasks: list[Json] = []
        if runs:
            tasks = airflow.api.task_instances(dag_id, runs[0]["dag_run_id"])
            _say_changes(tasks, seen, elapsed, say)
            if runs[0]["state"] in _FINAL:
                return runs[0], tasks
        if elapsed > (_RUN_SECONDS if runs else _RUN_BEGINS_SECONDS):
            raise DevError(
                f"{dag_id}: the run has not {'ended' if runs else 'begun'} after {elapsed:.0f} s."
                f" See {airflow.log('scheduler')}"
            )
        time.sleep(_POLL_SECONDS)


def objects_of_run(s3: S3Server, prefix: str, dag_id: str, run_id: str) -> dict[str, bytes]:
    """Everything that the bucket holds for a run: URI to content."""
    from obstore.store import S3Store

    store = S3Store(
        s3.bucket,
        endpoint=s3.endpoint_url,
        access_key_id=s3.access_key_id,
        secret_access_key=s3.secret_access_key,
        region="us-east-1",
        client_options={"allow_http": True},
    )
    dag, run = (urllib.parse.quote(part, safe="") for part in (dag_id, run_id))
    listing = store.list(f"{prefix}/dag_id={dag}/run_id={run}")
    paths = [meta["path"] for batch in listing for meta in batch]
    return {f"s3://{s3.bucket}/{path}": bytes(store.get(path).bytes()) for path in paths}


def complaints(folder: Path, dag_id: str, task: str) -> str:
    """What a failed task's last attempt complained of; `folder` has the homes of Airflow."""
    task_id = task.partition("[")[0]
    logs = sorted(
        folder.glob(f"*/logs/dag_id={dag_id}/run_id=*/task_id={task_id}/**/attempt=*.log"),
        key=lambda path: path.stat().st_mtime,
    )
    if not logs:
        return f"{task}: has no log"
    lines = logs[-1].read_text(errors="replace").splitlines()
    shown = [text for text in map(_complaint, lines) if text] or lines
    return f"{task}, from {logs[-1]}:\n" + "\n".join(f"  | {x}" for x in shown[-_LOG_LINES:])


def _complaint(line: str) -> str:
    """An error of a task's log, with its exception; nothing for other lines.

    Airflow writes one JSON object a line.
    """
    try:
        entry = json.loads(line)
    except ValueError:
        return ""
    if not isinstance(entry, dict) or entry.get("level") not in ("error", "critical"):
        return ""
    raised = [f"{e['exc_type']}: {e['exc_value']}" for e in entry.get("error_detail") or []]
    return "\n  |   ".join([str(entry.get("event", "")), *raised])


def _unread_files(airflow: AirflowServer) -> set[str]:
    """The files in dags/ that Airflow takes for DAG files and of which it lists no DAG yet."""
    texts = {path.name: path.read_text().lower() for path in airflow.dags_folder.glob("*.py")}
    files = {name for name, text in texts.items() if "dag" in text and "airflow" in text}
    known = {str(dag["relative_fileloc"]).rpartition("/")[2] for dag in airflow.api.dags()}
    return files - known


def _say_changes(
    tasks: Sequence[Json], seen: dict[str, str], elapsed: float, say: Callable[[str], None]
) -> None:
    for task in tasks:
        name, state = report.task_name(task), task["state"] or "waiting"
        if seen.get(name, "waiting") != state:
            attempt = f" (attempt {task['try_number']})" if task["try_number"] > 1 else ""
            say(f"  {elapsed:6.1f} s  {name:<32} {state}{attempt}")
        seen[name] = state
