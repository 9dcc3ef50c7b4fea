"""Find the values that no row of Airflow's database refers to, and delete them.

Compares the store with Airflow through its REST API. This is a dry run unless --delete is given.
Values are deleted only under a prefix that is marked as this Airflow's (--claim, once), only when
older than the grace period, and only after Airflow has said, for exactly that row and right before,
that it does not hold the value. Any error ends the sweep at once; --resume-after continues it. See
docs/tools.md for details.

Objects with other names, and those of DAGs that the token may not read, are reported and left
alone. So are rows whose object is gone, where the sweep meets them; --missing looks for all. On S3,
uploads of large values that were never completed are found and aborted as well.

Examples:
  python -m include.xcom_tools sweep
  python -m include.xcom_tools sweep --claim --delete
  python -m include.xcom_tools sweep --dag-id trips --grace-hours 72 --json
  python -m include.xcom_tools sweep --url s3://old-bucket/xcom
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

from include.xcom_store import settings
from include.xcom_store.sizes import size_text
from include.xcom_store.stores.base import connect
from include.xcom_tools import airflow_access, marker, names, output, places, sweep_missing
from include.xcom_tools.errors import FOUND, OK, ToolError
from include.xcom_tools.listing import add_selection, selected
from include.xcom_tools.output import Heading
from include.xcom_tools.sweep_findings import MISSING, REFUSED
from include.xcom_tools.sweep_run import GRACE, Sweep

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from include.xcom_store.settings import Settings
    from include.xcom_store.stores.base import Store
    from include.xcom_tools.airflow_api import AirflowApi
    from include.xcom_tools.sweep_findings import Finding

HOUR = timedelta(hours=1)
HEADINGS = (
    Heading("dag_id"),
    *(Heading(name, output.number, right=True) for name in ("objects", "live", "young", "orphans")),
    Heading("orphan_bytes", size_text, right=True),
    *(
        Heading(name, output.number, right=True)
        for name in ("deleted", "uploads", "unsure", "missing")
    ),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of a sweep."""
    parser.add_argument("--delete", action="store_true", help="delete orphans; default: a dry run")
    parser.add_argument(
        "--claim", action="store_true", help="mark the prefix as this Airflow's, if nobody has yet"
    )
    parser.add_argument(
        "--grace-hours", type=float, default=GRACE / HOUR, metavar="N",
        help="leave alone what was written within the last N hours (default: 24)",
    )  # fmt: skip
    parser.add_argument(
        "--thorough", action="store_true", help="ask Airflow for the row of every single value"
    )
    parser.add_argument(
        "--missing", action="store_true", help="also ask for every row that has no object"
    )
    parser.add_argument(
        "--url", metavar="URL", help="one of [xcom_store] also_read; default: [xcom_store] url"
    )
    parser.add_argument("--resume-after", metavar="KEY", help="continue after this key")
    airflow_access.add_arguments(parser)
    add_selection(parser)


def run(arguments: argparse.Namespace) -> int:
    """Sweep; print what is found, then a table by DAG."""
    store = connect(places.named(settings.load(), arguments.url))
    least = grace(store.settings, arguments.grace_hours * HOUR)
    if arguments.missing:  # then there need not be an object
        owner = selected(arguments)
    else:
        owner = names.narrow(arguments, names.in_store(store))
    with airflow_access.from_arguments(arguments) as api, output.progress("objects") as progress:
        prepare(store, api, delete=arguments.delete, claim=arguments.claim)
        sweep = Sweep(
            store,
            api,
            delete=arguments.delete,
            grace=least,
            thorough=arguments.thorough,
            owner=owner,
            after=arguments.resume_after,
            progress=progress,
        )
        wrong = _print(sweep, missing=arguments.missing, as_json=arguments.json)
    return FOUND if wrong else OK


def prepare(store: Store, api: AirflowApi, *, delete: bool, claim: bool) -> None:
    """Make sure that the prefix is this Airflow's; for a dry run, that it is not another's.

    Raises:
        ToolError: it is another's, or nobody has claimed it and values are to be deleted.
    """
    if claim:
        marker.claim(store, api)
    elif not marker.is_ours(store, api) and delete:
        raise ToolError(
            f"{store.uri()} is not marked as this Airflow's, so nothing is deleted under it. If no "
            "other Airflow has values there, claim it: sweep --claim."
        )


def grace(options: Settings, asked: timedelta) -> timedelta:
    """Return the grace period that is asked for, unless a push can take longer.

    A value's objects are written one after another, each within `operation_timeout`; the store may
    date one by when its upload began. So the newest may be twice as old when the next one appears.

    Raises:
        ToolError: a push can take longer.
    """
    least = 2 * timedelta(seconds=options.operation_timeout)
    if asked < least:
        raise ToolError(
            f"A grace period of {asked / HOUR:g} hours is too short; the least is"
            f" {least / HOUR:g}: twice [xcom_store] operation_timeout, which writing one object may"
            " take."
        )
    return asked


def _print(sweep: Sweep, *, missing: bool, as_json: bool) -> bool:
    """Print findings as they come, then the totals; return whether anything is wrong."""
    started, wrong = time.monotonic(), False
    try:
        for finding in _findings(sweep, missing=missing):
            wrong = wrong or finding.kind in (MISSING, REFUSED)
            if as_json:
                output.line(finding._asdict())
            else:
                output.result(_line(finding))
    except BaseException:
        behind = f" To go on: --resume-after '{sweep.reached}'" if sweep.reached else ""
        output.say(f"Stopped: nothing more is deleted.{behind}")
        raise
    finally:
        _summary(sweep, time.monotonic() - started, as_json=as_json)
    return wrong


def _findings(sweep: Sweep, *, missing: bool) -> Iterator[Finding]:
    yield from sweep.findings()
    if missing:
        yield from sweep_missing.rows_without_objects(sweep.store, sweep.api, sweep.owner)


def _line(finding: Finding) -> str:
    kind = "deleted" if finding.deleted else finding.kind
    size = size_text(finding.bytes) if finding.objects else ""
    modified = output.time(finding.modified) if finding.modified else ""
    return f"{kind:<8}  {size:>10}  {modified:<19}  {finding.uri}  ({finding.reason})"


def _summary(sweep: Sweep, seconds: float, *, as_json: bool) -> None:
    dags, total = sweep.by_dag, sweep.total
    spent = {name: round(took, 1) for name, took in sweep.seconds.items()}
    if as_json:
        for dag in dags:
            output.line({"kind": "dag", **dag})
        said = {"kind": "total", "delete": sweep.delete, **vars(total), "not_ours": sweep.others}
        output.line(said | {"requests": sweep.api.requests, "seconds": round(seconds, 1), **spent})
        return
    if dags:
        output.result("")
        output.rows(dags, HEADINGS, as_json=False)
    did = "deleted" if sweep.delete else "a dry run, nothing is deleted"
    output.result(
        f"\n{output.count(total.orphans, 'orphan')} "
        f"({output.count(total.orphan_objects, 'object')}, {size_text(total.orphan_bytes)}); "
        f"unfinished uploads: {total.uploads:,} ({did})"
    )
    if total.young:
        young = output.count(total.young, "value")
        hours = f"{sweep.grace / HOUR:g} hours (--grace-hours)"
        output.result(f"Left alone: {young} younger than {hours}")
    output.result(
        f"{output.count(total.objects, 'object')}, {size_text(total.bytes)}, in {seconds:.1f} s "
        f"({total.objects / max(seconds, 0.001):,.0f} per second): {spent.get('listing', 0)} s "
        f"listing the store, {spent.get('airflow', 0)} s asking Airflow {sweep.api.requests:,} "
        f"times, {spent.get('deleting', 0)} s deleting"
    )
