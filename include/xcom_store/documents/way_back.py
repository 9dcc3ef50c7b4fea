"""What Airflow's own serializer makes of a value: stored where `[xcom_store] offload` is False.

Rows written so are read by Airflow's own backend once this one is gone. The serializer is not
always exact (a nested dataclass comes back as a dict), so its result is read back at push and
compared.
"""

from __future__ import annotations

import json
from typing import Any

from include.xcom_store import codecs, documents
from include.xcom_store.codecs import ge_result
from include.xcom_store.documents import inexact
from include.xcom_store.documents.state import is_same
from include.xcom_store.errors import ValueNotStorable
from include.xcom_store.record import is_record
from include.xcom_store.stores import common_io


def in_database(value: Any, why: str) -> Any:
    """Return the JSON for the metadata database; notes it if it will not come back exactly.

    Raises:
        ValueNotStorable: Airflow does not take it, or no database keeps it; `why` says what
            keeps it from going to the store.
    """
    if ge_result.accepts(value):
        value = ge_result.to_dict(value)
    writer = documents.Writer(_refuse)
    try:
        with inexact.collected("warn") as changed:  # what our own writer would have changed
            document = writer.write(value)
        if common_io.names_object(document):
            what = "a pull would take this string for common-io's object."
            raise ValueNotStorable(what)
        exact = writer.plain and not changed.count
        return document if exact else _node(value)
    except ValueNotStorable as error:
        message = f"{why}, and the metadata database cannot hold this value: {error}"
        raise ValueNotStorable(message) from error


def _refuse(part: Any) -> None:
    # Airflow's serializer may know some of these, and not give them back exactly.
    if codecs.find(part):
        what = f"a {inexact.type_of(part)} goes to the store only."
        raise ValueNotStorable(what)


def _node(value: Any) -> Any:
    try:
        text = inexact.airflow_text(value)
    except TypeError as error:
        raise ValueNotStorable(str(error)) from error
    node = json.loads(text)
    if _carries_mark(node):
        raise ValueNotStorable("it carries this backend's own record mark.")
    odd = [*documents.not_kept(node)]
    if any(type(each) is not float for each in odd):
        raise ValueNotStorable("it holds an integer or a text that not every database keeps.")
    try:
        back = inexact.from_airflow(text)
    except inexact.Unreadable as error:
        why = f"cannot be read back: {error}"
    else:
        if is_same(value, back) and not odd:
            return node
        why = f"comes back as {inexact.type_of(back)}, and not as the same value"
        why = f"holds {odd[0]!r}, which PostgreSQL changes" if odd else why
    inexact.notes().add(lambda: f"the {inexact.type_of(value)} {why}")
    return node


def _carries_mark(node: Any) -> bool:
    if isinstance(node, dict):
        return is_record(node) or any(map(_carries_mark, node.values()))
    return isinstance(node, list) and any(map(_carries_mark, node))
