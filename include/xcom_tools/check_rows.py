"""What a check says about rows that Airflow's common-io backend has left in the database.

Each is a string with the path of an object. Where the setting is gone by which this backend knows
it, a pull gives that string. Lists of rows hold no values, so each row is asked for.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from include.xcom_store.stores import common_io
from include.xcom_tools.check_line import ERROR, OK, CheckLine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from include.xcom_store.keys import Owner
    from include.xcom_tools.airflow_api import AirflowApi

_UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def lines(api: AirflowApi, done: Callable[[int], None]) -> Iterator[CheckLine]:
    """Count what common-io has written, and tell by which setting it can be read."""
    looked_at, readable, lost = 0, 0, Counter[str]()
    for listed in api.xcoms():
        if not (row := api.xcom(listed.owner)):
            continue
        looked_at += 1
        done(1)
        if common_io.names_object(row.value):
            readable += 1
        elif base := _base(row.value, listed.owner):
            lost[base] += 1
    said = f"{looked_at:,} looked at, {readable:,} readable ones of common-io's backend."
    yield CheckLine("rows", OK, said)
    for base, count in lost.most_common():
        yield CheckLine(
            "rows",
            ERROR,
            f"{count:,} hold the path of an object that common-io's backend has written below "
            f"{base}. A pull gives the path.",
            f"Set {common_io.VARIABLE}={base} for all components, as long as there are such rows.",
        )


def _base(value: Any, owner: Owner) -> str:
    """Return below what common-io has put the value of this row; empty for any other value."""
    where = "/".join(re.escape(str(name)) for name in owner[:3])
    pattern = rf"([a-z0-9+.-]+://.+)/{where}/{_UUID}(\.[a-z0-9]+)?"
    found = re.fullmatch(pattern, value) if isinstance(value, str) else None
    return found[1] if found else ""
