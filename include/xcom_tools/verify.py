"""Pull every value of a DAG, or of one run, and compare size and SHA-256 with Airflow's reference.

Asks Airflow's REST API for the rows, follows each reference as a pull would, with all its checks,
reads the whole object and its leaves, and decodes them. Nothing is written. Values in Airflow's
database are only counted. Said as well: how many parts of a value do not come back exactly (see
[xcom_store] inexact). A row that is deleted meanwhile is left out; a new one may be.

The exit code is 1 if a value is missing, damaged or refused. Pass Airflow's token in
AIRFLOW_API_TOKEN or the connection airflow_api, never on the command line.

Examples:
  python -m include.xcom_tools verify --dag-id trips
  python -m include.xcom_tools verify --dag-id trips --latest --json
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from include.xcom_store import settings, values
from include.xcom_store.errors import ConfigurationError, StoreUnreachable, XComStoreError
from include.xcom_store.record import is_record, is_reference
from include.xcom_store.sizes import size_text
from include.xcom_store.stores.base import connect
from include.xcom_tools import airflow_access, listing, names, output
from include.xcom_tools.errors import FOUND, OK
from include.xcom_tools.output import Heading

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from include.xcom_store.keys import Owner
    from include.xcom_store.stores.base import Store
    from include.xcom_tools.airflow_api import AirflowApi

HEADINGS = (
    Heading("state"),
    Heading("bytes", lambda count: size_text(count) if count else "", right=True),
    Heading("run_id"),
    Heading("task_id"),
    Heading("map_index", right=True),
    Heading("key"),
    Heading("found", lambda said: output.visible(str(said))),
)
IN_DATABASE = "in database"
_NOTHING = {"bytes": None, "leaves": 0, "uri": None, "inexact": 0}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what selects values, and how Airflow is asked."""
    listing.add_selection(parser, dag_required=True)
    airflow_access.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print one line per value."""
    store = connect(settings.load())
    states: Counter[str] = Counter()
    volume = leaves = inexact = 0

    def counted() -> Iterator[dict[str, Any]]:
        nonlocal volume, leaves, inexact
        for row in found:
            states[row["state"]] += 1
            volume += row["bytes"] or 0
            leaves += row["leaves"]
            inexact += bool(row["inexact"])
            done(1)
            yield row

    with airflow_access.from_arguments(arguments) as api, output.progress("values") as done:
        found = verify(api, names.narrow(arguments, names.in_airflow(api)), store)
        output.rows(counted(), HEADINGS, as_json=arguments.json)
    said = ", ".join(f"{count:,} {state}" for state, count in states.most_common())
    changed = f", {inexact:,} not exactly as pushed" if inexact else ""
    size = size_text(volume) + (f" and {output.count(leaves, 'leaf', 'leaves')}" if leaves else "")
    output.say(f"{output.count(states.total(), 'value')}: {said or 'none'}{changed}; {size}")
    return FOUND if states.keys() - {"ok", IN_DATABASE} else OK


def verify(api: AirflowApi, wanted: Owner, store: Store) -> Iterator[dict[str, Any]]:
    """Tell of each value of a DAG whether it can be pulled.

    Args:
        api: of the Airflow whose values they are.
        wanted: with `dag_id`; further fields narrow it down.
        store: of this deployment.

    Raises:
        AirflowApiError: Airflow cannot be asked.
        StoreUnreachable, ConfigurationError: the store cannot be asked.
    """
    for owner, row in api.rows(wanted):
        yield {**owner._asdict(), **_look(row.value, owner, store)}


def _look(record: Any, owner: Owner, store: Store) -> dict[str, Any]:
    if not is_record(record):
        return {**_NOTHING, "state": IN_DATABASE, "found": ""}
    said = {**_NOTHING, "uri": record.get("uri"), "inexact": record.get("inexact", 0)}
    try:
        values.pull(record, owner, store)
    except (StoreUnreachable, ConfigurationError):
        raise  # that says nothing about the values
    except XComStoreError as error:
        return {**said, "state": _words(error), "found": str(error)}
    changed = f"{said['inexact']:,} parts not exactly as pushed" if said["inexact"] else ""
    if not is_reference(record):
        return {**said, "state": IN_DATABASE, "found": _list(record["type"], changed)}
    shape = record["summary"].partition(":")[0]  # without the columns
    found = _list(record["type"], shape, changed)
    size = {"bytes": record["bytes"], "leaves": record.get("leaves", 0)}
    return {**said, "state": "ok", "found": found, **size}


def _list(*words: str) -> str:
    return ", ".join(filter(None, words))


def _words(error: XComStoreError) -> str:
    """Return the error's name as words: object missing, access denied."""
    name = type(error).__name__
    return "".join(f" {c.lower()}" if c.isupper() else c for c in name).strip()
