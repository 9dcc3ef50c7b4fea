"""What `demo` and `up` are asked to do, checked before anything is installed or started."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dev import celery_workers, ports, project, s3_server, spark, stores
from dev.errors import DevError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

DATA_FILES = ("yellow_tripdata_sample_2019-01.csv", "yellow_tripdata_sample_2019-02.csv")
EXECUTORS = ("LocalExecutor", celery_workers.EXECUTOR)
_DEFAULT_DAGS = ("example_great_expectations_dag",)
# The tasks of the first run one after another; of this one, several at the same time.
_PARALLEL_DAGS = ("example_dynamic_mapping_dag",)
_DBT_DAG = "example_dbt_cosmos_dag"


@dataclass(frozen=True)
class DemoOptions:
    """Checked options of `demo` and `up`."""

    data: Path | None
    dags: tuple[str, ...] | None  # None: every DAG there is
    port: int | None
    s3_port: int | None
    executor: str
    stay: bool
    as_json: bool
    fresh: bool = True  # whether nothing of an earlier start is kept
    store: str = stores.DEFAULT
    named: bool = True  # whether somebody asked for these DAGs

    @property
    def needs_celery(self) -> bool:
        """Whether the packages of that executor have to be there."""
        return self.executor == celery_workers.EXECUTOR

    @property
    def needs_dbt(self) -> bool:
        """Whether a DAG that may run here calls dbt, which has an environment of its own."""
        asked = self.stay or self.dags is None or _DBT_DAG in self.dags
        return asked and (project.ROOT / "dags" / f"{_DBT_DAG}.py").exists()

    @property
    def needs_spark(self) -> bool:
        """Whether the DAG that needs Spark was named; else it runs only where Spark is."""
        return spark.DAG in (self.dags or ())


def check(
    *,
    data: Path | None,
    dags: Sequence[str] | None,
    all_dags: bool,
    port: int | None,
    s3_port: int | None,
    executor: str,
    stay: bool,
    as_json: bool,
    fresh: bool = True,
    store: str = stores.DEFAULT,
) -> DemoOptions:
    """Raise DevError for what cannot work."""
    s3_server.check_platform()
    project.check_writable()
    celery = executor == celery_workers.EXECUTOR
    if celery:
        celery_workers.check_installed()
    if store != stores.DEFAULT:
        stores.SERVERS[store].check()
    if data is not None:
        data = data.expanduser().resolve()
        _check_data(data)
    for option, number in (("--port", port), ("--s3-port", s3_port)):
        if number is not None and not ports.is_free(number):
            raise DevError(
                f"{option} {number}: this port of {ports.LOOPBACK} is busy. Stop what uses it,"
                " name another, or leave the option out and a free one is taken."
            )
    if port is not None and port == s3_port:
        raise DevError(f"--port and --s3-port are both {port}; Airflow and S3 need one each.")
    default = (*_DEFAULT_DAGS, *(_PARALLEL_DAGS if celery else ()))
    chosen = None if all_dags else tuple(dict.fromkeys(dags or default))
    if dags:
        _check_names(dags)
    if only := stores.left_out(store, chosen or ()):
        raise DevError(
            f"{', '.join(sorted(only))}: it reads a bucket of S3 by itself, so it does not run with"
            f" --store {store}. Name others with --dag."
        )
    return DemoOptions(
        data,
        chosen,
        port,
        s3_port,
        executor,
        stay,
        as_json,
        fresh=fresh or celery or store != stores.DEFAULT,
        store=store,
        named=bool(all_dags or dags),
    )


def _check_names(dags: Sequence[str]) -> None:
    """A DAG's name stands in its file, as a text or as the name of a function."""
    files = sorted((project.ROOT / "dags").glob("*.py"))
    words = {word for file in files for word in re.findall(r"[\w.-]+", file.read_text("utf-8"))}
    for name in dags:
        if name not in words:
            there = [file.stem for file in files]
            near = difflib.get_close_matches(name, there, 3) or there
            raise DevError(
                f"--dag {name}: no file in dags/ has a DAG of this name. Is it one of"
                f" {', '.join(near)}?"
            )


def _check_data(folder: Path) -> None:
    if not folder.is_dir():
        raise DevError(f"--data {folder}: there is no such directory.")
    for name in DATA_FILES:
        try:
            with (folder / name).open("rb"):
                pass
        except OSError as error:
            raise DevError(
                f"--data {folder}: cannot read {name} ({error.strerror}).\n"
                f"The example DAGs need {' and '.join(DATA_FILES)} in it."
            ) from error
