"""Check the bucket of the XComs every week, and sweep what no XCom refers to any more.

| task | returns |
| --- | --- |
| `check` | what `python -m include.xcom_tools check` says, a DataFrame; it fails on errors |
| `sweep` | what was found of each DAG, a DataFrame; and under `findings` each finding, another |
| `report` | nothing; it logs both, and fails if rows refer to objects that are gone |

Deleting a run or an XCom in the UI, `airflow db clean`, and pushing a key twice leave objects
behind: Airflow tells an XCom backend nothing of it.

#### To switch it on

1. Unpause it. It is **a dry run**: nothing is deleted, `report` says what would be.
2. Locally that is all. Where Airflow wants a login, the DAG needs one to its REST API: a connection
   `airflow_api` (on Astro a Deployment API token; `docs/tools.md` shows both).
3. Once, trigger it with `claim` on: that marks the prefix in the bucket as this Airflow's (and that
   of each store in `[xcom_store] also_read`, which are swept as well). No other Airflow may keep
   values under it, they would look like orphans.
4. When the dry run's findings are what you expect, set the Variable
   `xcom_storage_maintenance_delete` to `true`.

#### What to look at after a run

- **The logs of `check` and `report`**: what is wrong with the bucket, orphans by DAG, and every
  object that was deleted, by its URI.
- **The bucket**: these tables are XComs as any others.

      xcom/dag_id=xcom_storage_maintenance_dag/run_id=…/task_id=check/map_index=-1/return_value-….parquet
      xcom/dag_id=xcom_storage_maintenance_dag/run_id=…/task_id=sweep/map_index=-1/findings-….parquet
      xcom/dag_id=xcom_storage_maintenance_dag/run_id=…/task_id=sweep/map_index=-1/return_value-….parquet

It belongs to `include/xcom_tools`: delete them together.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.sdk import DAG, Param, Variable, get_current_context, task
from pendulum import datetime

# Only the tasks import the tools and pandas: Airflow imports this file all the time.
if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger("airflow.task")

LEVELS = {"warning": logging.WARNING, "error": logging.ERROR}
DELETE = "xcom_storage_maintenance_delete"
FINDINGS_KEPT = 10_000
"""Of the findings of a sweep; all of them are in its log."""

with DAG(
    dag_id="xcom_storage_maintenance_dag",
    description="Checks the bucket of the XComs and sweeps orphans, as a dry run at first",
    doc_md=__doc__,
    schedule="@weekly",
    start_date=datetime(2025, 1, 1),
    catchup=False,
    is_paused_upon_creation=True,
    max_active_runs=1,
    default_args={"owner": "data-team", "retries": 2, "retry_delay": timedelta(minutes=5)},
    params={
        "claim": Param(
            default=False, type="boolean", description="Mark the prefix as this Airflow's"
        ),
        "grace_hours": Param(default=24, type="number", description="Leave younger values alone"),
    },
    tags=["maintenance", "xcom"],
):

    @task
    def check() -> pd.DataFrame:
        """Look at settings, connection, rights and the bucket's configuration."""
        import pandas as pd

        from include.xcom_tools import check

        lines = check.report()
        for line in lines:
            log.log(
                LEVELS.get(line.state, logging.INFO),
                "%-9s %s: %s %s",
                line.state,
                line.about,
                line.found,
                line.to_do,
            )
        errors = [f"{line.found} {line.to_do}" for line in lines if line.state == "error"]
        if errors:
            raise RuntimeError("The storage of XComs is not as it should be. " + " | ".join(errors))
        return pd.DataFrame(lines)

    @task
    def sweep() -> pd.DataFrame:
        """Find orphans, and delete them if the Variable says so."""
        import pandas as pd

        from include.xcom_store import settings
        from include.xcom_store.stores.base import connect
        from include.xcom_tools import airflow_access, places
        from include.xcom_tools import sweep as command
        from include.xcom_tools.sweep_findings import Finding, Tally
        from include.xcom_tools.sweep_run import Sweep

        context = get_current_context()
        params = context["params"]
        delete = str(Variable.get(DELETE, default="false")).lower() == "true"
        grace = command.grace(settings.load(), timedelta(hours=params["grace_hours"]))
        kept: list[Finding] = []
        dags: list[dict[str, object]] = []
        for store in map(connect, places.each(settings.load())):
            with airflow_access.connect(rate=100) as api:
                command.prepare(store, api, delete=delete, claim=params["claim"])
                sweep = Sweep(store, api, delete=delete, grace=grace)
                for finding in sweep.findings():
                    did = "deleted" if finding.deleted else finding.kind
                    log.info("%s %s (%s)", did, finding.uri, finding.reason)
                    if len(kept) < FINDINGS_KEPT:
                        kept.append(finding)
            dags += sweep.by_dag
        context["ti"].xcom_push("findings", pd.DataFrame(kept, columns=Finding._fields))
        return pd.DataFrame(dags, columns=["dag_id", *vars(Tally())])

    @task
    def report() -> None:
        """Log what came of it, and fail where values are lost."""
        ti = get_current_context()["ti"]
        lines, dags = ti.xcom_pull(task_ids="check"), ti.xcom_pull(task_ids="sweep")
        findings = ti.xcom_pull(task_ids="sweep", key="findings")
        warnings = lines[lines["state"] == "warning"]
        log.info("%d of %d lines of the check are warnings", len(warnings), len(lines))
        for line in warnings.itertuples():
            log.warning("%s: %s %s", line.about, line.found, line.to_do)
        log.info("Orphans by DAG:\n%s", dags.to_string(index=False))
        log.info(
            "%d values in the bucket, %d orphans of %d bytes, %d deleted",
            dags[["live", "young", "orphans", "unsure"]].to_numpy().sum(),
            dags["orphans"].sum(),
            dags["orphan_bytes"].sum(),
            dags["deleted"].sum(),
        )
        missing = findings[findings["kind"] == "missing"]
        if len(missing):
            uris = "\n".join(missing["uri"])
            raise RuntimeError(f"{len(missing)} XComs refer to objects that are gone:\n{uris}")

    check() >> sweep() >> report()
