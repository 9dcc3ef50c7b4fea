"""The connections in the stack's outputs: pasted as they are, they work."""

from __future__ import annotations

import json
import shlex

import pytest

pytest.importorskip("moto")
pytest.importorskip("boto3")
from include.xcom_store import settings
from include.xcom_store.errors import AccessDenied, ConfigurationError
from include.xcom_store.stores import base
from tests.airflow_process import airflow
from tests.infra.conftest import ACCOUNT, as_connection
from tests.moto_iam import enforcing

__all__ = ["airflow"]

pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse AWS..S3..BucketPolicy")
LARGE = ["x" * 2_000, b"y" * 70_000]  # an object, and a leaf under it


def filled_in(output, key):
    """The user's connection from the outputs with the access key in it, as the operator does."""
    output = output.replace("SECRET_ACCESS_KEY", key["SecretAccessKey"])
    return output.replace("ACCESS_KEY_ID", key["AccessKeyId"])


def parsed(monkeypatch, text):
    from airflow.sdk import BaseHook

    as_connection(monkeypatch, text)
    found = BaseHook.get_connection("aws_default")
    return found.conn_type, found.login, found.password, found.extra_dejson


def command_line(text):
    """What `airflow connections add` would store."""
    words = shlex.split(text)
    assert words[:4] == ["airflow", "connections", "add", "aws_default"]
    options = dict(zip(words[4::2], words[5::2], strict=True))
    if "--conn-json" in options:
        return options["--conn-json"]
    return {
        "conn_type": options["--conn-type"],
        "login": options["--conn-login"],
        "password": options["--conn-password"],
        "extra": json.loads(options["--conn-extra"]),
    }


@pytest.mark.parametrize("external_id", ["", "of-the-team_1"])
@pytest.mark.parametrize("who", ["Role", "User"])
def test_the_three_forms_of_a_connection_are_the_same(create, monkeypatch, who, external_id):
    worker = f"arn:aws:iam::{ACCOUNT}:role/worker"
    outputs = create(
        TrustedPrincipalArn=worker, ExternalId=external_id, UserName="airflow-xcoms"
    ).outputs
    expected = {"region_name": "us-east-1"}
    if who == "Role":
        expected["role_arn"] = outputs["RoleArn"]
        if external_id:
            expected["assume_role_kwargs"] = {"ExternalId": external_id}
    as_json = parsed(monkeypatch, outputs[f"{who}Connection"])
    assert as_json[0] == "aws"
    assert as_json[3] == expected
    assert parsed(monkeypatch, outputs[f"{who}ConnectionUri"])[1:] == as_json[1:]
    assert parsed(monkeypatch, command_line(outputs[f"{who}ConnectionCommand"])) == as_json


def test_a_secret_in_the_uri(create, monkeypatch):
    uri = create(UserName="airflow-xcoms").outputs["UserConnectionUri"]
    key = {"AccessKeyId": "AKIA0", "SecretAccessKey": "a/b+c/d"}
    as_written = filled_in(uri, key | {"SecretAccessKey": "a%2Fb+c%2Fd"})
    assert parsed(monkeypatch, as_written)[1:3] == ("AKIA0", "a/b+c/d")


@pytest.mark.long
@pytest.mark.parametrize("who", ["Role", "User"])
def test_the_command_writes_the_connection(create, airflow, who):
    worker = f"arn:aws:iam::{ACCOUNT}:role/worker"
    outputs = create(TrustedPrincipalArn=worker, ExternalId="x", UserName="airflow-xcoms").outputs
    command = shlex.split(outputs[f"{who}ConnectionCommand"].replace("aws_default", f"as_{who}"))
    said = airflow.run(*command[1:])
    assert f"Successfully added `conn_id`=as_{who}" in said, said
    printed = airflow.run("connections", "get", f"as_{who}", "-o", "json")
    (found,) = json.loads(printed[printed.rindex("[{") :])
    expected = json.loads(outputs[f"{who}Connection"])
    assert found["conn_type"] == "aws"
    assert found["extra_dejson"] == expected["extra"]
    assert found["login"] == expected.get("login")
    assert found["password"] == expected.get("password")


@pytest.fixture
def worker(aws, create, moto_server, monkeypatch):
    """A worker whose environment has keys of its own, and a role that it may assume."""
    iam = aws("iam")
    arn = iam.create_user(UserName="worker")["User"]["Arn"]
    key = iam.create_access_key(UserName="worker")["AccessKey"]
    stack = create(TrustedPrincipalArn=arn, ExternalId="of-the-team")
    assume = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": stack.outputs["RoleArn"]}
    document = json.dumps({"Version": "2012-10-17", "Statement": [assume]})
    iam.put_user_policy(UserName="worker", PolicyName="assume", PolicyDocument=document)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", moto_server)
    with enforcing(moto_server):
        yield stack


def test_the_role_by_the_connection_of_the_outputs(use, worker, moto_server):
    xcom = use(worker.bucket, moto_server, worker.outputs["RoleConnection"])
    xcom.push(LARGE)
    assert xcom.pull() == LARGE
    assert "amazon provider's session" in base.connect(settings.load()).access.source


def test_the_role_asks_for_the_external_id(use, worker, moto_server):
    wrong = worker.outputs["RoleConnection"].replace("of-the-team", "of-others")
    with pytest.raises(ConfigurationError, match="AssumeRole"):
        use(worker.bucket, moto_server, wrong).push(LARGE)


def test_the_workers_own_keys_open_nothing(use, worker, moto_server):
    with pytest.raises(AccessDenied):
        use(worker.bucket, moto_server, {"conn_type": "aws"}).push(LARGE)


def test_the_user_by_the_connection_of_the_outputs(use, create, aws, moto_server):
    stack = create(UserName="airflow-xcoms")
    assert stack.outputs["AccessKeyCommand"].endswith("create-access-key --user-name airflow-xcoms")
    key = aws("iam").create_access_key(UserName="airflow-xcoms")["AccessKey"]
    with enforcing(moto_server):
        xcom = use(stack.bucket, moto_server, filled_in(stack.outputs["UserConnection"], key))
        xcom.push(LARGE)
        assert xcom.pull() == LARGE
