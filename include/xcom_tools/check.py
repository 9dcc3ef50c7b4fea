"""Check settings, connection, rights and the bucket's configuration.

Asks of S3 what a task would: lists, writes, reads and deletes a small object under the prefix, by
the backend's own code. Then reads the bucket's configuration, as far as the credentials may: a
right that is missing for that is no error, the line says "not known" and names the permission.

Each line is ok, a warning, an error or not known, and says what to do. No secret is printed. The
exit code is 1 if there is an error. A check speaks for the process that makes it: run it where
tasks run, or let the DAG xcom_storage_maintenance_dag do so.

Examples:
  python -m include.xcom_tools check
  python -m include.xcom_tools check --json | jq 'select(.state == "error")'
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.xcom_store import settings
from include.xcom_store.errors import ConfigurationError, XComStoreError, StoreUnreachable
from include.xcom_tools import check_access, check_settings, output
from include.xcom_tools.check_bucket import Questions
from include.xcom_tools.check_line import ERROR, Line
from include.xcom_tools.errors import FOUND, OK
from include.xcom_tools.listing import Bucket

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from include.xcom_store.settings import Settings

PATIENCE = {"connect_timeout": 5.0, "request_timeout": 15.0, "retry_timeout": 5.0}
"""Seconds, at most; a check is not to wait as long as a task may."""


def report(options: Settings | None = None) -> list[Line]:
    """Return what is found, also where a step fails; see `Line`.

    Args:
        options: as Airflow's configuration has them if None.
    """
    return list(_lines(options))


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """Add nothing: what is checked is what Airflow is configured for."""


def run(arguments: argparse.Namespace) -> int:
    """Print the lines as they come."""
    states = set()
    for line in _lines(None):
        states.add(line.state)
        if arguments.json:
            output.line(line._asdict())
        else:
            _show(line)
    return FOUND if ERROR in states else OK


def _lines(options: Settings | None) -> Iterator[Line]:
    try:
        options = options or settings.load()
    except ConfigurationError as error:
        yield Line("settings", ERROR, str(error))
        return
    yield from check_settings.settings_lines(options)
    yield from check_settings.connection_lines(options.conn_id)
    if not options.bucket:
        return
    shorter = {name: min(limit, getattr(options, name)) for name, limit in PATIENCE.items()}
    try:
        bucket = Bucket(options._replace(**shorter))
    except StoreUnreachable as error:
        yield Line("endpoint", ERROR, str(error))
        return
    except XComStoreError as error:
        yield Line("connection", ERROR, str(error))
        return
    except PermissionError as error:  # a secrets backend's no, after which Airflow asks no other
        yield Line("connection", ERROR, f"{type(error).__name__}: {error}")
        return
    yield from check_settings.endpoint_lines(options, bucket.access)
    questions = Questions(bucket, shorter)
    usable = True
    for line in (*questions.region(), *check_access.list_lines(bucket)):
        usable = usable and line.state != ERROR
        yield line
    if usable:
        yield from check_access.round_trip(bucket)
        yield from questions.configuration()


def _show(line: Line) -> None:
    head = f"{line.state:9}  {line.about:13}  "
    indent = " " * len(head)
    output.paragraph(line.found, head, indent)
    if line.to_do:
        output.paragraph(line.to_do, f"{indent}→ ", f"{indent}  ")
