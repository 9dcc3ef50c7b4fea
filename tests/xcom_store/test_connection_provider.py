"""What static keys and plain variables do not cover goes through the amazon provider's session."""

from __future__ import annotations

from urllib.parse import parse_qs

import pytest

pytest.importorskip("obstore")
pytest.importorskip("airflow.providers.amazon")
from include.xcom_store.errors import AccessDenied, ConfigurationError
from include.xcom_store.settings import Settings
from include.xcom_store.stores import s3
from include.xcom_store.stores.location import parse_url
from tests import moto_iam
from tests.http_service import Handler, serve

pytestmark = pytest.mark.usefixtures("no_credentials_around")

KEYS = {"login": "the-key", "password": "the-secret"}
SHARED = """
[default]
aws_access_key_id = of-default
aws_secret_access_key = x

[team]
aws_access_key_id = of-team
aws_secret_access_key = y
"""


def resolve(**options):
    settings = Settings(**{"url": "s3://bucket", **options})
    return s3.resolve(parse_url(settings.url), settings)


def key_id(access):
    return access.credentials()["access_key_id"]


@pytest.fixture
def shared(monkeypatch, tmp_path):
    (tmp_path / "credentials").write_text(SHARED)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


def test_a_shared_credentials_file_alone(shared):
    assert key_id(resolve()) == "of-default"


def test_the_file_wins_over_web_identity_as_in_boto3(shared, monkeypatch):
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/x")
    assert key_id(resolve()) == "of-default"


def test_a_profile_of_the_environment(shared, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "team")
    assert key_id(resolve()) == "of-team"


def test_a_profile_of_the_connection(shared, connect):
    connect(extra={"profile_name": "team"})
    assert key_id(resolve()) == "of-team"


ASSUMED = b"""<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
<Credentials><AccessKeyId>of-role</AccessKeyId><SecretAccessKey>s</SecretAccessKey>
<SessionToken>of-session</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>
</AssumeRoleResult></AssumeRoleResponse>"""


@pytest.fixture
def sts():
    """An STS that lets anybody assume any role, and keeps what it was asked."""

    class Sts(Handler):
        def do_POST(self):
            self.server.asked.append(parse_qs(self.body().decode()))
            self.answer(200, ASSUMED)

    with serve(Sts) as server:
        yield server


def test_a_role_with_an_external_id(connect, sts):
    extra = {
        "role_arn": "arn:aws:iam::123456789012:role/xcoms",
        "assume_role_kwargs": {"ExternalId": "the-external-id"},
        "region_name": "eu-west-1",
        "service_config": {"sts": {"endpoint_url": sts.url}},
    }
    connect(**KEYS, extra=extra)
    access = resolve()
    found = access.credentials()
    assert (found["access_key_id"], found["token"]) == ("of-role", "of-session")
    assert found["expires_at"] is not None  # so that obstore asks again in time
    assert (access.endpoint, access.region) == (None, "eu-west-1")
    assert sts.asked[0]["RoleArn"] == ["arn:aws:iam::123456789012:role/xcoms"]
    assert sts.asked[0]["ExternalId"] == ["the-external-id"]


@pytest.mark.parametrize("name", ["external_id", "aws_account_id", "aws_iam_role"])
def test_an_extra_that_the_provider_ignores_is_refused(connect, name):
    connect(**KEYS, extra={name: "x"})
    with pytest.raises(ConfigurationError, match=name):
        resolve()


def test_an_assumed_role_reaches_s3(configure, connect, store, moto_server):
    bucket = moto_iam.client(moto_server, "s3")
    bucket.create_bucket(Bucket="assumed")
    service = {"sts": {"endpoint_url": moto_server}, "s3": {"endpoint_url": moto_server}}
    connect(**KEYS, extra={"role_arn": "arn:aws:iam::123456789012:role/xcoms",
                           "region_name": "us-east-1", "service_config": service})  # fmt: skip
    configure(url="s3://assumed")
    store().put("x/y", lambda sink: sink.write(b"data"))
    assert bucket.get_object(Bucket="assumed", Key="xcom/x/y")["Body"].read() == b"data"


def test_no_credentials_anywhere():
    with pytest.raises(
        ConfigurationError, match="no AWS credentials: neither connection 'aws_default'"
    ):
        resolve()


def test_a_profile_that_does_not_exist(shared, connect):
    connect(extra={"profile_name": "nobody"})
    with pytest.raises(ConfigurationError, match="nobody"):
        resolve()


def test_a_role_that_may_not_be_assumed(connect, moto_server, shared):
    service = {"sts": {"endpoint_url": moto_server}}
    connect(
        **KEYS, extra={"role_arn": "no-arn", "region_name": "us-east-1", "service_config": service}
    )
    with pytest.raises((ConfigurationError, AccessDenied)):
        resolve().credentials()
