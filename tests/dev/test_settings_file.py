"""`.env` and `airflow_settings.yaml` as `python3 -m dev` reads them."""

from __future__ import annotations

import json

import pytest

from dev import settings_file
from dev.errors import DevError

ENV = "# comment\n\nAIRFLOW__XCOM_STORE__URL=s3://my-bucket/a/prefix\nAIRFLOW__XCOM_STORE__ENDPOINT_URL=http://localhost:8333\n"
SETTINGS = """
airflow:
  connections:
    - conn_id: aws_default
      conn_type: aws
      conn_login: an-id
      conn_password: a-secret
      conn_port: 0
      conn_extra: {region_name: us-east-1}
    - conn_id: other
      conn_type: http
      conn_host: example.com
      conn_extra: '{"as": "text"}'
  variables:
    - variable_name: one
      variable_value: "1"
  pools:
    - pool_name: small
      pool_slot: 2
      pool_description: for big tasks
"""


@pytest.fixture
def read(tmp_path, monkeypatch):
    monkeypatch.setattr(settings_file, "ENV_FILE", tmp_path / ".env")
    monkeypatch.setattr(settings_file, "SETTINGS_FILE", tmp_path / "airflow_settings.yaml")

    def read(env=ENV, settings=SETTINGS):
        (tmp_path / ".env").write_text(env)
        (tmp_path / "airflow_settings.yaml").write_text(settings)
        return settings_file.read()

    return read


def test_what_is_read(read):
    settings = read()
    assert (settings.location, settings.s3_port, settings.keys) == (
        ("s3", "aws_default", "my-bucket", "a/prefix"),
        8333,
        ("an-id", "a-secret"),
    )
    aws, other = settings.connections
    assert json.loads(aws["extra"]) == {"region_name": "us-east-1"}
    assert "port" not in aws
    assert other["extra"] == '{"as": "text"}'
    assert settings.variables == [{"key": "one", "value": "1", "description": None}]
    assert settings.pools[0] == {
        "name": "small",
        "slots": 2,
        "description": "for big tasks",
        "include_deferred": False,
    }


def test_the_projects_own_files_can_be_read():
    settings = settings_file.read()
    assert settings.location
    assert settings.s3_port
    assert all(settings.keys)


def test_empty_sections(read):
    settings = read(settings="airflow:\n  connections:\n  variables:\n  pools:\n")
    assert (settings.connections, settings.variables, settings.pools) == ([], [], [])


@pytest.mark.parametrize(
    "settings", ["", "- a list", "airflow: {connections: [{conn_id: x}]}", "a: [b"]
)
def test_settings_that_cannot_be_used(read, settings):
    with pytest.raises(DevError, match=r"airflow_settings\.yaml cannot be used"):
        read(settings=settings)


def test_env_line_without_equals_sign(read):
    with pytest.raises(DevError, match="no '=' in the line 'NONSENSE'"):
        read(env=ENV + "NONSENSE\n")


def test_what_the_local_server_needs(read):
    with pytest.raises(DevError, match="does not set AIRFLOW__XCOM_STORE__URL"):
        _ = read(env="").location
    with pytest.raises(DevError, match=r"\.env: \[xcom_store\] url is 'my-bucket'"):
        _ = read(env="AIRFLOW__XCOM_STORE__URL=my-bucket").location
    with pytest.raises(DevError, match="no local S3 server to start"):
        _ = read(env="AIRFLOW__XCOM_STORE__ENDPOINT_URL=https://s3.example.com").s3_port
    with pytest.raises(DevError, match="no connection aws_default with conn_login"):
        _ = read(settings="airflow: {}").keys
