"""Every point of death (`tests.deaths`): promised in docs/tools.md, and its table is right."""

from __future__ import annotations

import pytest

pytest.importorskip("dev.airflow_server", reason="no dev/ here")

from tests.deaths import table
from tests.deaths.cases import Site
from tests.deaths.operations import OPERATIONS

FAST = "push of a frame"


@pytest.fixture(scope="module")
def site(tmp_path_factory, s3_server, api_server):
    with Site.between(tmp_path_factory.mktemp("deaths"), s3_server, api_server) as site:
        yield site


@pytest.mark.parametrize(
    "name",
    [FAST, *(pytest.param(name, marks=pytest.mark.long) for name in OPERATIONS if name != FAST)],
)
def test_nothing_is_lost_at_any_point_of_death(site, name):
    lines = table.documented().splitlines()
    assert table.rows(site, name) == [line for line in lines if line.startswith(f"| {name} |")]


def test_the_page_tells_of_all_of_them():
    lines = [line for line in table.documented().splitlines() if line.startswith("| ")][1:]
    assert list(dict.fromkeys(line.split(" | ")[0] for line in lines)) == [
        f"| {name}" for name in OPERATIONS
    ]
    assert table.text(lines) == table.documented()
