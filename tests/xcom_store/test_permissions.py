"""The least policy of docs/stores.md is enough for the backend, and no more: on moto, which enforces it.

Deleting is not shown: obstore uses DeleteObjects, which moto refuses to all while it enforces. The
policy of infra/aws is the same, and tests/infra shows it on a server that heeds all of it.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("boto3")
pytest.importorskip("moto")
from include.xcom_store.errors import AccessDenied
from tests.moto_iam import client, forget_everything, switch_enforcement

PAGE = Path(__file__).resolve().parents[2] / "docs/stores.md"
BUCKET = "policy-bucket"
LARGE = ["x" * 1_100, b"y" * 70_000]  # an object, and a leaf under it


def policy(bucket=BUCKET):
    if not PAGE.exists():
        pytest.skip("docs/ is not shipped")
    text = PAGE.read_text()
    found = text[text.index('{\n  "Version": "2012-10-17"') :]
    return found[: found.index("```")].replace("your-bucket", bucket)


@pytest.fixture
def enforced(moto_server):
    """Make a bucket and a user with the policy; what moto holds is gone with the next test."""
    document = policy()
    s3, iam = (client(moto_server, name) for name in ("s3", "iam"))
    s3.create_bucket(Bucket=BUCKET)
    iam.create_user(UserName="airflow-xcoms")
    iam.put_user_policy(UserName="airflow-xcoms", PolicyName="xcoms", PolicyDocument=document)
    key = iam.create_access_key(UserName="airflow-xcoms")["AccessKey"]
    switch_enforcement(moto_server, "0")
    yield SimpleNamespace(key=key["AccessKeyId"], secret=key["SecretAccessKey"], s3=s3)
    switch_enforcement(moto_server, "inf")
    forget_everything(moto_server)


@pytest.fixture
def as_user(xcom, configure, connect, moto_server, enforced):
    """The backend with that user's keys."""
    connect(login=enforced.key, password=enforced.secret)
    configure(url=f"s3://{BUCKET}/xcom", endpoint_url=moto_server, region_name="us-east-1")
    return xcom


def test_pushing_and_pulling_is_allowed(as_user):
    reference = as_user.push(LARGE)
    assert reference["leaves"] == 1
    assert as_user.pull() == LARGE


def test_another_prefix_is_denied(as_user, configure):
    configure(url=f"s3://{BUCKET}/elsewhere")
    with pytest.raises(AccessDenied, match="policy of these credentials lacks this action"):
        as_user.push(LARGE)


def test_without_the_policy_nothing_is_allowed(as_user, enforced, moto_server):
    as_user.push(LARGE)
    switch_enforcement(moto_server, "inf")
    client(moto_server, "iam").put_user_policy(
        UserName="airflow-xcoms",
        PolicyName="xcoms",
        PolicyDocument=policy().replace('"Allow"', '"Deny"'),
    )
    switch_enforcement(moto_server, "0")
    with pytest.raises(AccessDenied):
        as_user.pull()
