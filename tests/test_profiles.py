"""What `python3 -m dev test` counts on: its fast profile, and that processes can share the tests."""

from __future__ import annotations

from collections import defaultdict

import pytest


def test_every_file_has_a_fast_test(request):
    """So that nothing is left to `--long` alone."""
    if request.config.option.keyword or request.config.option.markexpr:
        pytest.skip("-k and -m hide tests")
    fast = defaultdict(int)
    for item in request.session.items:
        fast[item.nodeid.partition("::")[0]] += not item.get_closest_marker("long")
    assert not [file for file, count in fast.items() if not count]


def test_names_are_the_same_in_every_process(request):
    """The address of a function in them would not be: name the parameters (`ids=`)."""
    assert not [item.nodeid for item in request.session.items if " at 0x" in item.nodeid]
