"""What Airflow's own serializer makes of a value: stored where `[xcom_store] offload` is False.

Rows written so are read by Airflow's own backend once this one is gone. The serializer is not
always exact (a nested dataclass comes back as a dict), so its result is read back at push and
compared.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from include.xcom_store import documents
from include.xcom_store.documents import inexact
from include.xcom_store.documents.state import is_same
from include.xcom_store.documents.tags import type_name
from include.xcom_store.errors import ValueNotStorable

if TYPE_CHECKING:
    from collections.abc import Callable

    _Test = Callable[[Any], Any]


def in_database(value: Any, why: str, others: tuple[_Test, _Test]) -> Any:
    """Return the JSON for the metadata database; notes it if it will not come back exactly.

    Args:
        value: anything.
        why: what keeps it from going to the store.
        others: tell whether a value goes to the store only, and whether a pull would take it for
            another backend's.

    Raises:
        ValueNotStorable: Airflow does not take it, or no database keeps it.
    """
    goes_to_the_store, is_taken_for_another = others

    def leaf(part: Any) -> None:
        # Airflow's serializer may know some of these, and not give them back exactly.
        if goes_to_the_store(part):
            what = f"a {type_name(part)} goes to the store only."
            raise TypeError(what)

    writer = documents.Writer(leaf)
    try:
        with inexact.collected("warn") as changed:  # what our own writer would have changed
            document = writer.write(value)
        if is_taken_for_another(document):
            what = "a pull would take this string for common-io's object."
            raise TypeError(what)
        return document if writer.is_plain_json and not changed.count else _node(value)
    except inexact.Refused:
        raise
    except TypeError as error:
        message = f"{why}, and the metadata database cannot hold this value: {error}"
        raise ValueNotStorable(message) from error


def _node(value: Any) -> Any:
    text = inexact.airflow_text(value)
    node, becomes = json.loads(text), ""
    odd = [*documents.not_kept(node)]
    if not all(type(one) is float for one in odd):
        what = "it holds an integer or a text that not every database keeps, or a record mark."
        raise TypeError(what)
    try:
        back = inexact.from_airflow(text)
        if not is_same(value, back):
            becomes = f"comes back as {type_name(back)}, and not as the same value"
        if odd:
            becomes = f"holds {odd[0]!r}, which PostgreSQL changes"
    except inexact.Unreadable as error:
        becomes = f"cannot be read back: {error}"
    if becomes:
        notes = inexact.notes()
        notes.add(lambda: f"the {type_name(value)} {becomes}")
        notes.check()
    return node
