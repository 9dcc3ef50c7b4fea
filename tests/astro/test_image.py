"""The image that `astro deploy` pushes: what is in it, and that it works with production's settings.

Not run: `astro deploy` itself, which needs an account.
"""

from __future__ import annotations

import re

import pytest

pytest.importorskip("dev.ports", reason="dev/ is not shipped")
from dev import ports
from tests.astro.conftest import Project
from tests.astro_project import project_files, ships

pytestmark = [pytest.mark.weekly, pytest.mark.usefixtures("images")]

IMAGE = "s3-xcom-backend-of-a-test"
BUCKET = "production-xcoms"


@pytest.fixture(scope="module")
def image(clone, tmp_path_factory):
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


def test_check_with_the_settings_of_production(image):
    """A bucket on another host, the credentials of a role with a session token, no connection."""
    import boto3
    from moto.server import ThreadedMotoServer

    gateway = "{{range .IPAM.Config}}{{.Gateway}}{{end}}"
    address = image.run("docker", "network", "inspect", "-f", gateway, "bridge").strip()
    port = ports.free_ports(1)[0]
    server = ThreadedMotoServer(address, port, verbose=False)
    server.start()
    try:
        endpoint = f"http://{address}:{port}"
        keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
        aws = {"endpoint_url": endpoint, "region_name": "us-east-1", **keys}
        boto3.client("s3", **aws).create_bucket(Bucket=BUCKET)
        role = "arn:aws:iam::123456789012:role/workers"
        answer = boto3.client("sts", **aws).assume_role(RoleArn=role, RoleSessionName="task")
        given = answer["Credentials"]
        settings = {
            "AIRFLOW__XCOM_STORE__URL": f"s3://{BUCKET}/xcom",
            "AIRFLOW__XCOM_STORE__ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
            "AWS_SESSION_TOKEN": given["SessionToken"],
            "AWS_REGION": "us-east-1",
        }
        options = [part for item in settings.items() for part in ("-e", "=".join(item))]
        check = "airflow db migrate >/dev/null 2>&1; python -W ignore -m include.xcom_tools check"
        said = inside(image, check, *options)
    finally:
        server.stop()
    assert f"s3://{BUCKET}/xcom/" in said, said
    for part in ("list", "write", "read", "delete"):
        assert re.search(rf"^ok +{part}", said, re.MULTILINE), said
    assert given["SecretAccessKey"] not in said
    assert given["SessionToken"] not in said
