"""docs/production.md: where the connection may come from, and what a change of its keys does.

Secrets Manager and Parameter Store are moto's, asked by Airflow's own secrets backends. The S3 keys
that come out are checked by SeaweedFS.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

pytest.importorskip("moto")
pytest.importorskip("boto3")
pytest.importorskip("airflow.providers.amazon")
from include.xcom_store import settings as backend_settings
from include.xcom_store.errors import AccessDenied
from include.xcom_store.stores import base
from tests.infra.conftest import as_connection
from tests.infra.secrets_backends import BACKENDS, put, settings
from tests.infra.users import connection, root_of

LARGE = ["x" * 2_000]


@pytest.fixture(autouse=True)
def _secrets_backends_of_each_test():
    """Airflow from 3.3.1 on keeps those of the settings that a process had first."""
    from airflow.sdk import configuration

    forget = getattr(configuration, "clear_secrets_backends_cache", lambda: None)
    forget()
    yield
    forget()


def push_and_pull(xcom):
    xcom.push(LARGE)
    assert xcom.pull() == LARGE
    assert base.connect(backend_settings.load()).access.source == "keys of connection 'aws_default'"


@pytest.fixture
def no_connection(xcom, monkeypatch):
    """The backend on the S3 server, with the connection taken away."""
    monkeypatch.delenv("AIRFLOW_CONN_AWS_DEFAULT")
    return xcom


def use(monkeypatch, name, endpoint):
    for variable, value in settings(name, endpoint).items():
        monkeypatch.setenv(variable, value)


@pytest.fixture
def stored(monkeypatch, moto_server, aws, s3_server, name):
    """The secrets backend in use, with the connection in it."""
    put(aws, name, connection(root_of(s3_server)))
    use(monkeypatch, name, moto_server)


@pytest.mark.parametrize("name", BACKENDS)
class TestSecretsBackend:
    def test_the_connection_comes_from_it(self, name, no_connection, stored):
        push_and_pull(no_connection)

    def test_it_beats_the_environment(self, name, no_connection, stored, monkeypatch):
        as_connection(monkeypatch, {"conn_type": "aws", "login": "wrong", "password": "wrong"})
        push_and_pull(no_connection)

    def test_one_that_fails_is_passed_over(self, name, no_connection, s3_server, monkeypatch):
        """By Airflow: so the page says to look at what a task's error says of the credentials."""
        use(monkeypatch, name, "http://127.0.0.1:1")
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        as_connection(monkeypatch, connection(root_of(s3_server)))
        push_and_pull(no_connection)


def test_the_page_sets_what_is_tried_here():
    page = Path(__file__).resolve().parents[2] / "docs" / "production.md"
    if not page.exists():
        pytest.skip("docs/ was deleted")
    lines = re.findall(
        r"^(AIRFLOW__SECRETS__\w+)=(.*)$", page.read_text(encoding="utf-8"), re.MULTILINE
    )
    for name, written in zip(BACKENDS, (dict(lines[:2]), dict(lines[2:])), strict=True):
        tried = settings(name, "http://127.0.0.1")
        backend, options = written.values()
        assert backend == tried["AIRFLOW__SECRETS__BACKEND"]
        here = json.loads(tried["AIRFLOW__SECRETS__BACKEND_KWARGS"])
        for only_here in ("endpoint_url", "aws_access_key_id", "aws_secret_access_key"):
            del here[only_here]
        assert json.loads(options) == here | {"region_name": "eu-west-1"}


def test_a_variable_of_the_environment(no_connection, s3_server, monkeypatch):
    as_connection(monkeypatch, connection(root_of(s3_server)))
    push_and_pull(no_connection)


def test_a_mounted_file(no_connection, s3_server, monkeypatch, tmp_path):
    """What Astro's Environment Manager does, by its documentation: Airflow's backend for files."""
    file = tmp_path / "connections.json"
    file.write_text(json.dumps({"aws_default": connection(root_of(s3_server))}))
    backend = "airflow.secrets.local_filesystem.LocalFilesystemBackend"
    monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND", backend)
    options = {"connections_file_path": str(file)}
    monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND_KWARGS", json.dumps(options))
    as_connection(monkeypatch, {"conn_type": "aws", "login": "wrong", "password": "wrong"})
    push_and_pull(no_connection)


# ------------------------------------------------------------------------ rotation


def test_rotating_keys(xcom, configure, user, iam_server, monkeypatch):
    def new_process():
        configure(url=f"s3://{iam_server.bucket}/xcom", endpoint_url=iam_server.endpoint_url)

    as_connection(monkeypatch, connection(user.first))
    new_process()
    xcom.push(LARGE)
    second = user.another()
    as_connection(monkeypatch, connection(second))
    assert xcom.pull() == LARGE  # by the first key: the connection is read once in a process
    user.deactivate(user.first)
    with pytest.raises(AccessDenied, match="does not know the access key: correct the connection"):
        xcom.pull()
    new_process()
    assert xcom.pull() == LARGE
