"""The viewer's pages of values on Google Cloud Storage, Azure Blob Storage and HDFS."""

from __future__ import annotations

import pytest

pytest.importorskip("obstore")
pytest.importorskip("include.xcom_viewer", reason="the viewer was deleted")
import numpy as np
import pandas as pd

from tests import services
from tests.xcom_viewer.test_pages import state, text

service = services.each_other
VALUES = {
    "frame": (pd.DataFrame({"amount": [1.5, 2.5], "zone": ["Astoria", "Bronx"]}), "Astoria"),
    "array": (np.arange(7), "6"),
    "json": (["Astoria", "x" * 2_000], "Astoria"),
    "bytes": (b"Astoria" * 500, "41 73 74 6f 72 69 61"),
}


@pytest.mark.parametrize("name", VALUES)
def test_a_value_is_shown_and_downloaded(viewer, name):
    value, words = VALUES[name]
    record = viewer.push(value)
    assert words in text(viewer.get("value"))
    assert viewer.get("download").content == viewer.s3.read(viewer.key(record))


def test_a_leaf_is_shown(viewer):
    viewer.push({"frame": VALUES["frame"][0], "note": "x"})
    assert "Astoria" in text(viewer.get("value", leaf=0))


def test_a_deleted_object(viewer):
    viewer.s3.remove(viewer.key(viewer.push(VALUES["json"][0])))
    assert state(viewer.get("value")) == "missing"


def test_nobody_listens(viewer):
    viewer.push(VALUES["json"][0])
    viewer.s3.through(9)
    viewer.lookup.forget()
    assert state(viewer.get("value")) == "unreachable"
    assert viewer.get("task").status_code == 200
