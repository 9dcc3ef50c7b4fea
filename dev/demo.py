"""`python3 -m dev demo` and `up`: run DAGs on a real Airflow and a real S3 server, and check."""

from __future__ import annotations

import json
import sys
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from dev import celery_workers, follow, ports, project, report, settings_file, spark
from dev.airflow_server import AirflowServer
from dev.errors import DevError
from dev.processes import Interrupted
from dev.s3_server import S3Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dev.demo_options import DemoOptions

_LISTED_SECONDS = 120.0  # a DAG file that is not parsed after this long never will be


class Demo:
    """One demonstration, from starting the servers to the verdict."""

    def __init__(self, options: DemoOptions, setup_seconds: float) -> None:
        self._options = options
        self._settings = settings_file.read()
        self._celery = options.executor == celery_workers.EXECUTOR
        self._out = sys.stderr if options.as_json else sys.stdout
        self._folder = project.new_run_folder()
        self.seconds = {"setup": round(setup_seconds, 1)}
        self._began = time.monotonic()

    def run(self) -> int:
        """Start, follow, report, stop; returns the exit status."""
        with ExitStack() as started:
            s3 = started.enter_context(self._start_s3())
            executor = started.enter_context(self._start_services())
            airflow = started.enter_context(self._start_airflow(s3, executor))
            reports = [self._follow(airflow, s3, dag_id) for dag_id in self._dags(airflow)]
            version = airflow.api.version()
            for dag in reports:
                self._show(dag)
            problems = celery_workers.problems(reports) if self._celery else []
            for problem in problems:
                self.say(f"\nPROBLEM: {problem}")
            ok = not problems and not any(dag.problems for dag in reports)
            if self._options.stay:
                self._stay(airflow, s3)
            self.say("Stopping all that was started")
        self.seconds["total"] = round(self.seconds["setup"] + time.monotonic() - self._began, 1)
        if self._options.as_json:
            dags = [dag.as_json() for dag in reports]
            document = {
                "ok": ok,
                "airflow": version,
                "executor": self._options.executor,
                "dags": dags,
                "problems": problems,
                "seconds": self.seconds,
            }
            print(json.dumps(document, indent=2))
        self._conclude(ok)
        return 0 if ok else 1

    def say(self, line: str) -> None:
        print(line, file=self._out, flush=True)

    def _lap(self, name: str, began: float) -> None:
        self.seconds[name] = round(self.seconds.get(name, 0) + time.monotonic() - began, 1)

    def _start_s3(self) -> S3Server:
        began = time.monotonic()
        key_id, secret = self._settings.keys
        server = S3Server.start(
            self._folder / "s3",
            bucket=self._settings.location.bucket,
            port=self._options.s3_port,
            access_key_id=key_id,
            secret_access_key=secret,
        )
        self._lap("s3", began)
        self.say(f"S3 server: {server.endpoint_url}, bucket {server.bucket}")
        return server

    @contextmanager
    def _start_services(self) -> Iterator[dict[str, str]]:
        """What the executor needs; yields the settings with which Airflow uses it."""
        if not self._celery:
            yield {}
            return
        began = time.monotonic()
        self.say("Starting PostgreSQL and Redis")
        with celery_workers.services(self._folder) as settings:
            self._lap("services", began)
            yield settings

    def _start_airflow(self, s3: S3Server, executor: dict[str, str]) -> AirflowServer:
        began = time.monotonic()
        self.say("Starting Airflow")
        data = self._options.data
        env = {
            **self._settings.env,
            "AIRFLOW__XCOM_STORE__ENDPOINT_URL": s3.endpoint_url,
            **({"AIRFLOW_VAR_TAXI_DATA_DIR": str(data)} if data else {}),
        }
        port = self._options.port or ports.free_ports(1)[0]
        server = AirflowServer.start(self._folder / "airflow", port, env, executor)
        try:
            server.wait_until_healthy()
            server.import_settings(self._settings)
            if self._celery:
                self.say("Starting two Celery workers")
                celery_workers.start(server, self._folder)
        except BaseException:
            server.stop()
            raise
        self._lap("airflow_start", began)
        self.say(f"Airflow {server.api.version()}: {server.url}")
        return server

    def _dags(self, airflow: AirflowServer) -> list[str]:
        """The DAGs to run, once Airflow has read the files they are in."""
        began = time.monotonic()
        known = follow.listed_dags(airflow, self._options.dags, _LISTED_SECONDS)
        self._lap("airflow_start", began)
        if self._options.dags is None and spark.DAG in known and (reason := spark.missing()):
            self.say(f"\nLeaving out {spark.DAG}. {reason}")
            return [dag_id for dag_id in known if dag_id != spark.DAG]
        return known

    def _follow(self, airflow: AirflowServer, s3: S3Server, dag_id: str) -> report.DagReport:
        began = time.monotonic()
        run, tasks = follow.one_run(airflow, dag_id, self.say)
        self._lap("run", began)
        api = airflow.api
        prefix = self._settings.location.prefix
        objects = follow.objects_of_run(s3, prefix, dag_id, run["dag_run_id"])
        made = report.make(run, tasks, api.xcoms(dag_id, run["dag_run_id"]), objects)
        runs = [other["dag_run_id"] for other in api.runs(dag_id)]
        if len(runs) != 1:
            made.problems.append(f"there are {len(runs)} runs instead of one: {', '.join(runs)}")
        if self._celery:
            # A task that was skipped ran nowhere.
            made.workers = {report.task_name(t): t["hostname"] for t in tasks if t["hostname"]}
            made.problems += celery_workers.found_on_disk(self._folder, objects.values())
        return made

    def _show(self, dag: report.DagReport) -> None:
        self.say(f"\n{dag.dag_id}, run {dag.run_id}: {dag.state} (expected: {dag.expected_state})")
        self.say(report.table(dag.xcoms))
        for worker in sorted(set(dag.workers.values())):
            tasks = [task for task, name in dag.workers.items() if name == worker]
            self.say(f"Ran on {worker}: {', '.join(tasks)}")
        for problem in dag.problems:
            self.say(f"PROBLEM: {problem}")
        if dag.state != dag.expected_state:
            for task, state in dag.tasks.items():
                if state == "failed":
                    self.say(follow.complaints(self._folder, dag.dag_id, task))

    def _stay(self, airflow: AirflowServer, s3: S3Server) -> None:
        self.say(
            f"\nAirflow is up:  {airflow.url}   (no login; only this machine reaches it)\n"
            f"S3 endpoint:    {s3.endpoint_url}   bucket {s3.bucket}\n"
            f"S3 keys:        AWS_ACCESS_KEY_ID={s3.access_key_id}"
            f" AWS_SECRET_ACCESS_KEY={s3.secret_access_key} AWS_REGION=us-east-1\n"
            f"Logs:           {self._folder}\n"
            "Ctrl-C stops everything."
        )
        try:
            while True:
                airflow.check_alive()
                time.sleep(0.5)
        except Interrupted:
            self.say("")

    def _conclude(self, ok: bool) -> None:  # noqa: FBT001
        parts = ", ".join(f"{name.replace('_', ' ')} {s} s" for name, s in self.seconds.items())
        self.say(f"\nTime: {parts}")
        self.say(f"Logs and data of this run: {self._folder}")
        if not ok:
            self.say("Not as expected: see PROBLEM above.")
        elif not self._options.stay:
            self.say(
                "All as expected. Next:\n"
                "  python3 -m dev up           the same, and keep it running to look at it\n"
                "  python3 -m dev demo --all   all example DAGs, one with a validation that fails\n"
                "  README.md                   how it works, and how to use your own bucket"
            )


def run(options: DemoOptions, setup_seconds: float) -> int:
    """Run one demonstration alone: a second one at the same time is refused."""
    with project.exclusive("demo", "demo or up"):
        demo = Demo(options, setup_seconds)
        try:
            return demo.run()
        except DevError:
            demo.say(f"\nLogs of this run: {demo._folder}")  # noqa: SLF001
            raise
