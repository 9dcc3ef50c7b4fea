"""A real Chromium, and an eye on all that it complains of."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

from tests.xcom_viewer.browser_dags import CANARY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, FrameLocator, Page, Playwright

ROOT = Path(__file__).resolve().parents[2]
TAB = "XCom values"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MACOS = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
ARGUMENTS = [
    "--no-sandbox",  # a container's root cannot have it; the pages are our own
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE *localhost, EXCLUDE 127.0.0.1",
]


def chromium() -> str | None:
    """Where a browser is; `CHROMIUM` names one that is not found by itself."""
    if named := os.environ.get("CHROMIUM"):
        return named
    found = next(filter(None, map(shutil.which, NAMES)), None)
    return found or (str(MACOS) if MACOS.exists() else None)


def screenshots() -> Path:
    """The folder where pictures of what the tests saw are kept, for CI and for the curious."""
    folder = Path(os.environ.get("SCREENSHOTS") or ROOT / ".dev" / "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@dataclass
class Visit:
    """A page of the browser, and all that is wrong with it."""

    page: Page
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.wrong.append(f"uncaught: {error}"))
        self.page.on("dialog", self._dialog)
        self.page.on("request", self._request)

    def _console(self, message: Any) -> None:
        # What the Content-Security-Policy has blocked is among them.
        if message.type == "error":
            self.wrong.append(f"console: {message.text} ({message.location.get('url')})")

    def _dialog(self, dialog: Any) -> None:
        self.wrong.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _request(self, request: Any) -> None:
        address = urllib.parse.urlsplit(request.url)
        if CANARY in address.path:
            self.wrong.append(f"a script or an element of a value asked for {request.url}")
        here = re.fullmatch(r"127\.0\.0\.1|(.*\.)?localhost", address.hostname or "")
        if address.scheme.startswith("http") and not here:
            self.wrong.append(f"asks another host: {request.url}")

    def open_tab(self) -> FrameLocator:
        """Click the viewer's tab on the page of a task instance or of a run."""
        self.page.get_by_role("link", name=TAB, exact=True).click()
        return self.values()

    def values(self) -> FrameLocator:
        """What the viewer shows, when all of its cards have come."""
        frame = self.page.frame_locator(f"iframe[title='{TAB}']")
        frame.locator("main").wait_for()
        expect(frame.locator("[aria-busy=true]")).to_have_count(0)
        return frame

    def appearance(self, mode: str) -> None:
        """Choose a mode in Airflow's own menu."""
        self.page.get_by_role("button", name="User").click()
        self.page.get_by_role("menuitem", name="Appearance").hover()
        self.page.get_by_role("menuitemradio", name=mode).click()
        expect(self.page.get_by_role("menu")).to_have_count(0)

    def executed(self) -> bool:
        """Whether a script in a value has run in any frame."""
        return any(frame.evaluate("window.canary") for frame in self.page.frames)

    def picture(self, name: str) -> None:
        """Keep a picture of the window as it is."""
        self.page.screenshot(path=screenshots() / f"{name}.png")


@contextlib.contextmanager
def launch(playwright: Playwright) -> Iterator[Browser]:
    """A headless browser that can reach this machine only."""
    expect.set_options(timeout=30_000)  # as clicks have; a busy machine takes its time
    browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
    try:
        yield browser
    finally:
        browser.close()
