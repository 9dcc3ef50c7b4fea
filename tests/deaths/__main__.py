"""Make the table in docs/tools.md: `python -m tests.deaths`, or print some: `… retry sweep`."""

from __future__ import annotations

import logging
import sys
import tempfile
from pathlib import Path

from dev.s3_server import S3Server
from tests.xcom_tools import sweep_airflow


def main(names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "airflow").mkdir()
        with (
            S3Server.start(folder / "s3", bucket="airflow-xcoms") as s3,
            sweep_airflow.start(folder / "airflow") as server,
        ):
            import airflow.settings  # noqa: F401 - sets up its log, which is hidden here
            import structlog

            from tests.deaths import table
            from tests.deaths.cases import Site
            from tests.deaths.operations import OPERATIONS

            quiet = structlog.make_filtering_bound_logger(logging.CRITICAL)
            structlog.configure(wrapper_class=quiet)
            lines = []
            with Site.between(folder, s3, server) as site:
                for operation in names or OPERATIONS:
                    made = table.rows(site, operation)
                    print("\n".join(made), flush=True)
                    lines += made
    if not names:
        table.write(table.text(lines))


if __name__ == "__main__":
    logging.disable()
    main(sys.argv[1:])
