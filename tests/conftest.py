"""Fixtures of the whole suite.

Imported inside the Astro image too, where `dev/` and the S3 server are absent: nothing here needs
them at import, and tests that need an S3 server are skipped there with the reason.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
from pathlib import Path

import pytest

# In an environment that `python3 -m dev` has not made (the Astro CLI's standalone mode makes its own
# .venv in this folder) `dev` has not what it needs, and must not install it there: as if absent.
if not Path(sys.prefix, "installed-from-lock").exists():
    sys.modules["dev"] = None  # type: ignore[assignment] - how Python says that it cannot be found

# Before anything imports Airflow: a home of its own, and nothing of the caller's settings.
if "ASTRONOMER_RUNTIME_VERSION" not in os.environ:
    os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airflow-tests-")
    for name in [n for n in os.environ if n.startswith(("AIRFLOW__", "AIRFLOW_CONN_", "AWS_"))]:
        if name != "AWS_CA_BUNDLE":
            del os.environ[name]
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__ALLOWED_DESERIALIZATION_CLASSES"] = "airflow.* tests.*"
os.environ["GX_ANALYTICS_ENABLED"] = "False"

if importlib.util.find_spec("hypothesis"):
    from hypothesis import HealthCheck, settings

    # A busy machine is slow; that says nothing about the code.
    settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("busy")


# Of folders whose files share a server that takes seconds to start, or an engine on which two of them
# at once would starve each other; one process takes all of them.
TOGETHER = ("tests/xcom_tools/", "tests/astro/")
# Begun first where files are dealt out to processes, so that all end at about the same time.
SLOWEST = (
    "tests/dev/test_demo.py",
    "tests/test_drop_in.py",
    "tests/xcom_tools/",
    "tests/xcom_store/test_faults.py",
    "tests/test_example_dags.py",
    "tests/test_airflow_examples.py",
    "tests/xcom_viewer/test_browser",
    "tests/test_great_expectations_dags.py",
    "tests/dev/test_environment.py",
    "tests/dev/test_s3_server.py",
)


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="also run the tests that take long")
    parser.addoption("--write-docs", action="store_true", help="write what is measured into docs/")


@pytest.hookimpl(tryfirst=True)  # before -m chooses by these marks
def pytest_collection_modifyitems(config, items):
    for item in items:
        if item.get_closest_marker("weekly"):
            item.add_marker("long")
        if item.get_closest_marker("long") and not config.getoption("--long"):
            item.add_marker(pytest.mark.skip(reason="takes long: run with --long"))
    items.sort(key=lambda item: [not item.nodeid.startswith(slow) for slow in SLOWEST])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid):
            shared = next(filter(nodeid.startswith, TOGETHER), None)
            return shared or super()._split_scope(nodeid)

    return Scheduling(config, log)


@pytest.fixture(scope="session", autouse=True)
def errors_end():
    """No error that a test expects leads back to itself.

    structlog, which writes tasks' logs, follows causes without an end: the task would never fail,
    and take all memory.
    """
    leave = pytest.RaisesExc.__exit__

    def check(self, kind, error, traceback):
        seen, each = [], error
        while each is not None:
            assert each not in seen, f"{each!r} is its own cause"
            seen.append(each)
            each = each.__cause__ or (None if each.__suppress_context__ else each.__context__)
        return leave(self, kind, error, traceback)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pytest.RaisesExc, "__exit__", check)
        yield


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory):
    """A real S3 server (SeaweedFS) with the bucket `airflow-xcoms`."""
    module = pytest.importorskip(
        "dev.s3_server", reason="no S3 server here: `python3 -m dev test` has it"
    )
    server = module.S3Server.start(tmp_path_factory.mktemp("s3"), bucket="airflow-xcoms")
    yield server
    server.kill()  # an orderly end takes seconds, for data that nobody wants any more


@pytest.fixture(scope="session")
def moto_server():
    """The endpoint of moto's server: AWS answers that SeaweedFS does not give."""
    server = pytest.importorskip("moto.server", reason="moto is not installed here")
    thread = server.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    thread.start()
    host, port = thread.get_host_and_port()
    yield f"http://{host}:{port}"
    thread.stop()
