"""Clients with a user's access key, and users of SeaweedFS."""

from __future__ import annotations

import json

import boto3
from botocore.config import Config

QUIET = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})


def client(endpoint, key, service="s3"):
    return boto3.client(
        service, endpoint_url=endpoint, region_name="us-east-1", config=QUIET,
        aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"],
        aws_session_token=key.get("SessionToken"),
    )  # fmt: skip


def root_of(iam_server):
    """The key that may do everything on that server."""
    return {
        "AccessKeyId": iam_server.access_key_id,
        "SecretAccessKey": iam_server.secret_access_key,
    }


def new_user(iam, name, policy):
    iam.create_user(UserName=name)
    arn = iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(policy))["Policy"]["Arn"]
    iam.attach_user_policy(UserName=name, PolicyArn=arn)
    return iam.create_access_key(UserName=name)["AccessKey"]


def connection(key):
    """As the outputs of infra/aws have it, filled in."""
    return {
        "conn_type": "aws",
        "login": key["AccessKeyId"],
        "password": key["SecretAccessKey"],
        "extra": {"region_name": "us-east-1"},
    }
