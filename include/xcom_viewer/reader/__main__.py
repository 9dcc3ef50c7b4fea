"""Reads objects for the viewer's pages, as `include/xcom_viewer/reader/__init__.py` says."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from include.xcom_store.errors import ObjectCorrupt
from include.xcom_viewer import pipe, shown
from include.xcom_viewer.reader import confine, preview
from include.xcom_viewer.reader.remote import IDLE_SECONDS, Pipe, Source, Stopped
from include.xcom_viewer.shown import NoPreview, TooLarge
from include.xcom_viewer.shown.values import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_DETAIL_CHARACTERS = 1_000


def main() -> None:
    """Do one job after the other, until the pipe ends."""
    confine.confine()
    server = Pipe(os.dup(0), os.dup(1))
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1):  # what a library prints must not look like an answer
        os.dup2(nowhere, number)
    while True:
        _kind, job = server.receive(IDLE_SECONDS)
        try:
            answer = _answer(server, json.loads(job))
        except Exception as error:  # noqa: BLE001 - whatever it is, the next job goes on
            answer = shown.dump("problem", _problem(error))
        server.send(pipe.ANSWER, answer)


def _answer(server: Pipe, job: dict[str, Any]) -> bytes:
    whole = server.receive()[1] if job["whole"] else None
    source = Source(server, job["size"], whole, keeps=job["do"] != "csv")
    if job["do"] == "csv":
        from include.xcom_viewer.reader import csv_pieces

        for piece in _small(csv_pieces.pieces(source, job["codec"])):
            server.send(pipe.PIECE, piece)
            server.receive()
        return shown.dump("text", Text(""))
    kind, content = preview.read(source, preview.Job(**job))
    answer = shown.dump(kind, content)
    if len(answer) > shown.MAX_ANSWER_BYTES:
        raise TooLarge
    return answer


def _small(pieces: Iterator[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        for start in range(0, len(piece), pipe.PIECE_BYTES):
            yield piece[start : start + pipe.PIECE_BYTES]


def _problem(error: Exception) -> shown.Problem:
    detail = str(error)[:MAX_DETAIL_CHARACTERS]
    if isinstance(error, (TooLarge, MemoryError)):
        return shown.Problem("too-large", detail)
    if isinstance(error, NoPreview):
        return shown.Problem("no-preview", detail)
    if isinstance(error, ObjectCorrupt):
        return shown.Problem("corrupt", detail)
    if isinstance(error, Stopped):
        return shown.Problem("stopped")
    return shown.Problem("failed", f"{type(error).__name__}: {detail}")


main()
