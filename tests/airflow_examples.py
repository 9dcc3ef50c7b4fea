"""Run Airflow's example DAGs one after the other by `dag.test()`, and write how each has ended.

    python -m tests.airflow_examples FILE DAG_ID…

Without ids all are run that Airflow and its standard provider ship, but for those of `LEFT_OUT`. A
process of its own, in the environment of `airflow_process`, as Airflow finds its backend when it is
imported.
"""

from __future__ import annotations

import json
import random
import sys
from datetime import UTC, datetime
from pathlib import Path

NETWORK, PACKAGES = "asks a host on the internet", "installs packages from an index"
LEFT_OUT = {
    "child_dag": "is run by example_external_task",
    "example_branch_operator": PACKAGES,
    "example_branch_python_operator_decorator": PACKAGES,
    "example_dag_decorator": NETWORK,
    "example_external_task": "waits for a run that only a scheduler starts",
    "example_external_task_marker_child": "waits for a run of another DAG at the same date",
    "example_hitl_operator": "asks a person; test_drop_in.py answers one",
    "example_python_decorator": PACKAGES,
    "example_python_operator": PACKAGES,
    "example_retry_policy": NETWORK,
    "example_sensors": "waits for a file in /tmp that another of its tasks has to make meanwhile",
    "tutorial_objectstorage": NETWORK,
    "tutorial_taskflow_api_virtualenv": PACKAGES,
}
"""Why a DAG is not run. Two more files make DAGs only where Kubernetes' provider is installed."""
BUNDLES = ("example_dags", "apache-airflow-providers-standard-example-dags")
DATE = datetime(2026, 6, 1, tzinfo=UTC)  # some choose their branch by it
CONF = {"example_params_ui_tutorial": {"required_field": "given by hand"}}


def shipped():
    """The DAGs that are shipped, each with its bundle."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import BundleDagBag

    DagBundlesManager().sync_bundles_to_db()
    for bundle in DagBundlesManager().get_all_dag_bundles():
        if bundle.name in BUNDLES:
            bundle.initialize()
            where = {"bundle_path": bundle.path, "bundle_name": bundle.name}
            yield bundle, BundleDagBag(dag_folder=bundle.path, **where)


def main(file, *dag_ids):
    from airflow.dag_processing import dagbag

    found = {"shipped": [], "ended": {}}
    dags = {}
    for bundle, bag in shipped():
        found["shipped"] += bag.dag_ids
        chosen = dag_ids or {*bag.dag_ids} - {*LEFT_OUT}
        bag.dags = {dag_id: dag for dag_id, dag in bag.dags.items() if dag_id in chosen}
        dagbag.sync_bag_to_db(bag, bundle.name, bundle.version)
        dags |= bag.dags
    # `dag.test()` would parse the bundle and write all of it to the database again for each DAG.
    dagbag.BundleDagBag = lambda **_: None
    dagbag.sync_bag_to_db = lambda *_: None
    for dag_id, dag in sorted(dags.items()):
        random.seed(dag_id)  # and some by it
        run = dag.test(logical_date=DATE, run_conf=CONF.get(dag_id))
        found["ended"][dag_id] = {"the run": run.state} | {
            f"{ti.task_id}[{ti.map_index}]": f"{ti.state}, try {ti.try_number}"
            for ti in run.get_task_instances()
        }
    Path(file).write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
