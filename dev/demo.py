"""`python3 -m dev demo` and `up`: run DAGs on a real Airflow and a real S3 server, and check."""

from __future__ import annotations

import json
import shlex
import sys
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from dev import celery_workers, follow, kept, ports, project, report, settings_file, spark, stores
from dev.airflow_server import AirflowServer
from dev.errors import DevError
from dev.kept import Kept
from dev.processes import Interrupted
from dev.s3_server import S3Server

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from dev.demo_options import DemoOptions

_WORTH_A_LOOK = {
    "example_dataframe_dag": "frames and charts; twice, to compare two runs",
    "example_validation_failure_dag": "a validation that fails",
}


class Demo:
    """One demonstration, from starting the servers to the verdict."""

    def __init__(self, options: DemoOptions, setup_seconds: float) -> None:
        self._options = options
        self._settings = settings_file.read()
        self._celery = options.executor == celery_workers.EXECUTOR
        self._out = sys.stderr if options.as_json else sys.stdout
        keep = options.stay and not self._celery and options.store == stores.DEFAULT
        self._kept = Kept(fresh=options.fresh) if keep else None
        self._folder = kept.FOLDER if keep else project.new_run_folder()
        self._other: stores.Server | None = None  # in place of S3
        self.seconds = {"setup": round(setup_seconds, 1)}
        self._began = time.monotonic()

    def run(self) -> int:
        """Start, follow, report, stop; returns the exit status."""
        with ExitStack() as started:
            s3 = started.enter_context(self._start_s3())
            self._other = self._start_store(started)
            executor = started.enter_context(self._start_services())
            airflow = started.enter_context(self._start_airflow(s3, executor))
            listed = self._to_run(airflow, self._dags(airflow))
            reports = [self._follow(airflow, s3, dag_id) for dag_id in listed]
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
            for process in (*airflow.components.values(), s3.process):  # at the same time
                process.ask_to_stop()
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

    def _port(self, name: str, asked: int | None) -> int | None:
        """The port that is asked for, or that was used last time."""
        return asked or (self._kept.port(name) if self._kept else None)

    def _start_s3(self) -> S3Server:
        began = time.monotonic()
        self.say("Starting the S3 server")
        key_id, secret = self._settings.keys
        server = S3Server.begin(
            self._folder / "s3",
            bucket=self._settings.location.bucket,
            # It stays, for Airflow is told; the two start at the same time.
            port=self._port("s3", self._options.s3_port) or ports.free_ports(1)[0],
            access_key_id=key_id,
            secret_access_key=secret,
        )
        self._lap("s3", began)
        self.say(f"S3 server: {server.endpoint_url}, bucket {server.bucket}")
        return server

    def _start_store(self, started: ExitStack) -> stores.Server | None:
        if self._options.store == stores.DEFAULT:
            return None
        began = time.monotonic()
        self.say(f"Starting {self._options.store}")
        folder = self._folder / self._options.store
        server = started.enter_context(stores.start(self._options.store, folder))
        self._lap(self._options.store, began)
        self.say(f"Store: {server.url(self._prefix)}, connection {server.conn_id}")
        return server

    @property
    def _prefix(self) -> str:
        return self._settings.location.prefix

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
        self.say("Starting Airflow: database, API server, scheduler, DAG processor")
        data = self._options.data
        env = {
            **self._settings.env,
            "AIRFLOW__XCOM_STORE__ENDPOINT_URL": s3.endpoint_url,
            **({"AIRFLOW_VAR_TAXI_DATA_DIR": str(data)} if data else {}),
            **(self._other.environment(self._prefix) if self._other else {}),
        }
        port = self._port("airflow", self._options.port) or ports.free_ports(1)[0]
        winning = {**executor, **(self._kept.secrets if self._kept else {})}

        def go_on(server: AirflowServer) -> None:
            if self._kept:
                if self._kept.migrate(server):
                    self.say(
                        "  The kept database was made by another Airflow; it has been migrated"
                    )
                self._kept.end_jobs(server)
                self._kept.save(server.env, airflow=port, s3=s3.port)

        server = AirflowServer.start(
            self._folder / "airflow", port, env, winning, go_on=go_on, say=self.say
        )
        try:
            server.wait_until_healthy()
            s3.wait_until_ready()
            server.import_settings(self._settings)
            if self._celery:
                self.say("Starting two Celery workers")
                celery_workers.start(server, self._folder)
        except BaseException:
            server.stop()
            raise
        if self._options.stay:
            kept.running(server.env)
        self._lap("airflow_start", began)
        self.say(f"Airflow {server.api.version()}: {server.url}")
        return server

    def _dags(self, airflow: AirflowServer) -> list[str]:
        """The DAGs to run, once Airflow has read the files they are in."""
        began = time.monotonic()
        known = follow.listed_dags(airflow, self._options.dags, self.say)
        self._lap("airflow_start", began)
        if left_out := stores.left_out(self._options.store, known):
            self.say(f"Left out, because they read S3 themselves: {', '.join(sorted(left_out))}")
            known = [dag_id for dag_id in known if dag_id not in left_out]
        if self._options.dags is None and spark.DAG in known and (reason := spark.missing()):
            self.say(f"\nLeaving out {spark.DAG}. {reason}")
            return [dag_id for dag_id in known if dag_id != spark.DAG]
        return known

    def _to_run(self, airflow: AirflowServer, dags: list[str]) -> list[str]:
        """Those that were asked for; on kept state the usual ones only if they never ran."""
        if not self._kept or self._kept.is_new or self._options.named:
            return dags
        run = [dag_id for dag_id in dags if not airflow.api.runs(dag_id)]
        if not run:
            self.say("All runs and values of last time are there; --dag NAME runs a DAG now")
        return run

    def _follow(self, airflow: AirflowServer, s3: S3Server, dag_id: str) -> report.DagReport:
        began = time.monotonic()
        run, tasks = follow.one_run(airflow, dag_id, self.say)
        self._lap("run", began)
        api = airflow.api
        where = self._prefix, dag_id, run["dag_run_id"]
        if self._other:
            objects = self._other.objects_of_run(*where)
        else:
            objects = follow.objects_of_run(s3, *where)
        made = report.make(run, tasks, api.xcoms(dag_id, run["dag_run_id"]), objects)
        runs = [other["dag_run_id"] for other in api.runs(dag_id)]
        if len(runs) != 1 and not self._kept:
            made.problems.append(f"there are {len(runs)} runs instead of one: {', '.join(runs)}")
        if self._celery:
            # A task that was skipped ran nowhere.
            made.workers = {report.task_name(t): t["hostname"] for t in tasks if t["hostname"]}
            made.problems += celery_workers.found_on_disk(self._folder, objects.values())
        return made

    def _show(self, dag: report.DagReport) -> None:
        self.say(f"\n{dag.dag_id}, run {dag.run_id}: {dag.state} (expected: {dag.expected_state})")
        self.say(report.table(dag.xcoms))
        self.say(f"References compared with the bucket (bytes, SHA-256): {dag.references}")
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
        of_s3 = (
            f"S3 endpoint:    {s3.endpoint_url}   bucket {s3.bucket}\n"
            f"S3 keys:        AWS_ACCESS_KEY_ID={s3.access_key_id}"
            f" AWS_SECRET_ACCESS_KEY={s3.secret_access_key} AWS_REGION=us-east-1\n"
        )
        self.say(
            f"\nAirflow is up:  {airflow.url}   (no login; only this machine reaches it)\n"
            f"{self._other.told(self._prefix) if self._other else of_s3}"
            f"Logs:           {self._folder}\n"
            "Look at the values: python3 -m dev tools ls (in another terminal)\n"
            f"{more_to_see({dag['dag_id'] for dag in airflow.api.dags()})}"
            f"Ctrl-C stops everything.{' The next start goes on from here.' if self._kept else ''}"
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
            self.say(next_steps(sys.argv[2:]))


def next_steps(given: list[str]) -> str:
    """What to do after a demo that was given these options."""
    up = shlex.join(["python3", "-m", "dev", "up", *(part for part in given if part != "--json")])
    steps = {
        up: "the same, and keep it running to look at it",
        "python3 -m dev demo --all": "all example DAGs, one with a validation that fails",
        "README.md": "how it works, and how to use your own bucket",
    }
    if "--all" in given:
        del steps["python3 -m dev demo --all"]
    width = max(map(len, steps))
    lines = [f"  {command:{width}}   {why}" for command, why in steps.items()]
    return "\n".join(["All as expected. Next:", *lines])


def more_to_see(dag_ids: Collection[str]) -> str:
    """The line that says which of these DAGs to trigger in the UI; none without the examples."""
    dags = [f"{dag_id} ({what})" for dag_id, what in _WORTH_A_LOOK.items() if dag_id in dag_ids]
    return f"More to see:    trigger {', '.join(dags)}\n" if dags else ""


def run(options: DemoOptions, setup_seconds: float) -> int:
    """Run one demonstration alone: a second one at the same time is refused."""
    with project.exclusive("demo", "demo or up"):
        demo = Demo(options, setup_seconds)
        try:
            return demo.run()
        except DevError:
            demo.say(f"\nLogs of this run: {demo._folder}")  # noqa: SLF001
            raise
