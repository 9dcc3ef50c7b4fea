"""A stand-in for Airflow's supervisor: the messages of XComs, and a table to keep them in.

A task process has no database in Airflow 3; it sends messages over a socket to its supervisor, which
calls the API server. Here they are answered in place. Values travel as they do there: encoded by
msgpack to the supervisor, then as JSON over HTTP.
"""

from __future__ import annotations

import json

import msgspec
from airflow.sdk.execution_time import comms


class Supervisor:
    def __init__(self) -> None:
        self.rows: dict[tuple, str] = {}
        """JSON text by (dag_id, run_id, task_id, map_index, key)."""
        self.messages: list = []
        self.answers: dict = {}
        """What a test answers by itself, by the name of the message."""

    def value(self, *, dag_id, run_id, task_id, key, map_index=-1):
        return json.loads(self.rows[dag_id, run_id, task_id, map_index, key])

    def put(self, value, *, dag_id, run_id, task_id, key, map_index=-1):
        """Write a row past the backend, as the REST API and triggers do."""
        self.rows[dag_id, run_id, task_id, map_index, key] = json.dumps(value, allow_nan=False)

    def send(self, msg):
        self.messages.append(msg)
        name = type(msg).__name__
        return self.answers[name](msg) if name in self.answers else getattr(self, f"_{name}")(msg)

    def _SetXCom(self, msg):
        value = msgspec.msgpack.decode(msgspec.msgpack.encode(msg.value))
        self.put(
            value, dag_id=msg.dag_id, run_id=msg.run_id, task_id=msg.task_id, key=msg.key,
            map_index=msg.map_index if msg.map_index is not None else -1,
        )  # fmt: skip

    def _GetXCom(self, msg):
        found = [
            text
            for (dag, run, task, index, key), text in self.rows.copy().items()  # other threads push
            if (dag, task, key) == (msg.dag_id, msg.task_id, msg.key)
            and (run == msg.run_id or msg.include_prior_dates)
            and index == (-1 if msg.map_index is None else msg.map_index)
        ]
        return comms.XComResult(key=msg.key, value=json.loads(found[-1]) if found else None)

    def _GetXComSequenceSlice(self, msg):
        rows = sorted(
            (index, text)
            for (dag, run, task, index, key), text in self.rows.copy().items()  # other threads push
            if (dag, task, key, run) == (msg.dag_id, msg.task_id, msg.key, msg.run_id)
        )
        return comms.XComSequenceSliceResult(root=[json.loads(text) for _, text in rows])

    def _DeleteXCom(self, msg):
        index = -1 if msg.map_index is None else msg.map_index
        self.rows.pop((msg.dag_id, msg.run_id, msg.task_id, index, msg.key), None)
