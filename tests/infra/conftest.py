"""The stack of infra/aws on moto's server, and S3 servers that hold users to its policies."""

from __future__ import annotations

import json
import uuid
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests import moto_iam, waiting
from tests.xcom_store import conftest as backend

configure, service, s3 = backend.configure, backend.service, backend.s3
supervisor, xcom = backend.supervisor, backend.xcom

TEMPLATE = Path(__file__).resolve().parents[2] / "infra" / "aws" / "xcom_store.yaml"
ACCOUNT = "123456789012"


@pytest.fixture(scope="session")
def template():
    if not TEMPLATE.exists():
        pytest.skip("infra/ is not shipped")
    return TEMPLATE


@pytest.fixture
def aws(moto_server):
    """A boto3 client of moto's for each service; all is gone with the next test."""
    yield partial(moto_iam.client, moto_server)
    moto_iam.forget_everything(moto_server)


@pytest.fixture
def create(template, aws):
    """Create a stack with these parameters; return its outputs and its policies."""

    def create(name="xcoms", **parameters):
        aws("cloudformation").create_stack(
            StackName=name,
            TemplateBody=template.read_text(encoding="utf-8"),
            Parameters=[
                {"ParameterKey": key, "ParameterValue": str(value)}
                for key, value in parameters.items()
            ],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        (stack,) = aws("cloudformation").describe_stacks(StackName=name)["Stacks"]
        assert stack["StackStatus"] == "CREATE_COMPLETE"
        outputs = {o["OutputKey"]: o["OutputValue"] for o in stack.get("Outputs", [])}
        settings = dict(line.split("=") for line in outputs["Settings"].splitlines())
        return SimpleNamespace(
            name=name,
            outputs=outputs,
            settings=settings,
            bucket=outputs["Url"].removeprefix("s3://").partition("/")[0],
            policy=lambda output: read_policy(aws("iam"), outputs[output]),
            properties=lambda resource: resolved(name, resource),
        )

    return create


def read_policy(iam, arn):
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    found = iam.get_policy_version(PolicyArn=arn, VersionId=version)
    return found["PolicyVersion"]["Document"]


def resolved(stack_name, resource):
    """What the template says of a resource, with its functions resolved as moto does.

    Of buckets moto makes name and encryption only, of bucket policies nothing.
    """
    from moto.cloudformation.parsing import clean_json

    properties = template_of(stack_name)["Resources"][resource]["Properties"]
    return without_none(clean_json(properties, stack_of(stack_name).resource_map))


def template_of(stack_name):
    """The template as moto has read it, with the functions' long names."""
    return stack_of(stack_name).template_dict


def stack_of(stack_name):
    from moto.cloudformation.models import cloudformation_backends

    return cloudformation_backends[ACCOUNT][moto_iam.ROOT["region_name"]].get_stack(stack_name)


def rule_for_the_api(rule):
    """A lifecycle rule of the template in the words of S3's API."""
    said = {
        "ID": rule["Id"],
        "Status": rule["Status"],
        "Filter": {"Prefix": rule.get("Prefix", "")},
    }
    if "ExpirationInDays" in rule:
        said["Expiration"] = {"Days": rule["ExpirationInDays"]}
    if "ExpiredObjectDeleteMarker" in rule:
        said["Expiration"] = {"ExpiredObjectDeleteMarker": rule["ExpiredObjectDeleteMarker"]}
    same = ("NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload")
    return said | {name: rule[name] for name in same if name in rule}


def without_none(value):
    """Leave out what became AWS::NoValue, as CloudFormation does."""
    if isinstance(value, dict):
        return {key: without_none(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [without_none(inner) for inner in value if inner is not None]
    return value


@pytest.fixture(scope="session")
def iam_server(tmp_path_factory):
    """An S3 server (SeaweedFS) of its own that takes users and policies, and heeds conditions."""
    module = pytest.importorskip(
        "dev.s3_server", reason="no S3 server here: `python3 -m dev test` has it"
    )
    folder = tmp_path_factory.mktemp("iam-s3")
    weed = folder / "weed"
    weed.write_text(f'#!/bin/sh\nexec "{module.weed_program()}" "$@" -s3.iam.readOnly=false\n')
    weed.chmod(0o755)
    server = module.S3Server.start(folder / "data", bucket="some-bucket", weed=weed)
    yield server
    server.kill()  # an orderly end takes seconds


def as_connection(monkeypatch, connection):
    """Make it `aws_default`; as text it is JSON or a URI, as an operator would paste it."""
    text = connection if isinstance(connection, str) else json.dumps(connection)
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", text)


@pytest.fixture
def user(iam_server):
    """A user who may use S3, and whose keys come and go."""
    from botocore.exceptions import ClientError

    from tests.infra.users import client, new_user, root_of

    everything = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    iam = client(iam_server.endpoint_url, root_of(iam_server), "iam")
    name = f"u-{uuid.uuid4().hex[:8]}"
    first = new_user(iam, name, {"Version": "2012-10-17", "Statement": [everything]})

    def is_allowed(key):
        try:
            client(iam_server.endpoint_url, key).list_objects_v2(Bucket=iam_server.bucket)
        except ClientError:
            return False
        return True

    def wait_for(key, *, allowed):
        """SeaweedFS's S3 hears of a change a moment later."""
        waiting.until(lambda: is_allowed(key) is allowed, every=0.05)

    def another():
        key = iam.create_access_key(UserName=name)["AccessKey"]
        wait_for(key, allowed=True)
        return key

    def deactivate(key):
        iam.update_access_key(UserName=name, AccessKeyId=key["AccessKeyId"], Status="Inactive")
        wait_for(key, allowed=False)

    wait_for(first, allowed=True)
    return SimpleNamespace(first=first, another=another, deactivate=deactivate)


@pytest.fixture
def use(xcom, configure, monkeypatch):
    """The backend with a bucket and a connection."""

    def use(bucket, endpoint, pasted, prefix="xcom", **settings):
        as_connection(monkeypatch, pasted)
        settings = {"region_name": "us-east-1", **settings}
        configure(url=f"s3://{bucket}/{prefix}", endpoint_url=endpoint, **settings)
        return xcom

    return use
