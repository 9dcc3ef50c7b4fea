"""The process that is killed: a fork of one that has imported all of this and used none of it."""

from __future__ import annotations

import os
import sys
from typing import Any

import boto3  # noqa: F401 - loaded once, and not in each fork
import obstore  # noqa: F401
import pyarrow.parquet  # noqa: F401
from airflow.sdk import DAG, BaseOperator
from airflow.sdk.api.client import Client
from airflow.sdk.api.datamodels._generated import TaskInstance
from airflow.sdk.execution_time.supervisor import InProcessTestSupervisor
from airflow.sdk.listener import get_listener_manager

from include.xcom_tools import cli
from tests.deaths.operations import OPERATIONS, TASK

get_listener_manager()  # loads Airflow's plugins


class Operator(BaseOperator):
    def __init__(self, *, operation: str, **more: Any) -> None:
        super().__init__(**more)
        self.operation = operation

    def execute(self, context: Any) -> Any:
        return OPERATIONS[self.operation].execute(context["ti"])


def run(name: str, environment: dict[str, str], log: str, ti: dict[str, Any]) -> None:
    """Do an operation once; exit with 0 if it succeeded."""
    os.environ.update(environment)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    if tool := OPERATIONS[name].tool:
        sys.exit(cli.main(list(tool)))
    with DAG(TASK.dag_id, schedule=None):
        task = Operator(operation=name, task_id=TASK.task_id, retries=9)
    api = os.environ["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"]
    client = Client(base_url=api, token=os.environ["TOKEN"])
    result = InProcessTestSupervisor.start(what=TaskInstance(**ti), task=task, client=client)
    sys.exit(result.state != "success")
