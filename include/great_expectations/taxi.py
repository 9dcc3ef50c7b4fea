"""The taxi trips and the Great Expectations project, as the example DAGs use them.

`gx/` beside this file is a Great Expectations project (a "file context"). It holds the suite
`taxi.demo`, which says what a good month of trips looks like, once for all the tasks, and the
checkpoint `taxi.pass.chk`. Where the trips lie, `include/taxi_data.py` says.

Great Expectations takes seconds to import, so that only the functions do it: Airflow imports this
module whenever it parses the DAGs.
"""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from include.taxi_data import data_dir

if TYPE_CHECKING:
    from collections.abc import Iterator

    from great_expectations import ExpectationSuite
    from great_expectations.core.batch_definition import BatchDefinition
    from great_expectations.data_context.data_context.abstract_data_context import (
        AbstractDataContext,
    )
    from great_expectations.data_context.data_context.file_data_context import FileDataContext

GX_PROJECT = Path(__file__).resolve().parent / "gx"
# Importing Great Expectations writes some 200 lines on its own documentation into a task's log.
logging.getLogger("great_expectations._docs_decorators").setLevel(logging.WARNING)
FILE_PATTERN = r"yellow_tripdata_sample_(?P<year>\d{4})-(?P<month>\d{2})\.csv"


def monthly_trips(context: AbstractDataContext) -> BatchDefinition[Any]:
    """The files as batches by month: `batch_parameters={"year": 2019, "month": 1}` picks one."""
    from great_expectations.data_context.types.base import ProgressBarsConfig

    # A progress bar goes to stderr, which Airflow logs as errors.
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    source = context.data_sources.add_or_update_pandas_filesystem(
        name="taxi", base_directory=data_dir()
    )
    return source.add_csv_asset(name="yellow_tripdata").add_batch_definition_monthly(
        name="monthly", regex=FILE_PATTERN
    )


def taxi_suite(name: str = "taxi.demo") -> ExpectationSuite:
    """The project's suite, for a context of its own; under another name if it is to be changed."""
    import great_expectations as gx

    saved = json.loads((GX_PROJECT / "expectations/taxi/demo.json").read_text(encoding="utf-8"))
    # Without the ids, by which a project knows what it has saved: another context has nothing yet.
    return gx.ExpectationSuite(
        name=name,
        expectations=[{"type": e["type"], "kwargs": e["kwargs"]} for e in saved["expectations"]],
    )


def open_project() -> Iterator[FileDataContext]:
    """The project, reading from `data_dir()`: a copy, for the time of one task.

    Great Expectations writes into the project it runs in: settings, results. On a copy, tasks do
    not get into each other's way, and the deployed project may be read-only.
    """
    import great_expectations as gx
    from great_expectations.datasource.fluent.pandas_filesystem_datasource import (
        PandasFilesystemDatasource,
    )

    with TemporaryDirectory(prefix="gx-") as copy:
        for file in GX_PROJECT.rglob("*"):
            if file.is_file():
                target = Path(copy, "gx", file.relative_to(GX_PROJECT))
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target)  # without the mode, which may be read-only
        context = gx.get_context(mode="file", project_root_dir=copy)
        trips = context.data_sources.get("taxi")
        assert isinstance(trips, PandasFilesystemDatasource)
        trips.base_directory = data_dir()
        context.update_datasource(trips)
        yield context
