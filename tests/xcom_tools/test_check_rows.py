"""`check --rows`: what common-io has left is counted, and the setting named that reads it."""

from __future__ import annotations

import pytest

pytest.importorskip("obstore")
pytest.importorskip("airflow.providers.common.io", reason="an optional provider of Airflow")
from include.xcom_store.stores import common_io
from tests.xcom_tools.sweep_airflow import BIG, owner

UUID = "0f8c64c8-9a59-4b26-9f6b-5cf3a3b1f7aa"


@pytest.fixture
def rows(command, airflow, connect, s3, monkeypatch):
    """Look at these rows, all of the run `manual__1`; the lines about them, and the exit code."""
    connect()
    monkeypatch.delenv(common_io.VARIABLE, raising=False)

    def rows(*values, path=None):
        if path:
            monkeypatch.setenv(common_io.VARIABLE, path)
        common_io.base_path.cache_clear()
        for number, value in enumerate(values):
            airflow.put(value, owner(key=f"k{number}"))
        found = command("check", "--rows", "--json")
        lines = [line for line in found.lines() if line["about"] == "rows"]
        return [(line["state"], line["found"], line["to_do"]) for line in lines], found.code

    return rows


def test_none(rows, airflow):
    airflow.push(BIG, owner(key="ours"))
    lines, code = rows(1, "a", {"a": 1}, "file:///data/xcom/trips/manual__1/load/notes.txt",
                       f"file:///data/xcom/other/manual__1/load/{UUID}")  # fmt: skip
    assert lines == [("ok", "6 looked at, 0 readable ones of common-io's backend.", "")]
    assert code == 0


def test_some_that_cannot_be_read(rows):
    paths = [
        f"{base}/trips/manual__1/load/{UUID}"
        for base in ("s3://aws@b/x", "s3://aws@b/x", "file:///d")
    ]
    (first, *lost), code = rows(*paths[:2], f"{paths[2]}.gz", 1)
    assert first == ("ok", "4 looked at, 0 readable ones of common-io's backend.", "")
    assert [state for state, _found, _to_do in lost] == ["error", "error"]
    assert lost[0][1].startswith("2 hold the path of an object")
    assert f"Set {common_io.VARIABLE}=s3://aws@b/x for all components" in lost[0][2]
    assert f"Set {common_io.VARIABLE}=file:///d for all components" in lost[1][2]
    assert code == 1


def test_some_that_the_setting_reads(rows):
    lines, code = rows(f"file:///d/trips/manual__1/load/{UUID}", path="file:///d")
    assert lines == [("ok", "1 looked at, 1 readable ones of common-io's backend.", "")]
    assert code == 0
