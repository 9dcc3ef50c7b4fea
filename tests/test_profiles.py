"""The fast profile: what `python3 -m dev test` runs without `--long`."""

from __future__ import annotations

from collections import defaultdict

import pytest


def collected(session) -> dict[str, list[pytest.Item]]:
    """The tests that this run knows, by file."""
    files = defaultdict(list)
    for item in session.items:
        files[item.nodeid.partition("::")[0]].append(item)
    return files


def test_every_file_has_a_fast_test(request):
    """So that what is changed most is never left to `--long` alone."""
    if request.config.option.keyword or request.config.option.markexpr:
        pytest.skip("-k and -m hide tests")
    slow = [
        file
        for file, items in collected(request.session).items()
        if all(item.get_closest_marker("long") for item in items)
    ]
    assert not slow
