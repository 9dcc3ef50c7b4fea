"""Every point of death (`tests.deaths`): promised in docs/tools.md, and its table is right."""

from __future__ import annotations

import pytest

pytest.importorskip("dev.airflow_server", reason="only `python3 -m dev test` runs this")

from tests.deaths import table
from tests.deaths.cases import Site
from tests.deaths.operations import OPERATIONS


@pytest.fixture(scope="module")
def site(tmp_path_factory, s3_server, api_server):
    with Site.between(tmp_path_factory.mktemp("deaths"), s3_server, api_server) as site:
        yield site


def documented(*cells):
    begin = f"| {' | '.join(cells)} |"
    return [line for line in table.documented().splitlines() if line.startswith(begin)]


LONG = ("retry", "push with five parts", "delete")
"""Looked at in each long run; the others, with twice as many requests, once a week."""


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.long if name in LONG else pytest.mark.weekly)
        for name in OPERATIONS
    ],
)
def test_nothing_is_lost_at_any_point_of_death(site, name):
    assert table.rows(site, name) == documented(name)


def test_nothing_is_lost_when_the_object_is_there_and_its_row_may_not_be(site):
    made = table.rows(site, "push of a frame", 3)
    assert made == documented("push of a frame", "3")
    assert "Airflow: write the row" in made[0]


def test_the_page_tells_of_all_of_them():
    lines = [line for line in table.documented().splitlines() if line.startswith("| ")][1:]
    assert list(dict.fromkeys(line.split(" | ")[0] for line in lines)) == [
        f"| {name}" for name in OPERATIONS
    ]
    assert table.text(lines) == table.documented()
