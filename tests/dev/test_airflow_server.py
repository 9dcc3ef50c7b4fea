"""A component of Airflow that dies, and what is said meanwhile; with a stand-in for `airflow`."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from dev import airflow_environment, airflow_rest, airflow_server, ports
from dev.airflow_rest import AirflowApi
from dev.airflow_server import AirflowServer
from dev.errors import DevError
from tests import http_service, waiting


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Runs `sh` in place of `airflow`; what it said is in `said`."""
    monkeypatch.setattr(airflow_server, "_airflow", lambda: "/bin/sh")
    said, port = [], ports.free_ports(1)[0]
    env = airflow_environment.make(tmp_path, port, {})
    with AirflowServer(tmp_path, port, env, said.append) as made:
        made.said = said
        yield made


def ended(server, name):
    waiting.until(lambda: server.components[name].poll() is not None, every=0.05)


def test_what_dies_is_started_again_three_times(server, tmp_path):
    server.launch("triggerer", ["-c", "echo $WHY; exit 3"], {"WHY": "locked"}, tmp_path)
    for attempt in (1, 2, 3):
        ended(server, "triggerer")
        server.check_alive()
        assert (
            f"triggerer ended with status 3 and is started again ({attempt} of 3" in server.said[-1]
        )
    ended(server, "triggerer")
    with pytest.raises(DevError, match="after 3 restarts") as raised:
        server.check_alive()
    assert str(raised.value).count("| locked") == 4  # the log has all of its lives


def test_what_lives_is_left_alone(server, tmp_path):
    server.launch("scheduler", ["-c", "sleep 60"], {}, tmp_path)
    first = server.components["scheduler"]
    server.check_alive()
    assert server.components["scheduler"] is first
    assert server.said == []


def test_only_the_api_server_gives_the_database_up_soon(server, tmp_path):
    """It can wait for one of its own requests, which needs it to end."""
    for name, seconds in (("scheduler", 60), ("api-server", 10)):
        server.launch(name, ["-c", f"echo ${airflow_environment.DATABASE}"], {}, tmp_path)
        ended(server, name)
        assert (
            server.log(name).read_text() == f"sqlite:///{tmp_path}/airflow.db?timeout={seconds}\n"
        )


def test_it_says_what_it_waits_for(server, tmp_path, monkeypatch):
    monkeypatch.setattr(airflow_server, "_NEEDED_LATER", {})
    monkeypatch.setattr(airflow_server, "_SAID_SECONDS", 0.3)
    answers = iter([["API server"]] * 3 + [["scheduler", "DAG processor"]] * 2 + [[]])
    monkeypatch.setattr(server.api, "awaited", lambda: next(answers))
    monkeypatch.setattr(server, "_listens", lambda: True)
    server.wait_until_healthy()
    said = [line.split("waiting for: ")[1] for line in server.said]
    assert said[0] == "API server"
    assert said[-1] == "scheduler, DAG processor"
    assert len(said) == 3  # the first one again, as nothing changed for long


def test_another_airflow_on_its_port_is_not_taken_for_it(server, tmp_path, monkeypatch):
    monkeypatch.setattr(server.api, "awaited", list)  # that one is healthy
    script = "sleep 1; echo '[Errno 98] address already in use'; exit 3"
    server.launch("api-server", ["-c", script], {}, tmp_path)
    with pytest.raises(DevError, match="Another program has taken the port"):
        server.wait_until_healthy()


class Answers(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"version": "1"}')

    def log_message(self, *_):
        pass


def test_a_request_waits_for_an_api_server_that_comes_back():
    (port,) = ports.free_ports(1)
    started = []

    def start():
        if not started:
            started.append(HTTPServer(("127.0.0.1", port), Answers))
            threading.Thread(target=started[0].serve_forever, daemon=True).start()

    assert AirflowApi(f"http://127.0.0.1:{port}", start).version() == "1"
    started[0].shutdown()
    started[0].server_close()


@pytest.mark.parametrize("failures", [2, 3])
def test_a_request_that_fails_is_made_again(monkeypatch, failures):
    monkeypatch.setattr(airflow_rest.time, "sleep", lambda _seconds: None)

    class Failing(http_service.Handler):
        def do_POST(self):
            self.body()
            self.server.asked.append(self.path)
            self.answer(500 if len(self.server.asked) <= failures else 200, b"{}")

    told = pytest.raises(DevError, match="500 to POST") if failures == 3 else nullcontext()
    with http_service.serve(Failing) as server, told:
        AirflowApi(server.url).trigger("trips")
    assert server.asked == ["/api/v2/dags/trips/dagRuns"] * 3


def test_a_request_does_not_wait_for_ever(monkeypatch):
    monkeypatch.setattr(airflow_rest, "_GONE_SECONDS", 0.5)
    (port,) = ports.free_ports(1)
    with pytest.raises(ConnectionError, match="GET api/v2/version"):
        AirflowApi(f"http://127.0.0.1:{port}").version()
