"""Sizes as people read them."""

from __future__ import annotations

import pytest

from include.xcom_store.sizes import size_text


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.0 kB"),
        (1_536, "1.5 kB"),
        (9_949, "9.9 kB"),
        (9_950, "10 kB"),
        (154_082, "154 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (10**9, "1.0 GB"),
        (10**18, "1.0 EB"),
        (12_345 * 10**18, "12,345 EB"),
    ],
)
def test_size_text(count, said):
    assert size_text(count) == said
