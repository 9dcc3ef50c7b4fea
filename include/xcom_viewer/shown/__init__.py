"""What a reader answers: the contents of cards, as plain data. Both ends of the pipe know it.

A reader may have been taken over by what it read. So the server builds these from its answer field
by field, each checked for its type and lists for their length (`parse`); and a template escapes
whatever they hold.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from include.xcom_viewer.shown import tables, values, verdicts

MAX_ANSWER_BYTES = 4 * 1024 * 1024


class TooLarge(Exception):
    """A preview would have to read, or to hold in memory, more than it may."""


class NoPreview(Exception):
    """The value is of a type that nothing here can show."""


@dataclass
class Problem:
    """Why there is nothing to show: `too-large`, `no-preview`, `corrupt`, `stopped` or `failed`."""

    name: str
    detail: str = ""


KINDS: dict[str, type] = {
    "table": tables.TablePage,
    "chart": tables.Chart,
    "profile": tables.Profile,
    "array": values.Array,
    "tree": values.Node,
    "expectations": verdicts.Verdict,
    "text": values.Text,
    "raw": values.Text,
    "bytes": values.Bytes,
    "leaves": values.Leaves,
    "problem": Problem,
}
"""By the name that stands before an answer; those of cards name the template, too."""


def dump(kind: str, content: Any) -> bytes:
    """Return an answer; what Unicode does not have, such as half a surrogate pair, becomes `?`."""
    text = json.dumps(asdict(content), ensure_ascii=False, separators=(",", ":"))
    return f"{kind}\n{text}".encode(errors="replace")


def parse(answer: bytes) -> tuple[str, Any]:
    """Return the kind and the content of an answer.

    Raises:
        ValueError: it is none of `KINDS`, or a field is of another type.
    """
    kind, _, text = answer.partition(b"\n")
    return kind.decode(), _schema(kind.decode()).validate_json(text, strict=True)


@cache
def _schema(kind: str) -> Any:
    from pydantic import TypeAdapter  # takes readers, which do not need it, a tenth of a second

    if kind not in KINDS:
        raise ValueError(f"{kind[:80]!r} is no kind of answer")
    return TypeAdapter(KINDS[kind])
