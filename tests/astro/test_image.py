"""The image that `astro deploy` pushes: what is in it, and that it works with production's settings.

What `astro deploy` does before it pushes is in test_deploy.py; the rest needs an account.
"""

from __future__ import annotations

import base64
import json
import os
import re

import pytest

pytest.importorskip("dev.ports", reason="only `python3 -m dev test` runs this")
from tests.astro.conftest import Project, named
from tests.astro_project import ROOT, project_files, ships

IMAGE = "s3-xcom-backend-of-a-test"
BUCKET = "production-xcoms"
ROLE = "arn:aws:iam::123456789012:role/workers"
NETWORK = "s3-of-a-test"


def policy() -> dict:
    """The role's in docs/stores.md, for this bucket."""
    page = (ROOT / "docs/stores.md").read_text(encoding="utf-8").partition("### The role's policy")
    text = page[2].partition("```json")[2].partition("```")[0]
    return dict(json.loads(text.replace("your-bucket", BUCKET)))


def s3_image() -> str:
    """The S3 server of `astro dev start`."""
    (name,) = (name for name in named("docker-compose.override.yml") if "seaweedfs" in name)
    return name


def test_policy_and_server_are_there():
    """For this bucket and the prefix that `check` uses below; the server has a fixed version."""
    bucket = f"arn:aws:s3:::{BUCKET}"
    statements = policy()["Statement"]
    assert {statement["Resource"] for statement in statements} == {bucket, f"{bucket}/xcom/*"}
    assert re.search(r":\d+\.\d+$", s3_image())


@pytest.fixture(scope="module")
def image(images, clone, tmp_path_factory):
    project = Project(clone, tmp_path_factory.mktemp("home"))
    project.run("docker", "build", "-q", "-t", IMAGE, ".", seconds=900)
    yield project
    project.run("docker", "rmi", "-f", IMAGE, check=False)


def inside(project: Project, code: str, *options: str, check: bool = True) -> str:
    return project.run("docker", "run", "--rm", *options, IMAGE, "sh", "-c", code, check=check)


def test_it_holds_what_is_meant_to_ship_and_no_more(image):
    """By .dockerignore as Docker reads it, against the tests' own reading of it."""
    find = "find . -type f -not -path './dbt_venv/*' -not -name '*.pyc' -not -path './logs/*'"
    listed = {line.removeprefix("./") for line in inside(image, find).splitlines()}
    skeleton = {".bashrc", ".profile", ".bash_logout"}
    assert listed - skeleton == {name for name in project_files() if ships(name)}


def test_backend_and_dags_import_without_env(image):
    """As on a Deployment: no `.env`, no connection, no store."""
    code = (
        "python -W ignore -c 'from airflow.sdk.execution_time.xcom import XCom; print(XCom)' && "
        "airflow db migrate >/dev/null 2>&1 && airflow dags list-import-errors 2>/dev/null"
    )
    said = inside(image, code)
    assert "include.s3_xcom_backend.S3XComBackend" in said
    assert "No data found" in said, said


def test_the_viewer_is_off_without_env(image):
    code = (
        "PYTHONPATH=plugins:. python -W ignore -c 'from xcom_viewer import XComViewer as v; "
        "print(v.external_views, v.fastapi_apps)'"
    )
    assert inside(image, code).splitlines()[-1] == "[] []"


@pytest.fixture
def store(image, tmp_path):
    """An S3 server on a network of Docker's, that gives the role of docs/stores.md to a session."""
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": ["sts:AssumeRole"]}
    role = {"roleName": "workers", "roleArn": ROLE, "attachedPolicies": ["values"],
            "trustPolicy": {"Version": "2012-10-17", "Statement": [trust]}}  # fmt: skip
    key = base64.b64encode(os.urandom(32)).decode()
    tokens = {"tokenDuration": "1h", "maxSessionLength": "1h", "issuer": "s3", "signingKey": key}
    iam = tmp_path / "iam.json"
    iam.write_text(json.dumps({
        "sts": tokens, "policy": {"defaultEffect": "Deny", "storeType": "memory"},
        "roles": [role], "policies": [{"name": "values", "document": policy()}],
    }))  # fmt: skip
    image.run("docker", "network", "create", NETWORK)
    try:
        image.run(
            "docker", "run", "--rm", "--detach", "--name", NETWORK, "--network", NETWORK,
            "--network-alias", "s3", "--publish", "127.0.0.1::8333", "-v", f"{iam}:/iam.json:ro",
            "-e", "AWS_ACCESS_KEY_ID=an-admin", "-e", "AWS_SECRET_ACCESS_KEY=and-a-secret",
            s3_image(),
            "mini", "-dir=/data", "-ip=127.0.0.1", "-ip.bind=0.0.0.0", f"-bucket={BUCKET}",
            "-s3.port.iceberg=0", "-s3.port.lance=0", "-webdav=false", "-admin.ui=false",
            "-master.telemetry=false", "-s3.iam.config=/iam.json",
        )  # fmt: skip
        yield "http://" + image.run("docker", "port", NETWORK, "8333/tcp").strip()
    finally:
        image.run("docker", "rm", "-f", NETWORK, check=False)
        image.run("docker", "network", "rm", NETWORK, check=False)


def session_of_the_role(url: str) -> dict[str, str]:
    import boto3
    from botocore.config import Config

    patient = Config(retries={"total_max_attempts": 10, "mode": "standard"})
    admin = boto3.client(
        "sts", endpoint_url=url, region_name="us-east-1", config=patient,
        aws_access_key_id="an-admin", aws_secret_access_key="and-a-secret",
    )  # fmt: skip
    return admin.assume_role(RoleArn=ROLE, RoleSessionName="task")["Credentials"]


def test_check_with_the_settings_of_production(image, store):
    """A bucket on another host, the credentials of a role with a session token, no connection."""
    given = session_of_the_role(store)
    settings = {
        "AIRFLOW__XCOM_STORE__URL": f"s3://{BUCKET}/xcom",
        "AIRFLOW__XCOM_STORE__ENDPOINT_URL": "http://s3:8333",
        "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
        "AWS_SESSION_TOKEN": given["SessionToken"],
        "AWS_REGION": "us-east-1",
    }
    network = ["--network", NETWORK]
    options = [*network, *(part for item in settings.items() for part in ("-e", "=".join(item)))]
    check = "airflow db migrate >/dev/null 2>&1; python -W ignore -m include.xcom_tools check"
    said = inside(image, check, *options)
    assert f"s3://{BUCKET}/xcom/" in said, said
    for part in ("list", "write", "read", "delete"):
        assert re.search(rf"^ok +{part}", said, re.MULTILINE), said
    assert given["SecretAccessKey"] not in said
    assert given["SessionToken"] not in said
    outside = [*options, "-e", f"AIRFLOW__XCOM_STORE__URL=s3://{BUCKET}/of-others"]
    refused = inside(image, check, *outside, check=False)
    assert re.search(r"^error +write", refused, re.MULTILINE), refused
