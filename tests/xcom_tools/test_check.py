"""`check`: what is right is said to be right, and ten broken set-ups are each named rightly.

On moto where AWS's own answers matter, on SeaweedFS else. Where neither can be had (KMS, a refused
deletion among several) the answer is AWS's, given by a proxy.
"""

from __future__ import annotations

import json
import os
import re
import socket

import pytest

pytest.importorskip("boto3")
pytest.importorskip("moto")
pytest.importorskip("obstore")
from include.xcom_tools import check, check_lifecycle
from tests.xcom_store import fault_proxy
from tests.xcom_store.fault_proxy import Fault, FaultProxy
from tests.xcom_tools.conftest import MOTO_BUCKET

SECRETS = ("local-secret-key", "wrong-secret", "hidden-in-the-extra")


@pytest.fixture
def report(monkeypatch):
    """The lines of a check, by what they are about; none of them holds a secret."""

    def report(**environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        lines = check.report()
        assert not [line for line in lines for secret in SECRETS if secret in str(line)]
        found = {}
        for line in lines:
            found.setdefault(line.about, []).append(line)
        return found

    return report


def only(lines):
    (line,) = lines
    return line


def errors(report):
    return {line.about for lines in report.values() for line in lines if line.state == "error"}


def dead_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


# ------------------------------------------------------------------------ what is right


def test_a_local_server(s3, command):
    """Not about its configuration, most of which would be warnings."""
    whole, local = (
        {line["about"] for line in command("check", *options, "--json").lines()}
        for options in ((), ("--local",))
    )
    assert whole - local >= {"anonymous", "versioning", "encryption", "lifecycle"}
    assert local - whole == {"configuration"}
    assert local >= {"list", "write", "read", "delete"}


def test_a_good_bucket(aws, report):
    kms = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "arn:aws:kms:us-east-1:1:key/a"}
    blocked = dict.fromkeys(
        ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
    )
    lifecycle = {
        "ID": "housekeeping", "Status": "Enabled", "Filter": {"Prefix": ""},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
        "Expiration": {"ExpiredObjectDeleteMarker": True},
    }  # fmt: skip
    for name, value in {
        "bucket_versioning": {"VersioningConfiguration": {"Status": "Enabled"}},
        "public_access_block": {"PublicAccessBlockConfiguration": blocked},
        "bucket_lifecycle_configuration": {"LifecycleConfiguration": {"Rules": [lifecycle]}},
        "bucket_encryption": {
            "ServerSideEncryptionConfiguration": {
                "Rules": [{"ApplyServerSideEncryptionByDefault": kms, "BucketKeyEnabled": True}]
            }
        },
    }.items():
        getattr(aws.s3, f"put_{name}")(Bucket=MOTO_BUCKET, **value)
    found = report()
    states = {about: only(lines).state for about, lines in found.items() if about != "backend"}
    assert states == dict.fromkeys(
        ("settings", "connection", "credentials", "endpoint", "region", "list", "write", "read",
         "anonymous", "delete", "versioning", "encryption", "public access", "lifecycle", "uploads"),
        "ok",
    )  # fmt: skip
    assert not aws.s3.list_objects_v2(Bucket=MOTO_BUCKET).get("Contents")


def test_the_local_server(s3, report):
    found = report()
    assert not errors(found)
    assert {only(found[name]).state for name in ("list", "write", "read", "delete")} == {"ok"}
    assert only(found["write"]).found.endswith(" ms.")
    assert only(found["public access"]).state == "not known"  # SeaweedFS has no such thing
    assert s3.keys() == []


def test_with_a_policy_for_values_alone_the_configuration_is_not_known(aws, report):
    aws.enforce("s3:GetObject", "s3:PutObject", "s3:DeleteObject")
    found = report()
    assert only(found["write"]).state == only(found["read"]).state == "ok"
    for about, permission in {
        "versioning": "s3:GetBucketVersioning",
        # not encryption: moto answers it to all
        "public access": "s3:GetBucketPublicAccessBlock",
        "lifecycle": "s3:GetLifecycleConfiguration",
        "uploads": "For the sweep to see these, allow s3:ListBucketMultipartUploads",
    }.items():
        line = only(found[about])
        assert line.state == "not known"
        assert permission in line.to_do


# ------------------------------------------------------------------------ ten broken set-ups


def test_1_no_store_is_set(report, configure):
    configure(url=None)
    found = report()
    assert errors(found) == {"settings"}
    assert "Set AIRFLOW__XCOM_STORE__URL to s3://bucket/prefix" in only(found["settings"]).found
    assert "write" not in found


def test_2_the_bucket_does_not_exist(aws, report, configure):
    configure(url="s3://nobody-made-this/xcom")
    found = report()
    assert errors(found) == {"bucket"}
    assert "NoSuchBucket" in only(found["bucket"]).found
    assert "Create the bucket" in only(found["bucket"]).found


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        (("local-access-key", "wrong-secret"), "SignatureDoesNotMatch"),
        (("unknown", "local-secret-key"), "InvalidAccessKeyId"),
    ],
)
def test_3_wrong_keys(s3, report, connection, keys, code):
    login, password = keys
    connection(login=login, password=password, extra={"region_name": "us-east-1"})
    found = report()
    assert errors(found) == {"credentials"}
    (source, refused) = found["credentials"]
    assert source.found == "By keys of connection 'aws_default'."
    assert code in refused.found
    assert "write" not in found


def test_4_wrong_region(aws, report, configure):
    where = {"LocationConstraint": "eu-west-1"}
    aws.client("s3", region_name="eu-west-1").create_bucket(
        Bucket="bucket-in-ireland", CreateBucketConfiguration=where
    )
    configure(url="s3://bucket-in-ireland/xcom", region_name="us-east-1")
    found = report()
    assert errors(found) == {"region"}
    assert only(found["region"]).found == "The bucket is in eu-west-1, us-east-1 is configured."
    assert "AIRFLOW__XCOM_STORE__REGION_NAME=eu-west-1" in only(found["region"]).to_do


def test_5_no_right_to_delete(s3, report, configure, monkeypatch):
    with FaultProxy(int(s3.server.endpoint_url.rpartition(":")[2])) as proxy:
        answer_instead(monkeypatch, proxy, b"POST", "200 OK", AWS_REFUSES_DELETION)
        configure(endpoint_url=proxy.url)
        found = report()
    assert errors(found) == {"delete"}
    line = only(found["delete"])
    assert "is not authorized to perform: s3:DeleteObject" in line.found
    assert f"Allow s3:DeleteObject on arn:aws:s3:::{s3.bucket}/{s3.prefix}/*" in line.to_do
    (left,) = s3.keys()
    assert left.startswith("_check/")
    assert f"has left {s3.url}/{left} behind" in line.to_do


def test_6_read_only(aws, report):
    aws.enforce("s3:GetObject")
    found = report()
    assert errors(found) == {"write"}
    assert only(found["write"]).to_do.startswith("A push needs s3:PutObject on arn:aws:s3:::")
    assert only(found["read"]).found == "Allowed: these credentials may read, and not write."


def test_7_a_lifecycle_that_deletes_live_values(aws, report):
    rule = {"ID": "thirty", "Status": "Enabled", "Filter": {"Prefix": "xcom/"}}
    rules = {"Rules": [rule | {"Expiration": {"Days": 30}}]}
    aws.s3.put_bucket_lifecycle_configuration(Bucket=MOTO_BUCKET, LifecycleConfiguration=rules)
    found = report()
    assert not errors(found)
    warning = next(line for line in found["lifecycle"] if "thirty" in line.found)
    assert warning.state == "warning"
    assert "deletes values 30 days after they were written" in warning.found


def test_8_a_public_bucket_by_policy(aws, report):
    everybody = {
        "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{MOTO_BUCKET}/*",
    }  # fmt: skip
    policy = json.dumps({"Version": "2012-10-17", "Statement": [everybody]})
    aws.s3.put_bucket_policy(Bucket=MOTO_BUCKET, Policy=policy)
    found = report()
    assert "public access" in errors(found)
    assert only(found["public access"]).found == "The bucket's policy makes it public."
    blocked = {"RestrictPublicBuckets": True}
    aws.s3.put_public_access_block(Bucket=MOTO_BUCKET, PublicAccessBlockConfiguration=blocked)
    assert only(report()["public access"]).state == "warning"


def test_8_a_public_bucket_as_anybody_sees_it(aws, report):
    aws.s3.put_bucket_acl(Bucket=MOTO_BUCKET, ACL="public-read")
    found = report()
    assert errors(found) == {"anonymous"}
    assert only(found["anonymous"]).found.startswith("Anybody can read the values")


@pytest.mark.parametrize("region", ["us-east-1", None])
def test_9_unreachable(s3, report, configure, connection, region):
    connection(login="a", password="b", extra={"region_name": region} if region else {})
    configure(endpoint_url=f"http://127.0.0.1:{dead_port()}", retry_timeout=1)
    found = report()
    assert errors(found) == {"endpoint"}
    assert "check endpoint and network" in found["endpoint"][-1].found.lower()


def test_10_the_key_of_the_encryption_is_denied(s3, report, configure, monkeypatch):
    with FaultProxy(int(s3.server.endpoint_url.rpartition(":")[2])) as proxy:
        answer_instead(monkeypatch, proxy, b"PUT", "403 Forbidden", AWS_REFUSES_THE_KEY)
        configure(endpoint_url=proxy.url)
        found = report()
    assert errors(found) == {"write"}
    line = only(found["write"])
    assert "may not use the bucket's encryption key: allow kms:GenerateDataKey" in line.found


# What AWS answers. DeleteObjects is answered 200, with the error inside.
AWS_REFUSES_DELETION = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Error><Key>{key}</Key>'
    "<Code>AccessDenied</Code><Message>User: arn:aws:iam::111122223333:user/airflow is not "
    'authorized to perform: s3:DeleteObject on resource: "arn:aws:s3:::bucket/{key}" because no '
    "identity-based policy allows the s3:DeleteObject action</Message></Error></DeleteResult>"
)
AWS_REFUSES_THE_KEY = (
    '<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code><Message>User: '
    "arn:aws:iam::111122223333:user/airflow is not authorized to perform: kms:GenerateDataKey on "
    "resource: arn:aws:kms:us-east-1:111122223333:key/1234abcd because no identity-based policy "
    "allows the kms:GenerateDataKey action</Message></Error>"
)


def answer_instead(monkeypatch, proxy, method, status, body):
    """Answer requests of one method so; pass on all others."""

    def answer(proxy, fault, client, buffer, head):
        if not head.startswith(method):
            return fault_proxy.pass_on(proxy, fault, client, buffer, head)
        asked = re.search(r"<Key>(.*?)</Key>", buffer.body(head).decode("latin-1"))
        said = body.replace("{key}", asked.group(1) if asked else "")
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(said)}\r\n\r\n"
        client.sendall((head + said).encode())
        return True

    monkeypatch.setitem(fault_proxy.KINDS, "answer", answer)
    proxy.inject(Fault("answer"))


# ------------------------------------------------------------------------ settings and connection


@pytest.mark.parametrize(
    ("options", "said"),
    [({"threshold": -1}, "threshold is -1"), ({"url": "bucket/xcom"}, "url is 'bucket/xcom'")],
)
def test_settings_that_cannot_be_used(report, configure, options, said):
    configure(**options)
    found = report()
    assert errors(found) == {"settings"}
    assert said in only(found["settings"]).found


def test_switched_off(s3, report, configure):
    configure(offload=False)
    assert report()["settings"][1].found == "offload is False: nothing new goes to the store."


def test_the_url_names_the_connection(s3, report, configure, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", os.environ["AIRFLOW_CONN_AWS_DEFAULT"])
    monkeypatch.delenv("AIRFLOW_CONN_AWS_DEFAULT")
    configure(url=s3.url.replace("://", "://other@"))
    found = report()
    assert not errors(found)
    assert only(found["settings"]).found.startswith(f"{s3.url}/, ")
    assert only(found["connection"]).found.startswith("'other' from the environment variable")


def test_whether_it_is_the_backend(s3, report, monkeypatch):
    from airflow.sdk.bases.xcom import BaseXCom
    from airflow.sdk.execution_time import xcom

    from include.s3_xcom_backend import S3XComBackend

    monkeypatch.setattr(xcom, "XCom", BaseXCom)
    assert only(report()["backend"]).state == "warning"
    monkeypatch.setattr(xcom, "XCom", S3XComBackend)
    assert "backend" not in report()


def test_a_connection_of_another_type(s3, report, connection):
    connection(conn_type="http")
    found = report()
    assert errors(found) == {"connection"}
    assert "is of type 'http', not aws" in found["connection"][-1].found


def test_an_endpoint_without_http(s3, report, configure):
    configure(endpoint_url="localhost:8333")
    found = report()
    assert errors(found) == {"connection"}
    assert "has to begin with http:// or https://" in found["connection"][-1].found


def test_the_environment_hides_the_database(s3, report, monkeypatch):
    from airflow.sdk.execution_time import supervisor
    from airflow.secrets.environment_variables import EnvironmentVariablesBackend

    class MetastoreBackend:
        def get_connection(self, conn_id):
            return object()

    class Vault:
        def get_connection(self, conn_id):
            raise RuntimeError("sealed\nhidden-in-the-extra")

    backends = [EnvironmentVariablesBackend(), MetastoreBackend()]
    monkeypatch.setattr(supervisor, "ensure_secrets_backend_loaded", lambda: backends)
    line = only(report()["connection"])
    assert line.found == (
        "'aws_default' from the environment variable AIRFLOW_CONN_AWS_DEFAULT; "
        "it hides the one in Airflow's database."
    )
    backends.insert(0, Vault())
    warning = report()["connection"][0]
    assert warning.state == "warning"
    assert warning.found.endswith("the secrets backend Vault fails: RuntimeError: sealed")


def test_without_a_connection_it_says_where_the_credentials_are_from(s3, report, monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_AWS_DEFAULT")
    found = report(
        AWS_ACCESS_KEY_ID="local-access-key",
        AWS_SECRET_ACCESS_KEY="local-secret-key",
        AWS_REGION="us-east-1",
    )
    assert not errors(found)
    assert "There is no connection 'aws_default'" in found["connection"][-1].found
    assert only(found["credentials"]).found == "By AWS_ACCESS_KEY_ID in the environment."


def test_a_secrets_backend_that_says_no(s3, report, monkeypatch):
    from airflow.sdk.exceptions import AirflowSecretsBackendAccessDenied
    from airflow.sdk.execution_time import supervisor

    class Strict:
        def get_connection(self, conn_id):
            raise AirflowSecretsBackendAccessDenied("not for this team")

    monkeypatch.setattr(supervisor, "ensure_secrets_backend_loaded", lambda: [Strict()])
    found = report()
    assert errors(found) == {"connection"}
    assert "not for this team" in found["connection"][-1].found


@pytest.mark.parametrize(
    "deployment", [{"ASTRONOMER_ENVIRONMENT": "cloud"}, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}]
)
def test_a_loopback_endpoint_in_a_deployment_is_an_error(s3, report, deployment):
    found = report(**deployment)
    assert errors(found) == {"endpoint"}
    assert "Unset AIRFLOW__XCOM_STORE__ENDPOINT_URL" in only(found["endpoint"]).to_do


def test_a_loopback_endpoint_on_a_laptop_is_none(s3, report):
    found = report(ASTRONOMER_ENVIRONMENT="local")
    line = only(found["endpoint"])
    assert (line.state, line.found) == (
        "ok", f"{s3.server.endpoint_url}, from AIRFLOW__XCOM_STORE__ENDPOINT_URL.",
    )  # fmt: skip


# ------------------------------------------------------------------------ lifecycle rules

EXPIRE = {"Expiration": {"Days": 30}}


@pytest.mark.parametrize(
    ("rule", "harmful"),
    [
        ({"Filter": {"Prefix": ""}, **EXPIRE}, True),
        ({"Prefix": "xcom", **EXPIRE}, True),
        ({"Filter": {"Prefix": "xcom/dag_id=trips"}, **EXPIRE}, True),
        ({"Filter": {"ObjectSizeGreaterThan": 1000}, **EXPIRE}, True),
        ({"Filter": {"And": {"Prefix": "x", "ObjectSizeLessThan": 9}}, **EXPIRE}, True),
        ({"Filter": {}, "Transitions": [{"Days": 90, "StorageClass": "DEEP_ARCHIVE"}]}, True),
        ({"Filter": {}, "Transitions": [{"Days": 90, "StorageClass": "STANDARD_IA"}]}, False),
        ({"Filter": {"Prefix": "dbt/"}, **EXPIRE}, False),
        ({"Filter": {"Prefix": "xcom2/"}, **EXPIRE}, False),
        ({"Filter": {"Tag": {"Key": "a", "Value": "b"}}, **EXPIRE}, False),
        ({"Filter": {"And": {"Prefix": "xcom/", "Tags": []}}, **EXPIRE}, False),
        ({"Filter": {}, "Expiration": {"ExpiredObjectDeleteMarker": True}}, False),
        ({"Filter": {}, "NoncurrentVersionExpiration": {"NoncurrentDays": 1}}, False),
        ({"Filter": {}, "Status": "Disabled", **EXPIRE}, False),
    ],
)
def test_which_rules_delete_or_archive_values(rule, harmful):
    rules = [{"ID": "rule", "Status": "Enabled", **rule}]
    lines = list(check_lifecycle.lines(rules, "xcom", versioned=False))
    assert any("'rule'" in line.found for line in lines) is harmful


# ------------------------------------------------------------------------ the command


def test_the_exit_code_and_json(s3, command, configure):
    done = command("check", "--json")
    assert done.code == 0
    assert {line["about"]: line["state"] for line in done.lines()}["endpoint"] == "ok"
    configure(url=None)
    done = command("check")
    assert done.code == 1
    assert "error      settings       no store is set" in done.out
