"""The client of Airflow's REST API: what it takes for an answer, and what it does not."""

from __future__ import annotations

import json
import time

import httpx
import pytest

from include.xcom_store.keys import Owner
from include.xcom_tools import airflow_access
from include.xcom_tools.airflow_api import AirflowApi, AirflowApiError, NotAllowed, Row
from include.xcom_tools.errors import ToolError
from tests.xcom_tools.sweep_airflow import BIG, HIDDEN_DAG, LIMITED_USER, owner

OWNER = owner()
ENTRY = {**OWNER._asdict(), "value": 1, "timestamp": "2026-11-22T10:00:00Z"}
NONE = {"detail": "XCom entry with key: `return_value` not found"}


def client(answer, **more):
    """A client of a server that always answers so: httpx's arguments, or an exception."""

    def handle(request):
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(**answer)

    transport = httpx.MockTransport(handle)
    return AirflowApi(httpx.Client(base_url="http://airflow", transport=transport), **more)


def test_a_row_and_none():
    assert client({"status_code": 200, "json": ENTRY}).xcom(OWNER) == Row(1)
    assert client({"status_code": 200, "json": ENTRY | {"value": None}}).xcom(OWNER) == Row(None)
    assert client({"status_code": 404, "json": NONE}).xcom(OWNER) is None


NO_ANSWERS = {
    "another 404": {"status_code": 404, "json": {"detail": "Not Found"}},
    "no route": {"status_code": 404, "json": {"error": "API route not found"}},
    "a page of a proxy": {"status_code": 404, "text": "<html>nothing here</html>"},
    "another key's 404": {
        "status_code": 404, "json": {"detail": "XCom entry with key: `other` not found"},
    },
    "empty 404": {"status_code": 404},
    "a list": {"status_code": 404, "json": [NONE]},
    "none, but 200": {"status_code": 200, "json": NONE},
    "another row": {"status_code": 200, "json": ENTRY | {"map_index": 0}},
    "a row of another run": {"status_code": 200, "json": ENTRY | {"run_id": "other"}},
    "no value": {"status_code": 200, "json": {k: v for k, v in ENTRY.items() if k != "value"}},
    "a login page": {"status_code": 200, "text": "<html>login</html>"},
    "a redirect": {"status_code": 307, "headers": {"Location": "/login"}},
    "an error": {"status_code": 500, "text": "Internal Server Error"},
    "an error that looks like none": {"status_code": 500, "json": NONE},
    "too busy": {"status_code": 503, "json": {"detail": "busy"}},
    "too many": {"status_code": 429, "json": {"detail": "slow down"}},
    "not logged in": {"status_code": 401, "json": {"detail": "Not authenticated"}},
    "not allowed": {"status_code": 403, "json": {"detail": "Forbidden"}},
    "not allowed, in HTML": {"status_code": 403, "text": "<html>"},
    "a timeout": httpx.ReadTimeout("slow"),
    "nobody there": httpx.ConnectError("refused"),
    "cut short": httpx.RemoteProtocolError("incomplete"),
}  # fmt: skip


@pytest.mark.parametrize("answer", NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_nothing_else_is_an_answer(answer):
    api = client(answer)
    for ask in (
        lambda: api.xcom(OWNER),
        lambda: list(api.xcoms("trips")),
        lambda: api.all_xcoms(Owner("trips", None)),
        lambda: list(api.runs()),
        lambda: list(api.dag_ids()),
        lambda: api.variable("x"),
        lambda: api.create_variable("x", "y", "z"),
    ):
        with pytest.raises(AirflowApiError) as caught:
            ask()
        assert "http://airflow" in str(caught.value)
        if isinstance(answer, dict) and answer["status_code"] == 403:
            assert caught.type is NotAllowed


def test_an_entry_that_is_not_understood():
    listed = {"xcom_entries": [{"dag_id": "trips"}], "total_entries": 1}
    with pytest.raises(AirflowApiError, match="not understood"):
        list(client({"status_code": 200, "json": listed}).xcoms())


@pytest.mark.parametrize("part", ["", ".", ".."])
def test_what_a_url_cannot_hold_is_not_asked(part):
    with pytest.raises(ToolError, match="cannot be asked for"):
        client({"status_code": 404, "json": NONE}).xcom(owner(key=part))


def test_an_airflow_behind_a_path():
    asked = []

    def handle(request):
        asked.append(request.url.raw_path.decode())
        return httpx.Response(404, json=NONE)

    transport = httpx.MockTransport(handle)
    api = AirflowApi(httpx.Client(base_url="https://host/d1", transport=transport))
    api.xcom(OWNER)
    [path] = asked
    assert path.startswith("/d1/api/v2/dags/trips/dagRuns/manual__1/taskInstances/load/xcomEntries")


def test_rate():
    api = client({"status_code": 404, "json": NONE}, rate=50)
    started = time.monotonic()
    for _ in range(11):
        api.xcom(OWNER)
    assert time.monotonic() - started >= 0.2
    assert api.requests == 11


# ------------------------------------------------------------------ of a real Airflow


def test_pages(airflow, connect):
    wanted = [owner(index=index) for index in range(250)]
    for whose in wanted:
        airflow.put(1, whose)
    airflow.put(1, owner(dag="other", run="r2"))
    api = connect()
    assert [listed.owner for listed in api.xcoms("trips", "manual__1")] == wanted
    assert len(list(api.xcoms())) == 251
    assert set(api.runs()) == {Owner("trips", "manual__1"), Owner("other", "r2")}
    assert sorted(api.dag_ids()) == ["other", "trips"]
    assert api.all_xcoms(Owner("trips", None)) is None
    assert api.all_xcoms(Owner("trips", None, None, 7)) == [owner(index=7)]
    assert api.xcom(owner(index=249)) == Row(1)
    assert api.xcom(owner(index=250)) is None


def test_values_are_what_the_database_holds(airflow, connect, s3):
    api = connect()
    record = airflow.push(BIG, OWNER)
    assert api.xcom(OWNER) == Row(record)
    for value in (None, 1, "text", [1, {"a": None}], {"__classname__": "x", "__data__": 1}):
        airflow.put(value, OWNER)
        assert api.xcom(OWNER) == Row(value)


def test_rights(airflow, connect, monkeypatch):
    airflow.put(1, owner(dag=HIDDEN_DAG))
    airflow.put(1, OWNER)
    api = connect(LIMITED_USER)
    assert api.xcom(OWNER) == Row(1)
    for whose in (owner(dag=HIDDEN_DAG), owner(dag=HIDDEN_DAG, key="none")):
        with pytest.raises(NotAllowed):
            api.xcom(whose)
    with pytest.raises(NotAllowed):
        list(api.xcoms(HIDDEN_DAG))
    assert [listed.owner for listed in api.xcoms()] == [OWNER]  # silently
    assert list(api.dag_ids()) == ["trips"]


def test_variables(airflow, connect):
    api = connect()
    assert api.variable("a/b c") is None
    api.create_variable("a/b c", "value", "of a test")
    assert api.variable("a/b c") == "value"
    with pytest.raises(AirflowApiError, match="409"):
        api.create_variable("a/b c", "other", "")
    assert api.variable("a/b c") == "value"


# ------------------------------------------------------------------ where, and who


@pytest.fixture
def seen(monkeypatch):
    """What `connect` makes of the environment: address and Authorization."""
    for name in ("URL", "TOKEN", "USERNAME", "PASSWORD"):
        monkeypatch.delenv(f"AIRFLOW_API_{name}", raising=False)

    def seen(url=None, **environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        clients = []

        def api(client, rate):
            clients.append(client)
            return AirflowApi(client, rate)

        monkeypatch.setattr(airflow_access, "AirflowApi", api)
        with airflow_access.connect(url) as made:
            return made.url, clients[0].headers.get("Authorization")

    return seen


CONNECTION = "AIRFLOW_CONN_AIRFLOW_API"


def connection(**fields):
    return json.dumps({"conn_type": "http", **fields})


def test_a_token_of_the_environment(seen):
    assert seen(AIRFLOW_API_URL="https://a/d1/", AIRFLOW_API_TOKEN="t") == (
        "https://a/d1",
        "Bearer t",
    )


def test_the_command_line_names_the_address(seen):
    found = seen("https://b/api/v2", AIRFLOW_API_URL="https://a", AIRFLOW_API_TOKEN="t")
    assert found == ("https://b", "Bearer t")


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        (
            {"host": "https://org.astronomer.run/d1", "password": "t"},
            "https://org.astronomer.run/d1",
        ),
        ({"host": "af.example.com", "password": "t"}, "https://af.example.com"),
        (
            {"host": "webserver", "schema": "http", "port": 8080, "password": "t"},
            "http://webserver:8080",
        ),
    ],
)
def test_a_connection_with_a_token(seen, fields, url):
    assert seen(**{CONNECTION: connection(**fields)}) == (url, "Bearer t")


def test_a_connection_without_a_host_goes_to_this_environments_own(seen):
    found = seen(
        **{CONNECTION: connection(password="t")},
        AIRFLOW__CORE__EXECUTION_API_SERVER_URL="http://api-server:8080/execution/",
    )
    assert found == ("http://api-server:8080", "Bearer t")


def test_nothing_set(seen):
    assert seen(
        AIRFLOW__CORE__EXECUTION_API_SERVER_URL="", AIRFLOW__API__BASE_URL="http://localhost:8081"
    ) == ("http://localhost:8081", None)


def test_no_address(seen):
    with pytest.raises(ToolError, match="not the address of an Airflow"):
        seen("localhost:8080", AIRFLOW_API_TOKEN="t")


def test_a_wrong_password_is_told_without_it(api_server, seen):
    with pytest.raises(AirflowApiError, match="401") as caught:
        seen(
            AIRFLOW_API_URL=api_server.url,
            AIRFLOW_API_USERNAME="sweeper",
            AIRFLOW_API_PASSWORD="not-the-password",
        )
    assert "not-the-password" not in str(caught.value)


def test_a_connection_with_user_and_password(api_server, seen):
    from tests.xcom_tools.sweep_airflow import PASSWORD

    fields = {"host": api_server.url, "login": "sweeper", "password": PASSWORD}
    url, authorization = seen(**{CONNECTION: connection(**fields)})
    assert url == api_server.url
    assert len(authorization) > 100


@pytest.mark.parametrize("token", ["no-token", ""])
def test_without_a_valid_token_nothing_is_answered(api_server, airflow, seen, token, monkeypatch):
    airflow.put(1, OWNER)
    monkeypatch.setenv("AIRFLOW_API_TOKEN", token)
    with (
        airflow_access.connect(api_server.url) as api,
        pytest.raises(AirflowApiError, match=r"40[13]|valid"),
    ):
        api.xcom(OWNER)
