"""What a DAG run left: its XComs as Airflow's database has them, held against the bucket.

Nothing here is taken on trust from the backend: references come over Airflow's REST API, objects
from listing the bucket and reading every one.
"""

from __future__ import annotations

import hashlib
import json
import textwrap
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dev.airflow_rest import Json

_MARK_FAMILY = "xcom_store/"
_WIDEST_TYPE, _WIDEST_SUMMARY = 34, 60  # characters of a cell in the table for people
_MAX_RECORD_BYTES = 2048  # what the database may hold for one offloaded value


@dataclass(frozen=True)
class Expectation:
    """How a run of a DAG ends when all is well."""

    state: str = "success"
    objects: int | None = None  # in the bucket; None: as many as its references say


# A DAG that is not named here is expected to succeed.
EXPECTED = {
    "example_great_expectations_dag": Expectation(objects=3),
    # Its validation fails on purpose; the result is in the bucket all the same.
    "example_validation_failure_dag": Expectation(state="failed", objects=1),
    "example_dataframe_dag": Expectation(objects=7),
    "example_dynamic_mapping_dag": Expectation(objects=6),
    "example_validate_dataframe_dag": Expectation(objects=3),
    "example_by_reference_dag": Expectation(objects=3),
    "example_spark_dag": Expectation(objects=2),
    "example_dbt_cosmos_dag": Expectation(objects=3),
    "xcom_storage_maintenance_dag": Expectation(objects=3),
}


@dataclass(frozen=True)
class XCom:
    """One row of the table."""

    task_id: str
    map_index: int
    key: str
    stored: str  # "s3" or "database"
    type: str
    summary: str
    bytes: int
    uri: str | None


@dataclass
class DagReport:
    """A finished run and what is wrong with it, if anything."""

    dag_id: str
    run_id: str
    state: str
    expected_state: str
    tasks: dict[str, str]
    xcoms: list[XCom]
    references: int = 0  # in the database, each compared with the bucket
    workers: dict[str, str] = field(default_factory=dict)  # task to worker, where there are several
    problems: list[str] = field(default_factory=list)

    def as_json(self) -> Json:
        return asdict(self)


def make(
    run: Json, tasks: Iterable[Json], xcoms: Sequence[Json], objects: Mapping[str, bytes]
) -> DagReport:
    """Compare a finished run with what was expected of it.

    Args:
        run: the DAG run as the REST API has it.
        tasks: its task instances.
        xcoms: its XComs with their raw values.
        objects: what the bucket holds for this run, URI to content.
    """
    expected = EXPECTED.get(run["dag_id"], Expectation())
    report = DagReport(
        dag_id=run["dag_id"],
        run_id=run["dag_run_id"],
        state=run["state"],
        expected_state=expected.state,
        tasks={task_name(task): task["state"] or "none" for task in tasks},
        xcoms=[_row(entry) for entry in xcoms],
    )
    if report.state != expected.state:
        report.problems.append(f"the run ended as {report.state}, expected is {expected.state}")
    if expected.objects is not None and len(objects) != expected.objects:
        report.problems.append(f"{len(objects)} objects in the bucket, expected {expected.objects}")
    records = [entry["value"] for entry in xcoms if _is_reference(entry["value"])]
    report.references = len(records)
    report.problems += _compare(records, objects)
    return report


def task_name(task: Json) -> str:
    """Task id, with the index of a mapped task instance."""
    index = f"[{task['map_index']}]" if task["map_index"] >= 0 else ""
    return f"{task['task_id']}{index}"


def _compare(records: Sequence[Json], objects: Mapping[str, bytes]) -> list[str]:
    problems = []
    owners = dict.fromkeys(objects, 0)
    for record in records:
        uri = record["uri"]
        size = len(json.dumps(record).encode())
        if size > _MAX_RECORD_BYTES:
            problems.append(f"{uri}: the database holds {size} bytes for it")
        leaves = [other for other in objects if other.startswith(f"{_stem(uri)}/")]
        for owned in {uri, *leaves} & objects.keys():
            owners[owned] += 1
        if uri not in objects:
            problems.append(f"{uri}: in the database, not in the bucket")
            continue
        if len(objects[uri]) != record["bytes"]:
            problems.append(f"{uri}: {len(objects[uri])} bytes, reference says {record['bytes']}")
        if hashlib.sha256(objects[uri]).hexdigest() != record["sha256"]:
            problems.append(f"{uri}: its SHA-256 is not that of the reference")
        if len(leaves) != record.get("leaves", 0):
            problems.append(f"{uri}: {len(leaves)} leaves, reference says {record.get('leaves')}")
    for uri, count in owners.items():
        if count != 1:
            problems.append(f"{uri}: in the bucket, belongs to {count} references instead of one")
    return problems


def _stem(uri: str) -> str:
    """The URI without the file's extension: what a value's leaves lie under."""
    folder, _, name = uri.rpartition("/")
    head, _, unique = name.rpartition("-")
    return f"{folder}/{head}-{unique.partition('.')[0]}"


def _is_reference(value: Any) -> bool:
    return _is_record(value) and "uri" in value


def _is_record(value: Any) -> bool:
    return isinstance(value, dict) and str(value.get("__id__")).startswith(_MARK_FAMILY)


def _row(entry: Json) -> XCom:
    value = entry["value"]
    text = json.dumps(value)
    where = entry["task_id"], entry["map_index"], entry["key"]
    if _is_reference(value):
        kind, summary, uri = value["type"], value["summary"], value["uri"]
        return XCom(*where, "s3", kind, summary, value["bytes"], uri)
    if _is_record(value):
        return XCom(*where, "database", value["type"], value["summary"], len(text), None)
    return XCom(*where, "database", type(value).__name__, _short(text), len(text), None)


def _short(text: str, width: int = 60) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def table(xcoms: Iterable[XCom]) -> str:
    """For people: task, key, type, size and summary in columns, the URI on a line of its own.

    Not rich's table: it has no line across all columns, and would break a URI in two.
    """
    head = ("task", "XCom key", "type", "bytes", "summary")
    cells = [head]
    uris = [""]
    for row in xcoms:
        task = task_name({"task_id": row.task_id, "map_index": row.map_index})
        kind = row.type if len(row.type) <= _WIDEST_TYPE else row.type.rsplit(".", 1)[-1]
        summary = textwrap.shorten(row.summary, _WIDEST_SUMMARY, placeholder=" …")
        cells.append((task, row.key, kind, f"{row.bytes:,}", summary))
        uris.append(row.uri or "(in Airflow's database)")
    widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
    lines = []
    for line, uri in zip(cells, uris, strict=True):
        padded = [text.ljust(width) for text, width in zip(line, widths, strict=True)]
        padded[3] = line[3].rjust(widths[3])
        lines.append("  ".join(padded).rstrip())
        lines += [f"    {uri}"] if uri else ["-" * min(100, sum(widths) + 2 * (len(head) - 1))]
    return "\n".join(lines)
