"""What example_spark_dag needs of Airflow at run time: where results lie, and how a job is started.

Spark runs as a process of its own, from `spark_venv`, and knows nothing of Airflow. It gets URIs as
arguments, and the keys to the bucket, or its user in HDFS, by its environment. The connection
`spark_default` says where it computes: `local[2]` in this worker's machine, `spark://host` and a
port, `yarn`, `k8s://…` on a cluster, of which this worker then runs the driver only. It is the
connection that the operator of the apache-spark provider uses; `docs/by_reference.md` has that.
"""

from __future__ import annotations

import logging
import os
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from include.xcom_reference import BucketAccess
    from include.xcom_store.stores.base import Store

CONN_ID = "spark_default"
SPARK_VENV = Path(__file__).resolve().parents[1] / "spark_venv"
RESULTS_PREFIX = "spark/trips"
COMMON = {"spark.log.level": "WARN", "spark.ui.enabled": "false"}

# Airflow kills a task's process alone, and Java does not notice: here it ends when our end of this
# pipe is closed, also by SIGKILL.
_UNTIL_WE_END = 'exec 3<&0; "$@" & job=$!; (cat <&3; kill $job 2>/dev/null) & wait $job'

log = logging.getLogger("airflow.task")


def results() -> Store:
    """Return the store of the results: beside the XComs, not below their prefix."""
    from include.xcom_store import settings
    from include.xcom_store.stores import base

    options = settings.load()
    location = base.connect(options).location
    url = f"{location.scheme}://{location.conn_id}@{location.bucket}/{RESULTS_PREFIX}"
    return base.Store(options._replace(url=url, also_read=""))


def submit(job: Path, *uris: str) -> None:
    """Run a job to its end; what it and Spark print goes to the task's log.

    Args:
        job: a PySpark program.
        uris: its arguments; those of S3 it gets as `s3a://…`.

    Raises:
        ConfigurationError: the XComs are neither on S3 nor in HDFS.
        FileNotFoundError: Spark is not installed here.
        CalledProcessError: the job failed.
    """
    from airflow.sdk import Connection

    if not (SPARK_VENV / "jars" / "jars.lock").exists():
        raise FileNotFoundError(
            f"There is no Spark in {SPARK_VENV}. `python3 -m dev spark` makes it; it needs Java "
            "17. No image has it by default: see docs/by_reference.md."
        )
    connection = Connection.get(CONN_ID)
    master = f"{connection.host}:{connection.port}" if connection.port else str(connection.host)
    options, env = _reach()
    jars = ",".join(map(str, sorted((SPARK_VENV / "jars").glob("*.jar"))))
    arguments = [uri.replace("s3://", "s3a://") for uri in uris]
    command = [str(SPARK_VENV / "bin" / "spark-submit"), "--master", master, "--jars", jars]
    began = time.monotonic()
    _run([*command, *options, str(job), *arguments], {**_environment(master), **env})
    log.info("%s took Spark (%s) %.0f s", job.name, master, time.monotonic() - began)


def _run(command: list[str], env: dict[str, str]) -> None:
    watched = ["sh", "-c", _UNTIL_WE_END, "sh", *command]
    with subprocess.Popen(watched, env=env, stdin=subprocess.PIPE) as process:  # noqa: S603
        status = process.wait()
    if status:
        raise subprocess.CalledProcessError(status, command)


def _reach() -> tuple[list[str], dict[str, str]]:
    """Return the options and the variables that lead Spark to the XComs."""
    from include import xcom_reference

    store, env = results(), {}
    if store.location.scheme == "hdfs":  # Hadoop's client comes with Spark
        settings, env["HADOOP_USER_NAME"] = COMMON, store.access.config["user"]
    else:
        access = xcom_reference.bucket_access()
        settings = conf(access)
        env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"] = access.key_id, access.secret
        if access.token:
            env["AWS_SESSION_TOKEN"] = access.token
    return [part for name in settings for part in ("--conf", f"{name}={settings[name]}")], env


def conf(access: BucketAccess) -> dict[str, str]:
    """Return Spark's settings. No keys: a command line can be seen by others on the machine."""
    conf = {**COMMON, "spark.hadoop.fs.s3a.endpoint.region": access.region}
    if access.endpoint:
        conf["spark.hadoop.fs.s3a.endpoint"] = access.endpoint
        conf["spark.hadoop.fs.s3a.path.style.access"] = str(not access.virtual).lower()
    return conf


def _environment(master: str) -> dict[str, str]:
    env = {**os.environ, "PYSPARK_PYTHON": str(SPARK_VENV / "bin" / "python")}
    for another in ("SPARK_HOME", "PYTHONPATH", "AWS_SESSION_TOKEN"):
        env.pop(another, None)
    if master.startswith("local"):
        env["SPARK_LOCAL_IP"] = "127.0.0.1"  # its ports are for this machine alone
        # For one short job: no collector of several threads, no second compiler.
        env["JDK_JAVA_OPTIONS"] = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"
    return env
