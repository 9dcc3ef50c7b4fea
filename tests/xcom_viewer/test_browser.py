"""The viewer as people meet it: real Chromium, a real Airflow, a finished run.

Every test also fails for what the browser complains of: errors in the console, violations of the
Content-Security-Policy, dialogs, requests to other hosts. What was on the screen is kept as
pictures (see `browser.screenshots`); CI offers them for download.
"""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import pytest

pytest.importorskip("dev.airflow_server", reason="only `python3 -m dev test` runs this")
pytest.importorskip("include.xcom_viewer", reason="the viewer was deleted")
pytest.importorskip("playwright", reason="playwright is not installed here")
import obstore
import pandas as pd
from playwright.sync_api import expect, sync_playwright

from include.xcom_store.keys import Owner
from include.xcom_viewer import answers, overview
from include.xcom_viewer.asked import Asked
from tests.xcom_viewer import browser_dags
from tests.xcom_viewer.airflow_site import Site
from tests.xcom_viewer.browser import Visit, chromium, launch

if not chromium():
    pytest.skip("no Chromium here; CHROMIUM may name one", allow_module_level=True)

DAG, CHANGES, PICTURES = "viewer_values", "monthly_trips", "viewer_pictures"
SIZE = {"width": 1280, "height": 800}


@pytest.fixture(scope="module")
def site(tmp_path_factory, s3_server):
    folder, listed = tmp_path_factory.mktemp("browser"), [CHANGES, DAG, PICTURES]
    with Site.running(folder, s3_server, [browser_dags.__file__], listed) as site:
        site.run(CHANGES, month=1)
        site.run(CHANGES, month=2)
        site.trigger(PICTURES)
        site.run(DAG)
        site.wait(PICTURES)
        obstore.delete(site.store, site.object(DAG, "broken", "gone"))
        corrupt = site.object(DAG, "broken", "corrupt")
        size = obstore.head(site.store, corrupt)["size"]
        obstore.put(site.store, corrupt, b"x" * size)
        yield site


@pytest.fixture(scope="module")
def window():
    """Of one browser, whose cache spares the tests to load Airflow's UI again."""
    with sync_playwright() as playwright, launch(playwright) as chrome:
        yield chrome.new_context(viewport=SIZE, reduced_motion="reduce")


@pytest.fixture
def visit(window):
    visit = Visit(window.new_page())
    yield visit
    ran = visit.executed()
    visit.page.evaluate("localStorage.clear()")  # there Airflow keeps whether it is dark
    visit.page.close()
    assert not ran
    assert visit.wrong == []


def card(values, key):
    """The card of an XCom; found by its whole title, which is the key and the type."""
    title = values.get_by_role("heading", level=2).filter(
        has_text=re.compile(rf"^\s*{re.escape(key)}\s")
    )
    return values.get_by_role("article").filter(has=title)


def download(visit, link):
    """What a click on a link downloads: the file's name and its bytes."""
    with visit.page.expect_download() as started:
        link.click()
    return started.value.suggested_filename, Path(started.value.path()).read_bytes()


def test_what_runs_or_is_blocked_is_noticed(window):
    """Without this the other tests could pass for being blind."""
    visit = Visit(window.new_page())
    policy = "<meta http-equiv=Content-Security-Policy content=\"style-src 'none'\">"
    visit.page.set_content(f"{policy}<p style='color: red'>{browser_dags.IMAGE}")
    expect(visit.page.locator("img")).to_have_count(1)
    visit.page.evaluate("fetch('http://elsewhere.invalid').catch(() => {})")
    assert visit.executed()
    visit.page.close()
    for sign in ("dialog: xss-canary", "Content Security Policy", "asks another host"):
        assert [line for line in visit.wrong if sign in line]


@pytest.mark.parametrize("map_index", [-1, 3])
@pytest.mark.parametrize("kind", ["dict", "gx.ExpectationSuiteValidationResult", "x" * 200])
def test_a_runs_list_is_not_wider_than_its_tab(window, map_index, kind):
    """Airflow leaves 952 pixels of 1,280 to the tab, and scroll bars take some."""
    owner = Owner(DAG, "run", "ge_batch_kwargs_list_pass", map_index, "return_value")
    written = dt.datetime(2026, 11, 26, tzinfo=dt.UTC)
    line = overview.Card(
        owner=owner, timestamp=written, type=kind, summary="s " * 60, bytes=186_000
    )
    run = overview.Run(0, [line], 1)
    shown = answers.page("run.html", asked=Asked(DAG, "run"), run=run, wanted=overview.Filter())
    page = window.new_page()
    page.set_viewport_size({"width": 952 - 15, "height": 900})
    page.set_content(shown.body.decode())
    scrolled = page.locator(".scroll")
    assert scrolled.evaluate("box => box.scrollWidth <= box.clientWidth")
    field = page.get_by_label("Filter by type")
    assert field.evaluate(
        "field => { field.value = field.placeholder; return field.scrollWidth <= field.clientWidth }"
    )
    page.close()


@pytest.mark.long
def test_the_tab_shows_a_task_instances_values_in_light_and_dark(site, visit):
    visit.page.goto(site.run_page(DAG))
    visit.page.get_by_test_id("table-list").get_by_role("link", name="values", exact=True).click()
    visit.page.get_by_role("link", name="Rendered Templates").wait_for()  # of the task instance
    values = visit.open_tab()
    frame = card(values, "return_value")
    for text in ("5,000 rows", "11 columns", "1000000007"):
        expect(frame.get_by_text(text).first).to_be_visible()
    visit.picture("task-rows")
    frame.get_by_role("button", name="Columns and figures").click()
    for text in ("datetime64[us]", "timedelta64[us]", "Int8", "11.1%"):
        expect(frame.get_by_text(text).first).to_be_visible()
    root = values.locator("html")
    expect(root).not_to_have_class(re.compile("dark"))
    visit.picture("task-light")
    visit.appearance("Dark Mode")
    expect(root).to_have_class(re.compile("dark"))
    visit.picture("task-dark")


@pytest.mark.long
def test_the_tab_of_a_run(site, visit):
    visit.page.goto(site.run_page(DAG))
    values = visit.open_tab()
    expect(values.get_by_role("row")).to_have_count(2 + 20)
    visit.picture("run-light")
    visit.appearance("Dark Mode")
    visit.picture("run-dark")
    row = values.get_by_role("row", name=re.compile("mapped 2 return_value"))
    row.get_by_role("link", name="return_value").click()
    expect(card(values, "return_value")).to_be_visible()


def copied(visit, place, name):
    """Click a button there; the clipboard's text, which is there when the button says so."""
    place.get_by_role("button", name=name).click()
    expect(place.get_by_role("button", name="Copied")).to_be_visible()
    return visit.page.evaluate("navigator.clipboard.readText()")


@pytest.mark.long
def test_an_instance_of_a_mapped_task(site, visit):
    number = browser_dags.MAPPED - 1
    visit.page.goto(site.task_page(DAG, "mapped", number))
    values = visit.open_tab()
    frame = card(values, "return_value")
    assert frame.locator(".rows tbody tr").last.locator("td").all_inner_texts() == [
        str(number),
        "19",
    ]
    visit.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    uri = site.row(DAG, "mapped", "return_value", number)["uri"]
    assert copied(visit, frame, "Copy URI") == uri


@pytest.mark.long
def test_downloads(site, visit, tmp_path):
    visit.page.goto(site.task_page(DAG, "values"))
    frame = card(visit.open_tab(), "return_value")
    key = site.object(DAG, "values", "return_value")
    name, data = download(visit, frame.get_by_role("link", name="Download", exact=True))
    assert (name, data) == (key.rpartition("/")[2], bytes(obstore.get(site.store, key).bytes()))

    csv_name, data = download(visit, frame.get_by_role("link", name="Download CSV"))
    assert csv_name == name.replace(".parquet", ".csv")
    (tmp_path / csv_name).write_bytes(data)
    read, pushed = pd.read_csv(tmp_path / csv_name), browser_dags.every_dtype()
    assert list(read) == list(pushed)
    assert cells(pd.to_datetime(read["pickup"])) == cells(pushed["pickup"])
    for column in (
        "trip_id",
        "vendor",
        "fare",
        "passengers",
        "shared",
        "zone",
        "always_1",
        "empty",
    ):
        assert cells(read[column]) == cells(pushed[column])


def cells(series):
    return [None if pd.isna(cell) else cell for cell in series]


@pytest.mark.long
def test_rows_are_paged_and_a_nested_frame_is_opened(site, visit):
    visit.page.goto(site.task_page(DAG, "values"))
    values = visit.open_tab()
    frame = card(values, "return_value")
    frame.get_by_role("link", name="Next rows").click()
    expect(frame.get_by_role("cell", name="1000000057")).to_be_visible()
    expect(frame.get_by_role("cell", name="1000000007")).to_have_count(0)
    card(values, "nested").get_by_role("link", name="Open").first.click()
    expect(values.get_by_role("heading", name="frames › 0")).to_be_visible()
    expect(values.get_by_role("row").last.get_by_role("cell")).to_have_text(["7", "19"])
    visit.picture("nested-leaf")
    _, data = download(visit, values.get_by_role("link", name="Download", exact=True))
    [leaf] = site.leaves(DAG, "values", "nested", 0)
    assert data == bytes(obstore.get(site.store, leaf).bytes())


@pytest.mark.long
def test_rows_are_sorted_searched_and_unfolded(site, visit):
    visit.page.goto(site.task_page(DAG, "values"))
    values = visit.open_tab()
    frame = card(values, "return_value")
    head = frame.get_by_role("columnheader", name="fare")
    head.click()
    assert head.get_attribute("aria-sort") == "ascending"
    fares = every_float(frame, head)
    assert fares == sorted(fares)
    head.click()
    assert every_float(frame, head) == sorted(fares, reverse=True)
    frame.get_by_role("searchbox").fill("queensbridge")
    expect(frame.locator(".rows tbody tr").filter(has_text="Chelsea").first).to_be_hidden()
    expect(frame.locator(".rows tbody tr").filter(has_text="Queensbridge").first).to_be_visible()
    note = frame.locator(".rows tbody tr:visible td").filter(has_text="rather long").first
    note.click()
    assert "open" in note.get_attribute("class")
    visit.picture("rows-sorted")


def every_float(frame, head):
    """What a column of the rows holds, without what is missing."""
    position = head.evaluate("head => head.cellIndex")
    cells = frame.locator(f".rows tbody tr > :nth-child({position + 1})").all_inner_texts()
    return [float(cell) for cell in cells if cell not in ("NaN", "null")]


@pytest.mark.long
def test_a_tree_is_unfolded_and_searched(site, visit):
    visit.page.goto(site.task_page(DAG, "values"))
    tree = card(visit.open_tab(), "nested").locator("[data-tree]")
    tree.get_by_role("button", name="Collapse all").click()
    expect(tree.get_by_text("linear", exact=True)).to_be_hidden()
    tree.get_by_role("searchbox").fill("alpha")
    expect(tree.locator("mark")).to_be_visible()
    tree.get_by_role("button", name="Expand all").click()
    expect(tree.get_by_text("linear", exact=True)).to_be_visible()
    visit.picture("tree")


@pytest.mark.long
def test_a_link_opens_the_same_card_in_airflows_own_page(site, visit):
    visit.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visit.page.goto(site.task_page(DAG, "mapped", 1))
    link = copied(visit, card(visit.open_tab(), "return_value"), "Copy link")
    assert link.startswith(site.task_page(DAG, "mapped", 1))
    visit.page.goto("about:blank")
    visit.page.goto(link)
    expect(visit.values().locator(".card.target")).to_be_visible()
    visit.page.goto(site.task_page(DAG, "values"))
    values, part = visit.open_tab(), {"name": "frames › 0", "level": 2}
    card(values, "nested").get_by_role("link", name="Open").first.click()
    expect(values.get_by_role("heading", **part)).to_be_visible()
    link = copied(visit, values, "Copy link")
    visit.page.goto("about:blank")
    visit.page.goto(link)
    expect(values.get_by_role("heading", **part)).to_be_visible()
    values.get_by_role("link", name="All XComs of this task").click()
    expect(values.locator(".card:target")).to_contain_text("nested")
    visit.page.goto(site.run_page(DAG))
    row = visit.open_tab().get_by_role("row", name=re.compile("mapped 2 return_value"))
    row.get_by_role("link", name="mapped").click()
    visit.page.wait_for_url(re.compile("/tasks/mapped/mapped/2/"))
    visit.values()


@pytest.mark.long
def test_a_runs_list_is_filtered(site, visit):
    visit.page.goto(site.run_page(DAG))
    values = visit.open_tab()
    visit.picture("run-validation-failed")
    expect(values.locator("tbody tr").first).to_contain_text("failed")
    field = values.get_by_label("Filter by task")
    field.fill("mapped")
    field.press("Enter")
    expect(values.get_by_role("row")).to_have_count(2 + browser_dags.MAPPED)


@pytest.mark.long
def test_a_frame_and_a_validation_are_compared_with_the_previous_run(site, visit):
    visit.page.goto(site.task_page(CHANGES, "trips"))
    values = visit.open_tab()
    values.get_by_role("link", name="Compare with the previous run").click()
    rows = values.locator(".compared tbody tr")
    expect(rows.filter(has_text="passenger_count")).to_contain_text("was Int8")
    expect(rows.filter(has_text="improvement_surcharge")).to_contain_text("new")
    expect(rows.filter(has_text="store_and_fwd_flag")).to_contain_text("gone")
    for number, share in ((1, "was 64.3%"), (2, "0%")):
        missing = browser_dags.month(number)["congestion_surcharge"].isna().mean()
        assert f"{100 * missing:.3g}%" in share
        expect(rows.filter(has_text="congestion_surcharge")).to_contain_text(share)
    values.get_by_role("link", name="Back to the value").click()
    expect(values.get_by_role("columnheader", name="trip_distance").first).to_be_visible()
    visit.page.goto(site.task_page(CHANGES, "validate_trips"))
    values = visit.open_tab()
    values.get_by_role("link", name="Compare with the previous run").click()
    expect(values.get_by_text("fails now")).to_be_visible()


@pytest.mark.long
def test_two_columns_are_drawn(site, visit):
    visit.page.goto(site.task_page(CHANGES, "trips"))
    values = visit.open_tab()
    values.get_by_role("button", name="Chart").click()
    expect(values.locator(".chart circle").first).to_be_visible()
    values.get_by_label("X axis").select_option("pickup_datetime")
    expect(values.locator("figcaption")).to_contain_text("by pickup_datetime, every")
    values.get_by_label("Style").select_option("line")
    expect(values.locator(".chart polyline")).to_be_visible()
    values.get_by_role("button", name="Rows").click()
    expect(values.locator(".chart")).to_be_hidden()


PAGES = {
    "frame": (DAG, "values", "return_value", ""),
    "columns": (DAG, "values", "return_value", "Columns and figures"),
    "chart": (CHANGES, "trips", "return_value", "Chart"),
    "previous-frame": (CHANGES, "trips", "return_value", "Compare with the previous run"),
    "previous-validation": (
        CHANGES,
        "validate_trips",
        "return_value",
        "Compare with the previous run",
    ),
    "array": (DAG, "values", "array", ""),
    "image": (PICTURES, "pictures", "photo", ""),
    "heat-map": (PICTURES, "pictures", "surface", "Heat map"),
    "matrix": (PICTURES, "pictures", "correlations", "Heat map"),
    "bytes": (PICTURES, "pictures", "plot", ""),
    "tree": (DAG, "values", "nested", "Expand all"),
    "text": (DAG, "values", "text", ""),
    "validation": (DAG, "values", "validation_not_met", ""),
    "run": (DAG, "", "", ""),
}


@pytest.mark.long
@pytest.mark.parametrize("mode", ["Light", "Dark"])
@pytest.mark.parametrize("width", [1280, 800])
def test_every_page_in_light_and_dark_wide_and_narrow(site, visit, mode, width):
    """Nothing is wider than the window, but for what scrolls by itself; the rest is for the eye."""
    visit.page.set_viewport_size({"width": 1280, "height": 900})
    visit.page.goto(site.run_page(DAG))
    visit.appearance(f"{mode} Mode")
    visit.page.set_viewport_size({"width": width, "height": 900})
    for name, (dag_id, task_id, key, click) in PAGES.items():
        visit.page.goto(site.task_page(dag_id, task_id) if task_id else site.run_page(dag_id))
        values = visit.open_tab()
        if key:
            shown = card(values, key)
            for button in shown.get_by_text(click, exact=True).all() if click else []:
                button.click()
            expect(values.locator("[aria-busy=true]")).to_have_count(0)
            shown.scroll_into_view_if_needed()
            shown.evaluate("card => card.scrollIntoView()")
        fits = values.locator("html").evaluate("page => page.scrollWidth <= page.clientWidth")
        visit.picture(f"page-{name}-{mode.lower()}-{width}")
        assert fits, name
        if key:
            assert shown.locator("[data-state]").count() == 0, name


@pytest.mark.long
def test_times_are_those_of_airflows_ui(site, visit):
    visit.page.goto(site.run_page(DAG))
    values = visit.open_tab()
    expect(values.locator("[data-zone]")).to_have_text("UTC")
    utc = pd.Timestamp(values.locator("time").first.inner_text(), tz="UTC")
    visit.page.evaluate("localStorage.setItem('timezone', JSON.stringify('Asia/Kolkata'))")
    visit.page.reload()
    values = visit.values()
    expect(values.locator("[data-zone]")).to_have_text("Asia/Kolkata")
    there = pd.Timestamp(values.locator("time").first.inner_text(), tz="Asia/Kolkata")
    assert there == utc
    visit.page.goto(site.task_page(DAG, "mapped", 1))
    written = visit.open_tab().locator("time").first
    expect(written).to_have_text(re.compile(r"^[\d-]{10} [\d:]{8} Asia/Kolkata$"))


@pytest.mark.long
def test_markup_in_values_is_text(site, visit):
    """In keys, column names, values and expectations; `visit` asserts that nothing of it ran."""
    visit.page.goto(site.task_page(DAG, "hostile_values"))
    values = visit.open_tab()
    visit.picture("hostile")
    for text in (browser_dags.SCRIPT, browser_dags.IMAGE, browser_dags.LINK, browser_dags.FORMULA):
        expect(card(values, "return_value").get_by_text(text).first).to_be_attached()
    expect(card(values, "validation").get_by_text(browser_dags.IMAGE).first).to_be_attached()
    expect(card(values, browser_dags.HOSTILE_KEY)).to_have_count(1)
    for element in ("img", "script:not([nonce])", "a[href^='javascript:']"):
        assert values.locator(element).count() == 0
    frame = card(values, "return_value")
    _, data = download(visit, frame.get_by_role("link", name="Download CSV"))
    formulas = [line for line in data.decode().split("\n") if re.search(r'(^|,)"?[=+@]', line)]
    assert formulas == []


@pytest.mark.long
def test_a_drawing_runs_nothing_and_by_its_own_address_is_a_download(site, visit):
    visit.page.goto(site.task_page(PICTURES, "pictures"))
    picture = card(visit.open_tab(), "drawing").locator("img")
    picture.scroll_into_view_if_needed()
    width = "picture => picture.decode().then(() => picture.naturalWidth)"
    assert picture.evaluate(width) == browser_dags.DRAWING_WIDTH
    address = picture.evaluate("picture => picture.src")
    with visit.page.expect_download() as started:
        visit.page.evaluate("address => { location.href = address }", address)
    assert Path(started.value.path()).read_bytes() == browser_dags.DRAWING


@pytest.mark.long
def test_what_cannot_be_shown_says_why(site, visit):
    visit.page.goto(site.task_page(DAG, "broken"))
    values = visit.open_tab()
    expect(card(values, "gone")).to_contain_text("deleted or has expired")
    for name in ("Download", "Compare with the previous run"):
        expect(card(values, "gone").get_by_role("link", name=name)).to_have_count(0)
    expect(card(values, "corrupt")).to_contain_text("not what was written")
    visit.picture("gone-and-corrupt")
