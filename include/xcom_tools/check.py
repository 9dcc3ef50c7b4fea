"""Check settings, connection, rights and the bucket's configuration.

Does what a task would: lists, writes, reads and deletes a small object under the prefix, with the
backend's own code, in each store that is set. Then reads the bucket's configuration, on S3 alone,
as far as the credentials allow: a missing right to do that is not an error, the line says "not
known" and names the permission. `--local` leaves that out, and whether anybody can read without
credentials: a server on your own machine need not be configured. `--rows` also looks for values
that Airflow's common-io backend has left and that cannot be read by what is set.

Each line is ok, a warning, an error or not known, and says what to do. No secret is printed. The
exit code is 1 if there is an error. A check holds for the process that makes it: run it where tasks
run, or let the DAG xcom_storage_maintenance_dag do so.

Examples:
  python -m include.xcom_tools check
  python -m include.xcom_tools check --json | jq 'select(.state == "error")'
  python -m include.xcom_tools check --rows
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from include.xcom_store import settings
from include.xcom_store.errors import ConfigurationError, StoreUnreachable, XComStoreError
from include.xcom_store.stores import service
from include.xcom_store.stores.base import Store
from include.xcom_tools import (
    airflow_access,
    check_access,
    check_line,
    check_rows,
    check_settings,
    output,
    places,
)
from include.xcom_tools.check_bucket import NotAsked, Questions
from include.xcom_tools.check_line import ERROR, CheckLine
from include.xcom_tools.errors import FOUND, OK

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from include.xcom_store.settings import Settings


def report(options: Settings | None = None) -> list[CheckLine]:
    """Return what is found, also where a step fails; see `CheckLine`.

    Args:
        options: None for those of Airflow's configuration.
    """
    return list(_lines(options))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what is looked at besides what Airflow is configured for, and what is not."""
    parser.add_argument(
        "--local",
        action="store_true",
        help="leave out how the bucket is configured, and for whom it is open",
    )
    parser.add_argument(
        "--rows", action="store_true",
        help="also count the rows that common-io's backend has left: a request for each row",
    )  # fmt: skip
    airflow_access.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the lines as they come."""
    states = set()
    for line in chain(_lines(None, local=arguments.local), _row_lines(arguments)):
        states.add(line.state)
        if arguments.json:
            output.line(line._asdict())
        else:
            _show(line)
    return FOUND if ERROR in states else OK


def _lines(options: Settings | None, *, local: bool = False) -> Iterator[CheckLine]:
    try:
        options = options or settings.load()
        hurried = service.at_most(options, connect_timeout=5, request_timeout=15, retry_timeout=5)
        stores = [Store(each) for each in places.each(hurried)]
    except ConfigurationError as error:
        yield CheckLine("settings", ERROR, str(error))
        return
    for number, store in enumerate(stores):
        if number:
            found = f"{store.uri()} is read and deleted in, not written to (also_read)."
            yield CheckLine("settings", check_line.OK, found)
        else:
            yield from check_settings.settings_lines(store)
        if store.settings.url:
            yield from _store_lines(store, local=local)


def _store_lines(store: Store, *, local: bool) -> Iterator[CheckLine]:
    yield from check_settings.connection_lines(store.location.conn_id)
    try:
        access = store.access
    except StoreUnreachable as error:
        yield CheckLine("endpoint", ERROR, str(error))
        return
    except XComStoreError as error:
        yield CheckLine("connection", ERROR, str(error))
        return
    except PermissionError as error:  # from a secrets backend, after which Airflow asks no other
        yield CheckLine("connection", ERROR, f"{type(error).__name__}: {error}")
        return
    yield from check_settings.endpoint_lines(store, access)
    is_asked = store.location.scheme == "s3" and not local
    questions: Any = Questions(store) if is_asked else NotAsked(store, local=local)
    usable = True
    for line in (*questions.region(), *check_access.list_lines(store)):
        usable = usable and line.state != ERROR
        yield line
    if usable:
        yield from check_access.round_trip(store, local=local)
        yield from questions.configuration()


def _row_lines(arguments: argparse.Namespace) -> Iterator[CheckLine]:
    if arguments.rows:
        with airflow_access.from_arguments(arguments) as api, output.progress("rows") as done:
            yield from check_rows.lines(api, done)


def _show(line: CheckLine) -> None:
    head = f"{line.state:9}  {line.about:13}  "
    indent = " " * len(head)
    output.paragraph(line.found, head, indent)
    if line.to_do:
        output.paragraph(line.to_do, f"{indent}→ ", f"{indent}  ")
