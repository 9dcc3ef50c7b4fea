"""The commands of `python3 -m dev`: what they are called and what they take."""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from dev import demo_options, environment, processes, project, s3_server, spark, stores
from dev.errors import DevError
from dev.project import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_SETUP_SECONDS = (
    "_DEV_SETUP_SECONDS"  # carries the time of the setup over the change of interpreter
)

_MOST_PROCESSES = 4  # each has an S3 server and a moto of its own, some an Airflow
_MORE_PROCESSES = 1  # than there are cores: many tests wait for a timeout or for a server to start
_IN_ONE_PROCESS = re.compile(
    r"""^-[vql]*[xsk]|^--(exitfirst|maxfail|pdb|trace|capture|dist|collect-only|co)\b
    |^--(lf|last-failed|ff|failed-first|sw|stepwise|help|version|fixtures|markers)\b
    |^-h$|\.py$|::|^no:xdist$""",
    re.VERBOSE,
)
"""One test, or a wish to see its output as it runs."""

_DESCRIPTION = """\
Everything for working on this project with nothing but Python 3.11 to 3.13 and a package index:
no Docker, no Astro CLI, no AWS account. The first command makes .venv (1.2 GB, a minute or
two, most of it download); others add what they need. State lies in .dev: `clean` removes it.
"""
_EPILOG = """\
start here:
  python3 -m dev demo      see it work: a real Airflow, a real S3 server, three validation results
  python3 -m dev up        the same, and keep it running to look at it in the browser
  python3 -m dev test      run the tests

Every command explains itself: python3 -m dev demo --help
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if not arguments:
        _parser().print_help()
        return 2
    if arguments[:1] == ["tools"]:  # all that follows is the tool's, --help too
        options, rest = argparse.Namespace(command="tools", run=_tools), arguments[1:]
    else:
        options, rest = _parser().parse_known_args(arguments)
    if rest and options.command not in ("test", "tools"):
        of = f"python3 -m dev {options.command}"
        print(f"error: {of} does not take {' '.join(rest)}; see {of} --help", file=sys.stderr)
        return 2
    options.rest = rest
    processes.interrupt_on_signals()
    try:
        run: Callable[[argparse.Namespace], int] = options.run
        return run(options)
    except DevError as error:
        print(f"\nerror: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"\nerror: {error}{environment.disk_hint()}", file=sys.stderr)
        return 1
    except processes.Interrupted as signal:
        print(f"\nstopped by {signal}; nothing is left running", file=sys.stderr)
        return signal.exit_status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 -m dev",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(
        name: str, run: Callable[[argparse.Namespace], int], line: str, text: str
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(
            name,
            help=line,
            description=f"{line[0].upper()}{line[1:]}.\n\n{text.partition('examples:')[0].strip()}",
            epilog=f"examples:{text.partition('examples:')[2]}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        added.set_defaults(run=run)
        return added

    demo = command("demo", _demo, "run the examples on a real Airflow and check the bucket", _DEMO)
    _demo_options(demo)
    demo.add_argument("--json", action="store_true", help="one JSON document on standard output")
    up = command("up", _up, "the same, and keep Airflow and S3 running", _UP)
    _demo_options(up)
    up.add_argument("--fresh", action="store_true", help="forget the runs and values of last time")
    command("tools", _tools, "look after the values of the running up, or of s3", "")
    clean = command("clean", _clean, "remove the state of all runs, and what is kept by up", _CLEAN)
    clean.add_argument("--all", action="store_true", help="also .venv, dbt_venv and caches")
    command("test", _test, "run the test suite", _TEST)
    bench = command("bench", _bench, "compare the backend with its peers on this machine", _BENCH)
    bench.add_argument("--quick", action="store_true", help="small sizes, some minutes")
    bench.add_argument("--json", type=Path, metavar="FILE", help="write all figures to this file")
    bench.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="this one; may be repeated"
    )
    bench.add_argument("--profile", metavar="NAME", help="where this one spends its time, as files")
    command("setup", _setup, "make .venv and dbt_venv from their locks", _SETUP)
    lint = command("lint", _lint, "format and check code, types and workflows", _LINT)
    lint.add_argument("--check", action="store_true", help="change nothing, as CI does")
    command("golden", _golden, "make the golden files that are missing", _GOLDEN)
    command("pictures", _pictures, "make the README's pictures of the viewer again", _PICTURES)
    command("spark", _spark, "make spark_venv, for example_spark_dag", _SPARK)
    command("s3", _s3, "run only the local S3 server, in the foreground", _S3)
    lock = command("lock", _lock, "make all locks again from their requirements", _LOCK)
    lock.add_argument(
        "--upgrade", action="store_true", help="take the newest of what is not pinned"
    )
    return parser


_DEMO = """
Starts the embedded S3 server and Airflow on free ports of 127.0.0.1, runs
example_great_expectations_dag once, and shows what Airflow's database and the bucket then hold.
Exit status 0 only if the run ended as expected and every object is the one its reference says.
Stops all it started, also on Ctrl-C. Logs and data of the last runs stay in .dev/runs. It is
refused while `up` runs in this project: stop that first.

With --executor CeleryExecutor it runs on PostgreSQL and Redis, which have to be installed, with two
workers that have no folder in common, and also runs example_dynamic_mapping_dag; the report names
the worker of each task. example_dbt_cosmos_dag calls dbt: with it or --all, dbt_venv is made too.

examples:
  python3 -m dev demo
  python3 -m dev demo --dag example_validation_failure_dag
  python3 -m dev demo --data ~/taxi          your own yellow_tripdata_sample_2019-01.csv and -02.csv
  python3 -m dev demo --all --json > demo.json
  python3 -m dev demo --executor CeleryExecutor
"""
_UP = """
Does what demo does, then stays: the UI's address, the S3 endpoint and its keys are printed.
You may edit DAG files while it runs; changed code in include/ takes effect with the next task (but
Celery's workers have their own copies: start again). Also makes dbt_venv, for the DAG that calls
dbt. Ctrl-C ends it; nothing is left running. Runs, values, Airflow's database and the ports are
kept in .dev/up for the next start, and migrated if they are of an older Airflow. --fresh starts
empty, and so does every start with CeleryExecutor or another --store.

examples:
  python3 -m dev up
  python3 -m dev up --fresh
  python3 -m dev up --port 8080 --s3-port 8333
  python3 -m dev up --dag example_validation_failure_dag
"""
_CLEAN = """
Removes what `up` keeps, the data of the last runs and of `dev s3`. With --all also the environments
and caches, which the next command makes again. Refuses while something of this project runs.

examples:
  python3 -m dev clean
  python3 -m dev clean --all
"""
_TEST = """
Runs pytest in .venv; arguments go to pytest. The first run installs 0.7 GB more into .venv. All of
it, or a folder, runs in one process more than there are cores, at most four. A file, a test, and
what is chosen or watched with -k, -x, -s, --pdb or the like run in one. -n NUMBER overrides this.

The slow tests run only with --long.

examples:
  python3 -m dev test
  python3 -m dev test --long
  python3 -m dev test tests/dev -k s3 -x
"""
_BENCH = """
Measures time and memory of push and pull, beside Airflow's object storage backend (common-io), the
CSV backend of the tutorials, Airflow's default and the bare libraries, all on the embedded S3
server. The first run installs the peers (.dev/peers_venv, 0.8 GB). A whole run takes 35 minutes and
writes dev/benchmarks/RESULTS.md, docs/images/benchmark.svg and task_time.svg. Exit status 0 only if
every bar holds. Let nothing else run meanwhile.

examples:
  python3 -m dev bench
  python3 -m dev bench --quick --json bench.json
  python3 -m dev bench --only frames --only first_value
  python3 -m dev bench --profile frames
"""
_SETUP = """
Installs all that dev/requirements.lock and dbt-requirements.lock name, checked by hash; other
commands install only their part of it.
With an unchanged lock it does nothing; after an interruption, run it again. The package index is
the one pip or uv is configured for (PIP_INDEX_URL, pip.conf, UV_DEFAULT_INDEX).

examples:
  python3 -m dev setup
  PIP_INDEX_URL=https://mirror.example.com/simple python3 -m dev setup
"""
_S3 = """
Serves the bucket of .env's AIRFLOW__XCOM_STORE__URL, on the port of its
AIRFLOW__XCOM_STORE__ENDPOINT_URL, with the keys of the connection in airflow_settings.yaml: for an
Airflow that you run yourself (`astro dev start --standalone`). Its data stays in .dev/s3. Ctrl-C
stops it.

examples:
  python3 -m dev s3
"""
_LINT = """
ruff (its safe repairs, then the format), mypy, and zizmor and actionlint for .github. All of them
are run, whatever the first one finds. actionlint is a program in Go: it is run where it is on PATH.

examples:
  python3 -m dev lint
  python3 -m dev lint --check
"""
_GOLDEN = """
Writes a folder in tests/xcom_store/golden for each value of its make.py that has none. To make one
again, first delete its folder and its lines in released.json. Never do so once a format is
released.

examples:
  python3 -m dev golden
"""
_PICTURES = """
Runs the examples in a real Airflow, photographs the viewer in Chromium, which has to be installed,
and writes docs/images/viewer-*.png. The picture of the benchmark is `dev bench`'s.

examples:
  python3 -m dev pictures
"""
_SPARK = """
Installs PySpark as dags/spark/requirements.lock names it, and the jars with which it reads and
writes s3a://, as dags/spark/jars.lock names them, from Maven Central or the mirror that
~/.m2/settings.xml names. Takes 0.6 GB, in spark_venv. Needs Java 17 or newer. Where Spark is not
installed, demo --all leaves example_spark_dag out.

examples:
  python3 -m dev spark
  python3 -m dev demo --dag example_spark_dag      makes it first
"""
_LOCK = """
Run it after changing a requirements file of the image, of dev/, of dbt or of the benchmarks.
What the locks already hold stays as it is, unless --upgrade is given.

examples:
  python3 -m dev lock
  python3 -m dev lock --upgrade
"""


def _demo_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder with the two taxi files")
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--dag", action="append", metavar="NAME", help="run this DAG instead; may be repeated"
    )
    which.add_argument("--all", action="store_true", help="run every DAG of the project")
    parser.add_argument(
        "--executor",
        choices=demo_options.EXECUTORS,
        default=demo_options.EXECUTORS[0],
        help="CeleryExecutor: two workers without a common folder, on PostgreSQL and Redis",
    )
    parser.add_argument(
        "--store",
        choices=(stores.DEFAULT, *stores.SERVERS),
        default=stores.DEFAULT,
        help="another service for the values: gcs (SeaweedFS), azure (Azurite, by npm), hdfs"
        " (Hadoop, by Maven)",
    )
    parser.add_argument("--port", type=_port, help="for Airflow's UI and API; default: a free one")
    parser.add_argument("--s3-port", type=_port, help="for the S3 server; default: a free one")


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port number (1 to 65535)")
    return int(text)


def enter_environment(*groups: str) -> float:
    """Make .venv current and go on with its interpreter: the same command, from the start.

    With these groups of packages, besides what the demo needs.

    Returns, in that interpreter, the seconds that it took; once, not to commands within this one.
    """
    if not _runs_in(environment.MAIN) or not environment.MAIN.is_current(*groups):
        began = time.monotonic()
        environment.ensure_main(*groups)
        _go_on_in(environment.MAIN, **{_SETUP_SECONDS: str(time.monotonic() - began)})
    return float(os.environ.pop(_SETUP_SECONDS, "0"))


def _runs_in(made: environment.Environment) -> bool:
    return Path(sys.prefix).resolve() == made.path.resolve()


def _go_on_in(made: environment.Environment, **extra: str) -> NoReturn:
    """Become this command, from the start, in that environment."""
    python = str(made.python)
    sys.stdout.flush()
    env = environment.clean_environment() | extra
    os.execve(python, [python, "-m", "dev", *sys.argv[1:]], env)  # noqa: S606 - no shell


def _demo(options: argparse.Namespace) -> int:
    return _run_demo(options, stay=False, as_json=options.json, fresh=True)


def _up(options: argparse.Namespace) -> int:
    return _run_demo(options, stay=True, as_json=False, fresh=options.fresh)


def _run_demo(options: argparse.Namespace, *, stay: bool, as_json: bool, fresh: bool) -> int:
    chosen = demo_options.check(
        data=options.data,
        dags=options.dag,
        all_dags=options.all,
        port=options.port,
        s3_port=options.s3_port,
        store=options.store,
        executor=options.executor,
        stay=stay,
        as_json=as_json,
        fresh=fresh,
    )
    setup_seconds = enter_environment(*(("celery",) if chosen.needs_celery else ()))
    if chosen.needs_dbt:
        environment.ensure_dbt()
    if chosen.needs_spark:
        spark.ensure()
    from dev import demo

    return demo.run(chosen, setup_seconds=setup_seconds)


def _test(options: argparse.Namespace) -> int:
    enter_environment("celery", "test")
    python = str(environment.MAIN.python)
    os.chdir(ROOT)
    command = [python, "-m", "pytest", *in_processes(options.rest, os.cpu_count()), *options.rest]
    os.execve(python, command, environment.clean_environment())  # noqa: S606


def in_processes(arguments: Sequence[str], cores: int | None) -> list[str]:
    """The options for pytest-xdist: none where one process is what was asked for, or all there is.

    A file's tests stay together, because many files start an Airflow or a server for all of theirs;
    files keep the order of the collection, the slowest first (tests/conftest.py).
    """
    by_file = ["--dist", "loadfile", "--no-loadscope-reorder"]
    if any(argument.startswith(("-n", "--numprocesses")) for argument in arguments):
        return by_file
    count = min((cores or 1) + _MORE_PROCESSES, _MOST_PROCESSES)
    if (cores or 1) < 2 or any(map(_IN_ONE_PROCESS.search, arguments)):
        return []
    return ["-n", str(count), *by_file]


def _bench(options: argparse.Namespace) -> int:
    s3_server.check_platform()
    # Of the tests it takes the values that are pushed and pulled.
    enter_environment("test", *(["profile"] if options.profile else []))
    from dev import bench

    named = [*options.only, *([options.profile] if options.profile else [])]
    if unknown := set(named) - set(bench.BENCHMARKS):
        raise DevError(
            f"there is no benchmark {', '.join(sorted(unknown))}; there are"
            f" {', '.join(bench.BENCHMARKS)}"
        )
    if options.profile:
        return bench.profile(options.profile)
    return bench.run(quick=options.quick, only=options.only, json_file=options.json)


def _setup(_options: argparse.Namespace) -> int:
    environment.ensure_main(*environment.MAIN.groups)
    environment.ensure_dbt()
    print("Ready. See it work: python3 -m dev demo")
    return 0


def _spark(_options: argparse.Namespace) -> int:
    spark.ensure()
    print(f"Ready: python3 -m dev demo --dag {spark.DAG}")
    return 0


def _s3(_options: argparse.Namespace) -> int:
    s3_server.check_platform()
    if not _runs_in(environment.S3):
        environment.ensure_s3()
        _go_on_in(environment.S3)
    from dev import s3_command

    return s3_command.run()


def _lint(options: argparse.Namespace) -> int:
    enter_environment("test", "lint")  # mypy also looks at what tests import
    from dev import maintain

    return maintain.lint(check=options.check)


def _golden(_options: argparse.Namespace) -> int:
    enter_environment("test")
    from dev import maintain

    return maintain.golden()


def _pictures(_options: argparse.Namespace) -> int:
    enter_environment("test")
    from dev import maintain

    return maintain.pictures()


def _tools(options: argparse.Namespace) -> int:
    from dev import tools

    try:
        tools.check(options.rest)
        enter_environment()
        return tools.run(options.rest)
    except DevError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2  # as the tool itself says that it cannot be used


def _clean(options: argparse.Namespace) -> int:
    removed = project.remove_state(caches=options.all)
    if options.all:
        removed += environment.remove_all()
    print(f"Removed {', '.join(removed)}." if removed else "There was nothing to remove.")
    return 0


def _lock(options: argparse.Namespace) -> int:
    environment.ensure_main()
    environment.lock_all(upgrade=options.upgrade)
    return 0
