"""One value as what its card shows, by the codec that wrote it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from include.xcom_store import documents
from include.xcom_store.codecs import arrow, binary, ge_result, json_text, npy, polars_frame
from include.xcom_store.codecs import frames as frame_codec
from include.xcom_store.errors import ObjectCorrupt
from include.xcom_store.record import StoredObject
from include.xcom_viewer import images
from include.xcom_viewer.reader import arrays, arrow_tables, charts, expectations, frames, trees
from include.xcom_viewer.shown import NoPreview, TooLarge
from include.xcom_viewer.shown.values import Bytes, Leaves, Text

if TYPE_CHECKING:
    from collections.abc import Callable

    from include.xcom_viewer.reader.remote import Source

MAX_TEXT_CHARACTERS = 100_000
"""Of a text, or of raw JSON."""
MAX_JSON_BYTES = 2 * 1024 * 1024
"""JSON text that is parsed for a page: as Python objects it takes ten times that."""
HEAD_BYTES = 256
"""Of a value of bytes, what is shown."""
_TOO_LONG_INT = "integer string conversion"


class Job(NamedTuple):
    """What the server asks for.

    Attributes:
        do: `show` a value, or a `chart` of it; the `profile` of a table or a validation, to be
            compared; the `leaves` of a document; or (see `csv_pieces`) a table as `csv`.
        size: bytes of the object.
        whole: they follow.
        row: of a table, the first to show; so is `column`.
        raw: the JSON as it is.
        x: of a chart, position of the column across; None for the rows' numbers.
        y: and of the one upwards.
    """

    do: str
    codec: str
    size: int
    whole: bool = False
    row: int = 0
    column: int = 0
    raw: bool = False
    x: int | None = None
    y: int = 0


def read(source: Source, job: Job) -> tuple[str, Any]:
    """Return the kind and the content of an answer; see `shown`.

    Raises:
        TooLarge, NoPreview, ObjectCorrupt: there is nothing to be shown.
    """
    if job.codec in (json_text.NAME, ge_result.NAME):
        content = _parsed(source.read(0, source.size))
        if job.do == "leaves":
            leaves, document = _leaves(content)
            paths = trees.paths_of_leaves(document, leaves)
            return "leaves", Leaves([one._asdict() for one in leaves], paths)
        if job.do != "show":
            return _profile_of_json(content)
        return _of_json(content, raw=job.raw)
    if job.do == "chart" and job.codec in (frame_codec.NAME, *_ARROW):
        return "chart", charts.chart(source, job.codec, job.x, job.y)
    if job.do == "profile" and job.codec in (frame_codec.NAME, *_ARROW):
        read = frames if job.codec == frame_codec.NAME else arrow_tables
        return "profile", read.profile(source)
    if job.do != "show":
        raise NoPreview("it is no table")
    if job.codec == binary.NAME:
        head = source.read(0, min(HEAD_BYTES, source.size))
        is_image = images.media_type(head) is not None and source.size <= images.MAX_BYTES
        return "bytes", Bytes(_hex_rows(head), is_image)
    if job.codec not in _PREVIEWS:
        raise NoPreview(f"it was written with codec {job.codec!r}")
    kind, preview = _PREVIEWS[job.codec]
    return kind, preview(source, job)


def _profile_of_json(content: Any) -> tuple[str, Any]:
    """Return what of a validation is compared: every verdict, and no examples."""
    verdict = expectations.read(content, expectations.MAX_COMPARED, failed_first=False)
    if verdict is None:
        raise NoPreview("it is neither a table nor a validation")
    for validation in verdict.validations:
        for line in validation.lines:
            line.samples = []
    return "expectations", verdict


_ARROW = (arrow.NAME, polars_frame.NAME)


def _of_arrow(source: Source, job: Job) -> Any:
    return arrow_tables.preview(source, job.row, job.column)


_PREVIEWS: dict[str, tuple[str, Callable[[Source, Job], Any]]] = {
    frame_codec.NAME: ("table", lambda source, job: frames.preview(source, job.row, job.column)),
    arrow.NAME: ("table", _of_arrow),
    polars_frame.NAME: ("table", _of_arrow),
    npy.NAME: ("array", lambda source, _job: arrays.preview(source)),
}


def _parsed(data: bytes) -> Any:
    try:
        text = json_text.unpack(data, MAX_JSON_BYTES)
    except (OSError, ValueError) as error:  # what pyarrow makes of damaged zstd
        raise ObjectCorrupt(f"the JSON cannot be decompressed ({error}).") from error
    if len(text) > MAX_JSON_BYTES:
        raise TooLarge
    try:
        return documents.load(text)
    except ObjectCorrupt as error:
        if _TOO_LONG_INT in str(error):
            raise TooLarge from error
        raise


def _of_json(content: Any, *, raw: bool) -> tuple[str, Any]:
    most = MAX_TEXT_CHARACTERS
    if raw and not isinstance(content, str):
        content = json.dumps(content, indent=2, ensure_ascii=False)
    if isinstance(content, str):
        text = Text(content[:most], max(0, len(content) - most))
        return "raw" if raw else "text", text
    if verdict := expectations.read(content):
        return "expectations", verdict
    leaves, document = _leaves(content)
    return "tree", trees.tree(document, leaves)


def _leaves(content: Any) -> tuple[list[StoredObject], Any]:
    """Return the leaves of an object's JSON, and the document that refers to them.

    Raises:
        ObjectCorrupt: a leaf is not described as this backend does it.
    """
    listed, document = documents.split_leaves(content)
    found = [StoredObject.parse(one, f"part {n} of this value") for n, one in enumerate(listed)]
    return found, document


def _hex_rows(data: bytes) -> list[tuple[str, str, str]]:
    """Return offset, bytes and characters, 16 to a row."""
    rows = []
    for start in range(0, len(data), 16):
        part = data[start : start + 16]
        letters = "".join(chr(byte) if 32 <= byte < 127 else "·" for byte in part)
        rows.append((f"{start:04x}", part.hex(" "), letters))
    return rows
