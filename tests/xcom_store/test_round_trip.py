"""What comes back is exactly what was pushed, inline and through S3."""

from __future__ import annotations

import pytest

pytest.importorskip("polars")
pytest.importorskip("pyarrow")
from tests.xcom_store.cases import VALUES
from tests.xcom_store.identical import assert_identical


@pytest.mark.parametrize("threshold", [0, 1_000_000], ids=["offloaded", "inline"])
@pytest.mark.parametrize("name", VALUES)
def test_a_value_comes_back_exactly(xcom, configure, name, threshold):
    configure(threshold=threshold)
    xcom.push(VALUES[name]())
    assert_identical(VALUES[name](), xcom.pull())
