"""The backend's fixtures, and an S3 that checks permissions."""

from __future__ import annotations

import json
from functools import partial
from types import SimpleNamespace

import pytest

from tests import moto_iam
from tests.xcom_store import conftest as fixtures
from tests.xcom_tools import sweep_airflow

configure, service, s3, store, supervisor, xcom = (
    fixtures.configure,
    fixtures.service,
    fixtures.s3,
    fixtures.store,
    fixtures.supervisor,
    fixtures.xcom,
)
# A real API server of Airflow, one for all tests here, and its rows.
api_server, connect, airflow, sweep = (
    sweep_airflow.api_server,
    sweep_airflow.connect,
    sweep_airflow.airflow,
    sweep_airflow.sweep,
)
connection = fixtures.connect  # to S3; `connect` is to Airflow

MOTO_BUCKET = "tools-bucket"


@pytest.fixture
def aws(moto_server, configure, connection):
    """moto as AWS: the backend configured for a bucket in it, and clients of its administrator."""
    client = partial(moto_iam.client, moto_server)

    def enforce(*actions, prefix="xcom"):
        """Go on as a user who may do no more than this, with permissions checked from now on."""
        iam = client("iam")
        iam.create_user(UserName="airflow")
        arn = f"arn:aws:s3:::{MOTO_BUCKET}"
        statements = [
            {"Effect": "Allow", "Action": list(actions), "Resource": f"{arn}/{prefix}/*"},
            {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": arn},
        ]
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_user_policy(UserName="airflow", PolicyName="xcoms", PolicyDocument=policy)
        key = iam.create_access_key(UserName="airflow")["AccessKey"]
        connection(login=key["AccessKeyId"], password=key["SecretAccessKey"])
        moto_iam.switch_enforcement(moto_server, "0")

    bucket = client("s3")
    bucket.create_bucket(Bucket=MOTO_BUCKET)
    connection(login="root", password="root")
    url = f"s3://{MOTO_BUCKET}/xcom"
    configure(url=url, endpoint_url=moto_server, region_name="us-east-1")
    yield SimpleNamespace(s3=bucket, client=client, enforce=enforce, endpoint=moto_server)
    moto_iam.switch_enforcement(moto_server, "inf")
    moto_iam.forget_everything(moto_server)


@pytest.fixture
def command(monkeypatch, capsys):
    """Run a command as the shell would; its exit code and what it printed."""
    from include.xcom_tools import cli

    monkeypatch.setattr(cli, "configure_log", lambda _level: None)  # the tests' own stays
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "server")

    def command(*arguments):
        capsys.readouterr()
        code = cli.main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return SimpleNamespace(code=code, out=printed.out, err=printed.err, lines=as_json(printed))

    def as_json(printed):
        return lambda: [json.loads(line) for line in printed.out.splitlines()]

    return command
