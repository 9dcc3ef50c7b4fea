"""The viewer under load: a frame of 200 MB, an S3 that hangs, and the example DAGs' own pages."""

from __future__ import annotations

import re
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import pytest

pytest.importorskip("dev.airflow_server", reason="only `python3 -m dev test` runs this")
pytest.importorskip("include.xcom_viewer", reason="the viewer was deleted")
pytest.importorskip("playwright", reason="playwright is not installed here")
from playwright.sync_api import expect, sync_playwright

from include.xcom_viewer.source import SILENT_SECONDS
from tests.xcom_store.fault_proxy import Fault
from tests.xcom_viewer import browser_dags
from tests.xcom_viewer.airflow_site import Site
from tests.xcom_viewer.browser import ROOT, Visit, chromium, launch
from tests.xcom_viewer.peak import Peak

if not chromium():
    pytest.skip("no Chromium here; CHROMIUM may name one", allow_module_level=True)

OWN = ["viewer_values", "viewer_large"]
EXAMPLES = [
    "example_dataframe_dag",
    "example_validation_failure_dag",
    "example_dynamic_mapping_dag",
]
MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def site(tmp_path_factory, s3_server):
    folder, dag_ids = tmp_path_factory.mktemp("browser"), [*OWN, *EXAMPLES]
    files = [browser_dags.__file__, *(ROOT / "dags" / f"{name}.py" for name in EXAMPLES)]
    with Site.running(folder, s3_server, files, ["monthly_trips", *dag_ids]) as site:
        for month in (1, 2):
            site.run("monthly_trips", month=month)
        for step in (site.trigger, site.wait):
            for dag_id in dag_ids:
                step(dag_id)
        yield site


@pytest.fixture(scope="module")
def chrome():
    with sync_playwright() as playwright, launch(playwright) as chrome:
        yield chrome


@pytest.fixture
def visit(chrome):
    context = chrome.new_context(viewport={"width": 1280, "height": 800})
    visit = Visit(context.new_page())
    yield visit
    context.close()
    assert visit.wrong == []


def value(site, dag_id, task_id, key="return_value", **more):
    """The address of a card's value."""
    query = {"dag_id": dag_id, "run_id": site.runs[dag_id], "task_id": task_id, "key": key}
    return f"xcom-viewer/value?{urlencode(query | more)}"


def test_the_dags_are_those_that_are_waited_for():
    """The long tests would wait for any other for minutes."""
    for dag_id in (*OWN, "monthly_trips"):
        assert getattr(browser_dags, dag_id)().tasks
    for dag_id in EXAMPLES:
        assert (ROOT / "dags" / f"{dag_id}.py").exists()


@pytest.mark.long
def test_a_frame_of_200_MB(site, visit):
    """Warm under 0.3 s, with at most a few MB read from S3, in less than 150 MB of memory."""
    assert site.row("viewer_large", "frame", "return_value")["bytes"] > 200 * MEGABYTE
    before = site.memory()
    path = value(site, "viewer_large", "frame")
    cold = site.seconds(path)
    read = site.proxy.bytes_sent
    warm = [site.seconds(path) for _ in range(7)]
    read = (site.proxy.bytes_sent - read) / len(warm)
    pages = [site.seconds(f"{path}&row={row}") for row in (500, 990, 0)]
    grown = site.memory() - before
    print(f"\ncold {cold:.3f} s, warm {min(warm):.3f} to {max(warm):.3f} s, other rows {pages}")
    print(f"{read / MEGABYTE:.2f} MB read, memory + {grown / MEGABYTE:.0f} MB")
    visit.page.goto(site.task_page("viewer_large", "frame"))
    visit.open_tab()
    visit.picture("large")
    assert statistics.median(warm) < 0.3
    assert read < 5 * MEGABYTE
    assert grown < 150 * MEGABYTE


@pytest.mark.long
def test_downloads_of_200_MB_are_streamed(site):
    before = site.memory()
    with Peak(site.memory) as peak:
        path = value(site, "viewer_large", "frame").replace("/value?", "/download?")
        sizes = [site.size(path), site.size(f"{path}&as=csv")]
    print(f"\n{sizes} bytes, memory + {(peak.most - before) / MEGABYTE:.0f} MB")
    assert min(sizes) > 200 * MEGABYTE
    assert peak.most - before < 150 * MEGABYTE


OWN_PAGES = ["api/v2/monitor/health", "dags/viewer_values", "ui/grid/runs/viewer_values"]


@pytest.mark.long
def test_an_s3_that_hangs_does_not_slow_airflows_own_pages(site, visit):
    def latencies(count=15):
        return {path: sorted(site.seconds(path) for _ in range(count)) for path in OWN_PAGES}

    def ask(path, until):
        """Ask for a card again and again, as people do who see nothing."""
        times = []
        while not until.is_set():
            times.append(site.seconds(path))
            until.wait(1)  # without it, answers that come at once would keep the server busy
        return times

    latencies(3)
    usual = latencies()
    keys = ["array", "bytes", "nested", "text", "wide", "return_value", "validation_met"] * 4
    site.proxy.inject(Fault("delay", seconds=30))
    try:
        with ThreadPoolExecutor(len(keys)) as pool:
            measured = threading.Event()
            paths = [value(site, "viewer_values", "values", key) for key in keys]
            asking = [pool.submit(ask, path, measured) for path in paths]
            try:
                time.sleep(1)
                hanging = latencies()
                visit.page.goto(site.task_page("viewer_values", "values"))
                frame = visit.open_tab()
                visit.picture("s3-hangs")
                # Which of them a card says depends on how many others wait just then.
                said = re.compile("S3 does not answer|No answer in time|Too many previews at once")
                assert frame.get_by_text(said).count()
            finally:
                measured.set()
            answers = [seconds for times in asking for seconds in times.result()]
    finally:
        site.proxy.inject(None)
    time.sleep(SILENT_SECONDS)
    frame.get_by_role("button", name="Try again").first.click()
    expect(frame.get_by_role("columnheader", name="trip_id").first).to_be_visible()
    print(f"\nviewer's own: {min(answers):.1f} to {max(answers):.1f} s")
    for path in OWN_PAGES:
        one, other = (f"{times[7] * 1000:.0f} ms, at most {times[-1] * 1000:.0f}" for times in
                      (usual[path], hanging[path]))  # fmt: skip
        print(f"{path}: {one} as usual, {other} while S3 hangs")
        assert hanging[path][7] < 2 * usual[path][7] + 0.2
    assert max(answers) < 15


def compare(values):
    values.get_by_role("link", name="Compare with the previous run").click()
    expect(values.locator(".compared")).to_be_visible()


def draw(values):
    values.get_by_role("button", name="Chart").click()
    values.get_by_label("Y axis").select_option("fare_amount")
    values.get_by_label("X axis").select_option("trip_distance")
    expect(values.locator("figcaption")).to_contain_text("fare_amount by trip_distance")


@pytest.mark.long
def test_pictures_of_the_examples(site, visit):
    """Those of the README are among them."""
    trips = site.task_page("monthly_trips", "trips")
    failed = site.task_page("example_validation_failure_dag", "validate_february")
    mapped = site.task_page("example_dynamic_mapping_dag", "trips_of_zone", 2)
    for name, page, mode, prepare in (
        ("frame", site.task_page("example_dataframe_dag", "transform"), "Light", None),
        ("run", site.run_page("monthly_trips"), "Light", None),
        ("mapped", mapped, "Dark", None),
        ("validation", failed, "Dark", None),
        ("previous", trips, "Light", compare),
        ("chart", trips, "Dark", draw),
    ):
        visit.page.goto(page)
        visit.appearance(f"{mode} Mode")
        frame = visit.open_tab()
        expect(frame.get_by_role("table").first).to_be_visible()
        if prepare:
            prepare(frame)
            frame.locator(".body").evaluate("body => body.scrollIntoView()")
        assert frame.locator("[data-state]").count() == 0
        visit.picture(f"example-{name}")
