"""Credentials, endpoint and region: which of the many places that name them counts."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("obstore")
from include.xcom_store.errors import ConfigurationError, StoreUnreachable
from include.xcom_store.settings import Settings
from include.xcom_store.stores import s3
from include.xcom_store.stores.location import parse_url
from tests import moto_iam
from tests.http_service import Handler, serve

pytestmark = pytest.mark.usefixtures("no_credentials_around")

KEYS = {"login": "the-key", "password": "the-secret"}


def resolve(**options):
    settings = Settings(**{"url": "s3://bucket", **options})
    return s3.resolve(parse_url(settings.url), settings)


def key_id(access):
    return access.credentials()["access_key_id"]


class TestStaticKeys:
    def test_login_and_password(self, connect):
        connect(**KEYS)
        access = resolve()
        assert access.credentials() == {
            "access_key_id": "the-key", "secret_access_key": "the-secret", "token": None,
            "expires_at": None,
        }  # fmt: skip
        assert access.source == "keys of connection 'aws_default'"

    def test_a_uri(self, monkeypatch):
        uri = "aws://the-key:a%2Fsecret@/?region_name=eu-west-1&aws_session_token=token"
        monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", uri)
        found = resolve().credentials()
        assert (found["secret_access_key"], found["token"]) == ("a/secret", "token")
        assert resolve().region == "eu-west-1"

    def test_extras_and_a_session_token(self, connect):
        connect(
            extra={"aws_access_key_id": "k", "aws_secret_access_key": "s", "aws_session_token": "t"}
        )
        found = resolve().credentials()
        assert (found["access_key_id"], found["secret_access_key"], found["token"]) == (
            "k",
            "s",
            "t",
        )

    def test_login_before_extras(self, connect):
        connect(**KEYS, extra={"aws_access_key_id": "k", "aws_secret_access_key": "s"})
        assert key_id(resolve()) == "the-key"

    def test_they_win_over_the_environment(self, connect, monkeypatch):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-environment")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
        connect(**KEYS)
        assert key_id(resolve()) == "the-key"

    def test_another_connection(self, connect):
        connect(login="no", password="no")
        connect("xcoms", **KEYS)
        assert key_id(resolve(url="s3://xcoms@bucket")) == "the-key"

    def test_no_secret_in_the_representation(self, connect):
        connect(**KEYS, extra={"aws_session_token": "the-token"})
        assert not {"the-secret", "the-token"} & set(repr(resolve()).replace("'", " ").split())


EVERYWHERE = [
    ("endpoint_url", "http://setting"), ("service", "http://service"), ("extra", "http://extra"),
    ("AWS_ENDPOINT_URL_S3", "http://env-s3"), ("AWS_ENDPOINT_URL", "http://env"),
]  # fmt: skip


@pytest.mark.parametrize("first", range(len(EVERYWHERE)))
def test_the_order_of_endpoints(connect, monkeypatch, first):
    given = dict(EVERYWHERE[first:])
    for name in [name for name in given if name.startswith("AWS")]:
        monkeypatch.setenv(name, given[name])
    extra = {"endpoint_url": given.get("extra")}
    extra["service_config"] = {"s3": {"endpoint_url": given.get("service")}}
    connect(**KEYS, extra=extra)
    assert resolve(endpoint_url=given.get("endpoint_url")).endpoint == EVERYWHERE[first][1]


def test_no_endpoint_is_aws(connect):
    connect(**KEYS)
    assert resolve().endpoint is None


@pytest.mark.parametrize("given", [
    {}, {"sts": {"endpoint_url": "http://sts"}}, {"s3": {}}, {"s3": None}, None,
])  # fmt: skip
def test_a_service_config_without_s3(connect, given):
    connect(**KEYS, extra={"service_config": given})
    assert resolve().endpoint is None


def test_the_order_of_regions(connect, monkeypatch):
    connect(**KEYS)
    assert resolve().region is None
    monkeypatch.setenv("AWS_DEFAULT_REGION", "default")
    assert resolve().region == "default"
    monkeypatch.setenv("AWS_REGION", "region")
    assert resolve().region == "region"
    connect(**KEYS, extra={"region_name": "extra"})
    assert resolve().region == "extra"
    assert resolve(region_name="setting").region == "setting"


class TestEnvironment:
    """obstore finds and refreshes these itself: no boto3 is imported."""

    @pytest.mark.parametrize("variables", [
        {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"},
        {"AWS_WEB_IDENTITY_TOKEN_FILE": "/token", "AWS_ROLE_ARN": "arn:aws:iam::1:role/r"},
        {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/x"},
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/x",
         "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/token"},
    ], ids=lambda given: next(iter(given)))  # fmt: skip
    @pytest.mark.parametrize("with_connection", [True, False])
    def test_it_is_left_to_obstore(self, connect, monkeypatch, variables, with_connection):
        if with_connection:
            connect(extra={"region_name": "eu-west-1"})
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        access = resolve()
        assert access.credentials is None
        assert next(iter(variables)) in access.source

    def test_keys_of_the_environment_reach_s3(self, s3, store, monkeypatch):
        monkeypatch.delenv("AIRFLOW_CONN_AWS_DEFAULT")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.server.access_key_id)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.server.secret_access_key)
        store().put("x", lambda sink: sink.write(b"x"))
        assert s3.keys() == ["x"]


class TestRefused:
    @pytest.mark.parametrize(
        "name", ["auth_mode", "credential_source", "sso_role", "tls_cert", "my_token"]
    )
    def test_an_unknown_extra_about_access(self, connect, name):
        connect(**KEYS, extra={name: "x"})
        with pytest.raises(ConfigurationError, match=f"'aws_default'.*{name}.*s3://conn_id@bucket"):
            resolve()

    @pytest.mark.parametrize("verify", [False, "false", "/no/such/ca.pem"])
    def test_tls_that_is_not_verified(self, connect, verify):
        connect(**KEYS, extra={"verify": verify})
        with pytest.raises(ConfigurationError, match=r"verify|no/such/ca\.pem"):
            resolve()

    @pytest.mark.parametrize(("extra", "name"), [
        ({"config_kwargs": {"retries": {"max_attempts": 9}}}, "config_kwargs.retries"),
        ({"config_kwargs": {"s3": {"addressing_style": "dns"}}}, "addressing_style ('dns': auto, "),
        ({"config_kwargs": {"request_checksum_calculation": "yes"}}, "_calculation ('yes': when_re"),
        ({"config_kwargs": '{"s3": {}}'}, "config_kwargs of the AWS connection has to be an object"),
        ({"service_config": {"s3": "http://x"}}, "service_config.s3 of the AWS connection has to"),
        ({"config_kwargs": {"s3": {"use_accelerate_endpoint": True}}}, "use_accelerate_endpoint"),
        ({"config_kwargs": {"signature_version": "s3"}}, "config_kwargs.signature_version"),
        ({"service_config": {"s3": {"verify": "x"}}}, "service_config.s3.verify"),
    ])  # fmt: skip
    def test_what_would_be_ignored(self, connect, extra, name):
        connect(**KEYS, extra=extra)
        with pytest.raises(ConfigurationError, match=re.escape(name)):
            resolve()

    def test_a_connection_of_another_type(self, connect):
        connect(conn_type="postgres", **KEYS)
        with pytest.raises(
            ConfigurationError,
            match=r"'postgres', not aws. Name one of type aws in \[xcom_store\] url",
        ):
            resolve()


@pytest.mark.parametrize("extra", [
    {"verify": True}, {"config_kwargs": {}}, {"host": "x"}, {"bucket_name": "logs"},
    {"config_kwargs": {"s3": {"addressing_style": "auto"}}}, {"service_config": {"s3": {"bucket_name": "x"}}},
    {"service_config": {"sqs": {}}}, {"aws_account_id": ""}, {"role_arn": ""}, {"profile_name": None},
])  # fmt: skip
def test_what_does_not_concern_access_is_left_alone(connect, extra):
    connect(**KEYS, extra=extra)
    assert key_id(resolve()) == "the-key"


def test_a_region_that_nobody_names_is_asked_of_the_bucket(connect, moto_server):
    moto_iam.client(moto_server, "s3", region_name="eu-central-1").create_bucket(
        Bucket="far-away", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    connect(**KEYS)
    settings = Settings(url="s3://far-away", endpoint_url=moto_server)
    location = parse_url(settings.url)
    client = s3.client(location, settings, s3.resolve(location, settings))
    assert client.config["region"] == "eu-central-1"


def test_a_bucket_that_cannot_say_its_region_now_is_not_taken_for_one_in_us_east_1(connect):
    class Busy(Handler):
        def do_HEAD(self):
            self.send_error(503)

    connect(**KEYS)
    with serve(Busy) as server:
        settings = Settings(url="s3://bucket", endpoint_url=server.url)
        location = parse_url(settings.url)
        with pytest.raises(StoreUnreachable, match="region"):
            s3.find_region(location, settings, s3.resolve(location, settings))


@pytest.mark.parametrize("endpoint", [
    "localhost:9000", "ftp://x", "https://key:the-secret@host", "http://host?key=the-secret",
])  # fmt: skip
def test_an_endpoint_that_cannot_be_used(connect, endpoint):
    connect(**KEYS)
    with pytest.raises(ConfigurationError, match="AIRFLOW__XCOM_STORE__ENDPOINT_URL") as error:
        resolve(endpoint_url=endpoint)
    assert "the-secret" not in str(error.value)
