"""What the browser tests run on: a real Airflow with finished runs, and a real Chromium.

Airflow is started as `python3 -m dev up` does it, with the connection in its database. Between it
and the S3 server stands a `FaultProxy`, so that a test can make S3 hang.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
import urllib.parse
import urllib.request
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import obstore
from obstore.store import S3Store
from playwright.sync_api import expect

from dev import ports, settings_file
from dev.airflow_server import AirflowServer
from tests.s3_xcom.fault_proxy import FaultProxy
from tests.s3_xcom_viewer.browser_dags import CANARY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, FrameLocator, Page, Playwright

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 300.0
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
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
]
WATCH = """
addEventListener("securitypolicyviolation", event => console.error(
    "CSP: " + event.violatedDirective + " blocked " + event.blockedURI));
"""


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


class CountingProxy(FaultProxy):
    """Counts the bytes that come from S3."""

    bytes_sent = 0

    def _ask(self, head: bytes, body: bytes) -> bytes:
        answer = super()._ask(head, body)
        self.bytes_sent += len(answer)
        return answer


class Site:
    """A running Airflow, the runs in it, and the S3 behind it."""

    def __init__(self, server: AirflowServer, proxy: CountingProxy, store: S3Store, prefix: str):
        self.server, self.api, self.url = server, server.api, server.url
        self.proxy, self.store, self.prefix = proxy, store, prefix
        self.runs: dict[str, str] = {}

    @classmethod
    @contextlib.contextmanager
    def start(cls, folder: Path, s3_server: Any, dags: Path, **settings: str) -> Iterator[Self]:
        """An Airflow with the DAGs of a folder; it ends with the context."""
        local = settings_file.read()
        prefix = f"xcom-{uuid.uuid4().hex[:12]}"
        with CountingProxy(s3_server.port) as proxy:
            env = {
                **local.env,
                "AIRFLOW__S3_XCOM__VIEWER": "True",
                "AIRFLOW__S3_XCOM__BUCKET": s3_server.bucket,
                "AIRFLOW__S3_XCOM__PREFIX": prefix,
                "AIRFLOW__S3_XCOM__ENDPOINT_URL": proxy.url,
                "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
                **settings,
            }
            win = {"AIRFLOW__CORE__DAGS_FOLDER": str(dags)}
            port = ports.free_ports(1)[0]
            with AirflowServer.start(folder / "airflow", port, env, win) as server:
                server.wait_until_healthy()
                server.import_settings(local)
                yield cls(server, proxy, _store(s3_server), prefix)

    def run(self, *dag_ids: str) -> None:
        """Run these DAGs, wait for the end of each."""
        deadline = time.monotonic() + SECONDS
        while not {dag["dag_id"] for dag in self.api.dags()} >= set(dag_ids):
            assert self.api.import_errors() == []
            assert time.monotonic() < deadline, "the DAGs are not listed"
            time.sleep(0.3)
        for dag_id in dag_ids:
            body = {"logical_date": None, "conf": {}}
            made = self.api._call("POST", f"api/v2/dags/{dag_id}/dagRuns", body)
            self.runs[dag_id] = made["dag_run_id"]
        for dag_id in dag_ids:
            while self._state(dag_id) not in ("success", "failed"):
                self.server.check_alive()
                assert time.monotonic() < deadline, f"{dag_id} does not end: {self.server.home}"
                time.sleep(0.3)

    def _state(self, dag_id: str) -> str:
        runs = {run["dag_run_id"]: run["state"] for run in self.api.runs(dag_id)}
        return runs[self.runs[dag_id]]

    def row(self, dag_id: str, task_id: str, key: str, map_index: int = -1) -> Any:
        """What the database holds for an XCom."""
        path = f"{self._run(dag_id, 'api/v2/dags', 'dagRuns')}/taskInstances/{task_id}/xcomEntries"
        query = f"map_index={map_index}&stringify=false&deserialize=false"
        return self.api._call("GET", f"{path}/{_quote(key)}?{query}")["value"]

    def object(self, dag_id: str, task_id: str, key: str, map_index: int = -1) -> str:
        """The key of an XCom's object in the bucket."""
        uri = self.row(dag_id, task_id, key, map_index)["uri"]
        return uri.split("/", 3)[3]

    def leaves(self, dag_id: str, task_id: str, key: str, number: int) -> list[str]:
        """The key of the object of one value inside another."""
        stem = self.object(dag_id, task_id, key).rpartition(".json")[0]
        found = [item["path"] for page in obstore.list(self.store, stem) for item in page]
        return [path for path in found if path.startswith(f"{stem}/{number}.")]

    def run_page(self, dag_id: str) -> str:
        """The address of a run's page in Airflow's UI."""
        return f"{self.url}/{self._run(dag_id, 'dags', 'runs')}"

    def task_page(self, dag_id: str, task_id: str, map_index: int | None = None) -> str:
        """The address of a task instance's page in Airflow's UI."""
        mapped = "" if map_index is None else f"/mapped/{map_index}"
        return f"{self.run_page(dag_id)}/tasks/{task_id}{mapped}"

    def _run(self, dag_id: str, dags: str, runs: str) -> str:
        return f"{dags}/{dag_id}/{runs}/{_quote(self.runs[dag_id])}"

    def memory(self) -> int:
        """Bytes of private memory that the API server's processes hold."""
        import psutil

        guard = psutil.Process(self.server._processes["api-server"].pid)
        return sum(process.memory_full_info().uss for process in guard.children(recursive=True))

    def seconds(self, path: str) -> float:
        """How long the server takes to answer 200 to a GET."""
        started = time.perf_counter()
        with urllib.request.urlopen(f"{self.url}/{path}", timeout=60) as answer:
            answer.read()
            assert answer.status == 200
        return time.perf_counter() - started


@dataclass
class Visit:
    """A page of the browser, and all that is wrong with it."""

    page: Page
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.add_init_script(WATCH)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.wrong.append(f"uncaught: {error}"))
        self.page.on("dialog", self._dialog)
        self.page.on("request", self._request)

    def _console(self, message: Any) -> None:
        if message.type == "error":
            self.wrong.append(f"console: {message.text} ({message.location.get('url')})")

    def _dialog(self, dialog: Any) -> None:
        self.wrong.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _request(self, request: Any) -> None:
        address = urllib.parse.urlsplit(request.url)
        if CANARY in address.path:
            self.wrong.append(f"a script or an element of a value asked for {request.url}")
        if address.scheme.startswith("http") and address.hostname not in ("localhost", "127.0.0.1"):
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


def _quote(part: str) -> str:
    return urllib.parse.quote(part, safe="")


def _store(s3_server: Any) -> S3Store:
    return S3Store(
        s3_server.bucket,
        endpoint=s3_server.endpoint_url,
        access_key_id=s3_server.access_key_id,
        secret_access_key=s3_server.secret_access_key,
        region="us-east-1",
        client_options={"allow_http": True},
    )
