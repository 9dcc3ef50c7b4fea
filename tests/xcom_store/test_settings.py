"""The `[xcom_store]` section: what is read, what is refused, and what the refusal says."""

from __future__ import annotations

import re

import pytest

from include.xcom_store.errors import ConfigurationError
from include.xcom_store.settings import Settings, check
from include.xcom_store.stores.location import Location, parse_url

KEY_ARN = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"


@pytest.mark.parametrize("options", [
    {"encryption": "rot13"}, {"kms_key_id": KEY_ARN}, {"encryption": "AES256", "kms_key_id": KEY_ARN},
    {"operation_timeout": 0}, {"request_timeout": "soon"}, {"compression": "gzip"}, {"checksum_algorithm": "MD5"}, {"unsigned_payload": "?"}, {"offload": "maybe"},
    {"threshold": -1}, {"threshold": "many"}, {"connect_timeout": "nan"},
    {"connect_timeout": "1e-9"}, {"retry_timeout": "inf"}, {"viewer": "perhaps"},
], ids=str)  # fmt: skip
def test_a_setting_that_cannot_be_used_says_which(configure, options):
    from include.xcom_store import settings

    configure(**{"url": "s3://bucket", **options})
    name = next(iter(options))
    with pytest.raises(
        ConfigurationError,
        match=rf"({name}|encryption).*AIRFLOW__XCOM_STORE__({name.upper()}|ENCRYPTION)",
    ):
        settings.load()


def test_the_defaults_can_be_used():
    assert check(Settings()).threshold == 1024


@pytest.mark.parametrize(("url", "location"), [
    ("s3://bucket", Location("s3", "aws_default", "bucket", "xcom")),
    ("s3://bucket/", Location("s3", "aws_default", "bucket", "xcom")),
    ("s3://bucket/a/b_c-1/", Location("s3", "aws_default", "bucket", "a/b_c-1")),
    ("s3://my.team-2@my-bucket.2/x", Location("s3", "my.team-2", "my-bucket.2", "x")),
    ("gs://bucket/a", Location("gs", "google_cloud_default", "bucket", "a")),
    ("az://team@container", Location("az", "team", "container", "xcom")),
    ("hdfs://host:9000/user/a", Location("hdfs", "webhdfs_default", "host:9000", "user/a")),
    ("hdfs://nameservice", Location("hdfs", "webhdfs_default", "nameservice", "xcom")),
])  # fmt: skip
def test_a_url(url, location):
    assert parse_url(url) == location


def test_its_root_does_not_name_the_connection():
    assert parse_url("s3://team@bucket/x").root == "s3://bucket/x"


@pytest.mark.parametrize("url", [
    "bucket", "bucket/xcom", "s3:bucket", "s3://", "s3:///xcom", "s3a://bucket/xcom", "s3n://bucket",
    "S3://bucket", "gs://bucket:1/xcom", "gcs://bucket", "azure://c", "abfs://c@a/x", "wasb://c@a",
    "hdfs://host:nine/xcom", "webhdfs://host/x", "https://bucket.s3.amazonaws.com/xcom", "file:///x",
    "arn:aws:s3:us-east-1:123456789012:accesspoint/xcoms", "s3://arn:aws:s3:us-east-1:1:accesspoint/x",
    "s3://bucket:9000/x", "s3://a@b@bucket", "s3://bucket/a b", "s3://bucket/a/../b", "s3://bucket/a//b",
    "s3://bucket/x?y=1", "s3://bucket/x#y", "s3://bucket/dag_id=x", "s3://bucket/ü", "s3://-bucket",
    "s3://bucket/" + "a" * 151, "s3://bucket/x\n",
])  # fmt: skip
def test_any_other_is_refused_with_the_form_to_write(url):
    with pytest.raises(ConfigurationError) as error:
        parse_url(url)
    message = str(error.value)
    assert "AIRFLOW__XCOM_STORE__URL" in message
    assert re.search(
        r"(s3|gs)://bucket/prefix|az://container|hdfs://host:port|a prefix of", message
    )


def test_of_a_known_other_name_the_form_is_spelled_out():
    for name, meant in {"s3a": "s3", "gcs": "gs", "webhdfs": "hdfs", "wasb": "az"}.items():
        with pytest.raises(ConfigurationError, match=f"so here {meant}://place/xcom"):
            parse_url(f"{name}://place/xcom")


@pytest.mark.parametrize("url", [
    "s3://AKIA:the-secret@bucket/xcom", "s3a://x:the-secret@bucket", "AKIA:the-secret@bucket",
    "s3:/AKIA:the-secret@bucket", "s3://bucket/xcom?aws_secret_access_key=the-secret",
])  # fmt: skip
def test_keys_in_a_url_are_refused_and_not_repeated(url):
    with pytest.raises(ConfigurationError) as error:
        parse_url(url)
    assert "the-secret" not in str(error.value)
    assert "conn_id@" in str(error.value)
