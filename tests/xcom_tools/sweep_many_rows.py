"""Makes the rows of `test_sweep_scale.py`, in the environment of its Airflow; reads them from stdin.

One JSON line a run: [dag id, run id, [[map index, record, written], …]].
"""

from __future__ import annotations

import json
import sys
import uuid
from datetime import UTC, datetime


def main():
    from airflow.models.dag import DagModel
    from airflow.models.dagbundle import DagBundleModel
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import insert, text

    now = datetime.now(UTC)
    known = set()
    with create_session() as session:
        session.add(DagBundleModel(name="tests"))
        session.flush()
        for line in sys.stdin:
            dag_id, run_id, rows = json.loads(line)
            if dag_id not in known:
                session.add(DagModel(dag_id=dag_id, bundle_name="tests", fileloc="f"))
                session.flush()
                known.add(dag_id)
            run = DagRun(
                dag_id=dag_id, run_id=run_id, run_after=now, run_type="manual", state="success"
            )
            session.add(run)
            session.flush()
            where = {"dag_id": dag_id, "run_id": run_id, "task_id": "load"}
            instance = {
                "pool": "default_pool", "pool_slots": 1, "try_number": 1, "max_tries": 0,
                "executor_config": {}, "custom_operator_name": "",
            }  # fmt: skip
            session.execute(
                insert(TaskInstance.__table__),
                [{**where, **instance, "id": uuid.uuid4(), "map_index": i} for i, *_ in rows],
            )
            session.execute(
                insert(XComModel.__table__),
                [
                    {
                        **where, "map_index": index, "key": "return_value", "value": record,
                        "dag_run_id": run.id, "timestamp": datetime.fromtimestamp(written, UTC),
                    }
                    for index, record, written in rows
                ],
            )  # fmt: skip
    with create_session() as session:
        session.execute(text("ANALYZE"))


if __name__ == "__main__":
    main()
