"""What the stack's policies allow and deny, by servers that enforce them.

Two of them, because each sees what the other does not: moto, which made the stack and knows its user
and role, and leaves conditions out; SeaweedFS, which is given the same policy and heeds conditions
and DeleteObjects. Not shown by either: Block Public Access, KMS, and a token of web identity.
"""

from __future__ import annotations

import json
import os
import uuid
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

pytest.importorskip("moto")
pytest.importorskip("boto3")
from botocore.exceptions import ClientError

from include.xcom_store.errors import AccessDenied
from tests import waiting
from tests.infra.conftest import rule_for_the_api
from tests.infra.users import client, connection, new_user, root_of
from tests.moto_iam import enforcing

pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse AWS..S3..BucketPolicy")

LARGE = ["x" * 2_000, b"y" * 70_000]  # an object, and a leaf under it


def other(bucket):
    return f"{bucket}-2"


def fill(s3, bucket):
    """Objects in and outside of the prefix, and one that has two versions."""
    s3.create_bucket(Bucket=other(bucket))
    s3.put_object(Bucket=other(bucket), Key="xcom/there", Body=b"1")
    for key in ("xcom/there", "xcom2/there", "there", "dbt/there"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"1")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return s3.put_object(Bucket=bucket, Key="xcom/version", Body=b"1")["VersionId"]


@pytest.fixture
def on_moto(create, aws, moto_server):
    """The stack's user on moto, which enforces."""
    stack = create(UserName="airflow-xcoms", AllowCheck="false")
    version = fill(aws("s3"), stack.bucket)
    key = aws("iam").create_access_key(UserName="airflow-xcoms")["AccessKey"]
    with enforcing(moto_server):
        yield SimpleNamespace(
            bucket=stack.bucket, key=key, endpoint=moto_server, version=version,
            s3=client(moto_server, key),
        )  # fmt: skip


@pytest.fixture
def on_seaweedfs(create, iam_server):
    """A user on SeaweedFS who has the stack's policy."""
    bucket, user = f"b-{uuid.uuid4().hex[:8]}", f"u-{uuid.uuid4().hex[:8]}"
    stack = create(BucketName=bucket)
    s3 = client(iam_server.endpoint_url, root_of(iam_server))
    s3.create_bucket(Bucket=bucket)
    version = fill(s3, bucket)
    iam = client(iam_server.endpoint_url, root_of(iam_server), "iam")
    key = new_user(iam, user, stack.policy("ValuesPolicyArn"))
    found = SimpleNamespace(
        bucket=bucket, key=key, endpoint=iam_server.endpoint_url, version=version, root=s3,
        stack=stack,
        s3=client(iam_server.endpoint_url, key),
    )  # fmt: skip
    wait_until(lambda: is_allowed(ALLOWED["get"], found))
    return found


def wait_until(is_so):
    """SeaweedFS's S3 hears of a new user or policy a moment later."""
    waiting.until(is_so, every=0.05)


def is_allowed(do, found):
    try:
        answer = do(found.s3, found.bucket, found)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("AccessDenied", "403"):
            return False
        raise
    return not (answer or {}).get("Errors")  # of DeleteObjects, an error an object


def public(action):
    statement = {"Effect": "Allow", "Principal": "*", "Action": action, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def expire():
    rule = {"ID": "x", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}
    return {"Rules": [rule]}


ALLOWED = {
    "get": lambda s3, bucket, _: s3.get_object(Bucket=bucket, Key="xcom/there"),
    "put": lambda s3, bucket, _: s3.put_object(Bucket=bucket, Key="xcom/new", Body=b"1"),
    "delete": lambda s3, bucket, _: s3.delete_object(Bucket=bucket, Key="xcom/there"),
    "list": lambda s3, bucket, _: s3.list_objects_v2(Bucket=bucket, Prefix="xcom/"),
    "list a value": lambda s3, bucket, _: s3.list_objects_v2(
        Bucket=bucket, Prefix="xcom/dag_id=a/"
    ),
    "an upload in parts": lambda s3, bucket, _: s3.create_multipart_upload(
        Bucket=bucket, Key="xcom/m"
    ),
    "abort one": lambda s3, bucket, _: s3.abort_multipart_upload(
        Bucket=bucket,
        Key="xcom/m",
        UploadId=s3.create_multipart_upload(Bucket=bucket, Key="xcom/m")["UploadId"],
    ),
    "list uploads": lambda s3, bucket, _: s3.list_multipart_uploads(Bucket=bucket, Prefix="xcom/"),
}

DENIED = {
    "get outside": lambda s3, bucket, _: s3.get_object(Bucket=bucket, Key="there"),
    "get from another prefix": lambda s3, bucket, _: s3.get_object(Bucket=bucket, Key="dbt/there"),
    "get from a longer prefix": lambda s3, bucket, _: s3.get_object(
        Bucket=bucket, Key="xcom2/there"
    ),
    "put outside": lambda s3, bucket, _: s3.put_object(Bucket=bucket, Key="new", Body=b"1"),
    "put in a longer prefix": lambda s3, bucket, _: s3.put_object(Bucket=bucket, Key="xcom2/new"),
    "delete outside": lambda s3, bucket, _: s3.delete_object(Bucket=bucket, Key="there"),
    "get from another bucket": lambda s3, bucket, _: s3.get_object(
        Bucket=other(bucket), Key="xcom/there"
    ),
    "put into another bucket": lambda s3, bucket, _: s3.put_object(
        Bucket=other(bucket), Key="xcom/new", Body=b"1"
    ),
    "list another bucket": lambda s3, bucket, _: s3.list_objects_v2(
        Bucket=other(bucket), Prefix="xcom/"
    ),
    "list another bucket's uploads": lambda s3, bucket, _: s3.list_multipart_uploads(
        Bucket=other(bucket)
    ),
    "begin an upload outside": lambda s3, bucket, _: s3.create_multipart_upload(
        Bucket=bucket, Key="m"
    ),
    "create a bucket": lambda s3, *_: s3.create_bucket(Bucket="third-bucket"),
    "delete the bucket": lambda s3, bucket, _: s3.delete_bucket(Bucket=bucket),
    "get a version": lambda s3, bucket, found: s3.get_object(
        Bucket=bucket, Key="xcom/version", VersionId=found.version
    ),
    "delete a version": lambda s3, bucket, found: s3.delete_object(
        Bucket=bucket, Key="xcom/version", VersionId=found.version
    ),
    "list versions": lambda s3, bucket, _: s3.list_object_versions(Bucket=bucket, Prefix="xcom/"),
    "stop versioning": lambda s3, bucket, _: s3.put_bucket_versioning(
        Bucket=bucket, VersioningConfiguration={"Status": "Suspended"}
    ),
    "let values expire": lambda s3, bucket, _: s3.put_bucket_lifecycle_configuration(
        Bucket=bucket, LifecycleConfiguration=expire()
    ),
    "write the bucket's policy": lambda s3, bucket, _: s3.put_bucket_policy(
        Bucket=bucket, Policy=public("s3:GetObject")
    ),
    "delete the bucket's policy": lambda s3, bucket, _: s3.delete_bucket_policy(Bucket=bucket),
    "make an object public": lambda s3, bucket, _: s3.put_object_acl(
        Bucket=bucket, Key="xcom/there", ACL="public-read"
    ),
    "change the encryption": lambda s3, bucket, _: s3.delete_bucket_encryption(Bucket=bucket),
    "read the configuration": lambda s3, bucket, _: s3.get_bucket_versioning(Bucket=bucket),
}

CONDITIONS = {  # moto leaves them out
    "list the whole bucket": lambda s3, bucket, _: s3.list_objects_v2(Bucket=bucket),
    "list outside": lambda s3, bucket, _: s3.list_objects_v2(Bucket=bucket, Prefix="there"),
    "list a longer prefix": lambda s3, bucket, _: s3.list_objects_v2(
        Bucket=bucket, Prefix="xcom2/"
    ),
}


def test_on_moto(on_moto):
    assert [name for name, do in DENIED.items() if is_allowed(do, on_moto)] == []
    assert [name for name, do in ALLOWED.items() if not is_allowed(do, on_moto)] == []
    with pytest.raises(ClientError, match="AccessDenied"):
        on_moto.s3.list_buckets()  # SeaweedFS gives everyone the list of their own


def test_on_seaweedfs(on_seaweedfs):
    denied = DENIED | CONDITIONS
    assert [name for name, do in denied.items() if is_allowed(do, on_seaweedfs)] == []
    assert [name for name, do in ALLOWED.items() if not is_allowed(do, on_seaweedfs)] == []


def test_deleting_many(on_seaweedfs):
    """DeleteObjects, which the backend and the sweep use: each key is checked."""
    keys = [{"Key": key} for key in ("xcom/there", "xcom2/there", "dbt/there")]
    answer = on_seaweedfs.s3.delete_objects(Bucket=on_seaweedfs.bucket, Delete={"Objects": keys})
    assert [e["Key"] for e in answer["Errors"]] == ["xcom2/there", "dbt/there"]
    left = on_seaweedfs.root.list_objects_v2(Bucket=on_seaweedfs.bucket)["Contents"]
    assert {"xcom2/there", "dbt/there"} <= {found["Key"] for found in left}


def test_nobody_may_touch_users_and_policies(on_moto, aws):
    iam = client(on_moto.endpoint, on_moto.key, "iam")
    for action in (iam.list_users, iam.list_policies, iam.create_access_key):
        with pytest.raises(ClientError, match="AccessDenied"):
            action()


# ------------------------------------------------------------------------ the backend


def test_the_backend_on_moto(use, on_moto):
    xcom = use(on_moto.bucket, on_moto.endpoint, connection(on_moto.key))
    xcom.push(LARGE)
    assert xcom.pull() == LARGE
    xcom = use(on_moto.bucket, on_moto.endpoint, connection(on_moto.key), prefix="elsewhere")
    with pytest.raises(AccessDenied, match="policy of these credentials lacks this action"):
        xcom.push(LARGE)


def test_the_backend_on_seaweedfs(use, on_seaweedfs):
    """Deletes as well, a value with leaves too, and tells what is missing from what is denied."""
    found = on_seaweedfs
    xcom = use(found.bucket, found.endpoint, connection(found.key))
    data = os.urandom(20_000_000)
    xcom.push(LARGE)
    xcom.push(data, key="in_parts")
    assert xcom.pull() == LARGE
    assert xcom.pull("in_parts") == data
    kept = dict(xcom.rows)
    xcom.delete()
    listed = found.s3.list_objects_v2(Bucket=found.bucket, Prefix="xcom/dag_id=trips/")["Contents"]
    assert ["in_parts" in key["Key"] for key in listed] == [True]
    xcom.rows.update(kept)
    with pytest.raises(FileNotFoundError, match="NoSuchKey"):
        xcom.pull()


@pytest.mark.parametrize("may_list", [True, False])
def test_a_sweep_of_uploads_on_seaweedfs(use, on_seaweedfs, iam_server, may_list):
    """With the stack's policy they are aborted; without the right to list them, it says so."""
    uploads = pytest.importorskip("include.xcom_tools.sweep_uploads", reason="tools were deleted")
    from include.xcom_store import settings
    from include.xcom_store.stores.base import Store
    from include.xcom_tools.listing import ANY
    from include.xcom_tools.sweep_findings import Tally

    found, key = on_seaweedfs, on_seaweedfs.key
    if not may_list:
        policy = found.stack.policy("ValuesPolicyArn")
        policy["Statement"] = [s for s in policy["Statement"] if s["Sid"] != "ListUploads"]
        iam = client(iam_server.endpoint_url, root_of(iam_server), "iam")
        found.key = key = new_user(iam, f"{key['UserName']}-2", policy)
        found.s3 = client(found.endpoint, key)
        wait_until(lambda: is_allowed(ALLOWED["get"], found))
    use(found.bucket, found.endpoint, connection(key))
    name = f"dag_id=d/run_id=r/task_id=t/map_index=-1/k-{'0' * 32}.parquet"
    for prefix in ("xcom", "dbt"):
        found.root.create_multipart_upload(Bucket=found.bucket, Key=f"{prefix}/{name}")
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    told = uploads.findings(Store(settings.load()), ANY, tomorrow, defaultdict(Tally), delete=True)
    assert [one.kind for one in told] == ["upload" if may_list else "not seen"]
    left = found.root.list_multipart_uploads(Bucket=found.bucket)["Uploads"]
    assert sorted(upload["Key"] for upload in left) == [
        f"{prefix}/{name}" for prefix in ("dbt", "xcom")[: 1 if may_list else 2]
    ]


def test_without_tls(on_seaweedfs):
    """The bucket's policy, on a server without TLS: nobody gets in, not even the owner."""
    policy = on_seaweedfs.stack.properties("BucketPolicy")
    on_seaweedfs.root.put_bucket_policy(
        Bucket=on_seaweedfs.bucket, Policy=json.dumps(policy["PolicyDocument"])
    )
    assert not is_allowed(ALLOWED["get"], on_seaweedfs)
    on_seaweedfs.s3 = on_seaweedfs.root
    assert not is_allowed(ALLOWED["get"], on_seaweedfs)


# ------------------------------------------------------------------------ the operator's check


def states(report):
    """The state of each thing that the tool's `check` looks at; the worst, where several lines are."""
    order = ["ok", "not known", "warning", "error"]
    found = {}
    for line in report:
        found[line.about] = max(found.get(line.about, "ok"), line.state, key=order.index)
    return found


def test_the_check_of_the_stack(use, on_seaweedfs, iam_server):
    """With the values policy all works that tasks do; with the other one `check` sees the rest."""
    check = pytest.importorskip("include.xcom_tools.check", reason="the tools were deleted")
    found = on_seaweedfs
    rules = found.stack.properties("Bucket")["LifecycleConfiguration"]["Rules"]
    found.root.put_bucket_lifecycle_configuration(
        Bucket=found.bucket, LifecycleConfiguration={"Rules": [rule_for_the_api(r) for r in rules]}
    )
    use(found.bucket, found.endpoint, connection(found.key))
    said = states(check.report())
    as_tasks_do = (
        "settings",
        "connection",
        "credentials",
        "list",
        "write",
        "read",
        "delete",
        "uploads",
    )
    for works in as_tasks_do:
        assert said[works] == "ok", works
    looked_at = ("versioning", "encryption", "public access", "lifecycle")
    assert {said[about] for about in looked_at} == {"not known"}

    iam = client(iam_server.endpoint_url, root_of(iam_server), "iam")
    document = json.dumps(found.stack.policy("CheckPolicyArn"))
    name = f"{found.key['UserName']}-check"
    arn = iam.create_policy(PolicyName=name, PolicyDocument=document)["Policy"]["Arn"]
    iam.attach_user_policy(UserName=found.key["UserName"], PolicyArn=arn)
    wait_until(lambda: is_allowed(DENIED["read the configuration"], found))
    said = states(check.report())
    assert (said["versioning"], said["lifecycle"]) == ("ok", "ok")
    assert said["public access"] == "not known"  # SeaweedFS has no Block Public Access
    assert said["encryption"] == "warning"  # nor a default, without a key of its own


def test_the_check_reads_the_configuration(create, aws, moto_server):
    stack = create(UserName="airflow-xcoms")
    key = aws("iam").create_access_key(UserName="airflow-xcoms")["AccessKey"]
    s3 = client(moto_server, key)
    with enforcing(moto_server):
        for read in (
            s3.get_bucket_location, s3.get_bucket_versioning, s3.get_bucket_encryption,
        ):  # fmt: skip
            assert read(Bucket=stack.bucket)
        for read in (s3.get_public_access_block, s3.get_bucket_lifecycle_configuration):
            with pytest.raises(ClientError, match="NoSuch"):  # allowed, and there is none on moto
                read(Bucket=stack.bucket)
        with pytest.raises(ClientError, match="AccessDenied"):
            s3.get_bucket_policy(Bucket=stack.bucket)
