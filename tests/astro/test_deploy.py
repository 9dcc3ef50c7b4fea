"""`astro deploy`, as far as it goes without an account: what it builds, tests and sends.

Astro's API is stood in for by the few answers that the CLI's source asks for; a deploy with an image
ends where the image would be pushed.
"""

from __future__ import annotations

import base64
import io
import json
import tarfile

import pytest
import yaml

from tests import http_service
from tests.astro.conftest import RUNTIME, Project
from tests.astro_project import ROOT, project_files

DEPLOYMENT = "a-deployment"
IMAGE = "a-namespace/airflow:latest"
HERE = f"/v1/organizations/o/deployments/{DEPLOYMENT}"


class Astro(http_service.Handler):
    """One Deployment, and where its DAGs are uploaded to."""

    dag_deploy = True

    def do_GET(self) -> None:
        body = self.body()
        path = self.path.partition("?")[0]
        if path == "/dags.tar.gz":  # as Azure's blob store
            self.server.asked.append(body)  # type: ignore[attr-defined]
            self.answer(201, x_ms_version_id="bundle-1")
        elif path in (answers := self.answers()):
            content = json.dumps(answers[path]).encode()
            self.answer(200, content, Content_Type="application/json")
        else:
            self.answer(404)

    do_POST = do_PUT = do_HEAD = do_GET  # noqa: N815 - what http.server looks for

    def answers(self) -> dict:
        url = self.server.url  # type: ignore[attr-defined]
        deployment = {
            "id": DEPLOYMENT, "namespace": "a-namespace", "workspaceId": "w", "organizationId": "o",
            "runtimeVersion": RUNTIME, "type": "STANDARD", "isDagDeployEnabled": self.dag_deploy,
        }  # fmt: skip
        deploy = {
            "id": "x", "imageRepository": url.removeprefix("http://") + "/o/d", "imageTag": "t",
            "dagsUploadUrl": f"{url}/dags.tar.gz",
        }  # fmt: skip
        organization = {"id": "o", "name": "o", "product": "HOSTED"}
        return {
            "/v1/organizations": {"organizations": [organization], "totalCount": 1},
            "/v1/organizations/o/deployment-options": {"runtimeReleases": [{"version": RUNTIME}]},
            HERE: deployment,
            f"{HERE}/deploys": deploy,
            f"{HERE}/deploys/x/finalize": deploy,
        }


def token() -> str:
    """An API token as the CLI reads it; nobody checks its signature here."""
    claims = {"permissions": ["apiTokenId:t", "workspaceId:w", "organizationId:o"]}
    parts = [{"alg": "HS256", "typ": "JWT"}, claims]
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()) for part in parts]
    return ".".join(part.decode().rstrip("=") for part in encoded) + ".eA"


def deployed(clone, home, url: str, *options: str, check: bool = True) -> str:
    project = Project(clone, home, ASTRO_API_TOKEN=token(), ASTRO_DOMAIN="localhost")
    project.astro("config", "set", "-g", "local.core", url)
    return project.astro("deploy", DEPLOYMENT, "--force", *options, check=check)


def test_the_workflow_deploys_as_is_tried_here():
    """With `--parse`, which its action adds."""
    workflow = ROOT / ".github/workflows/deploy.yml"
    if not workflow.exists():
        pytest.skip("no workflows in this project")
    steps = yaml.safe_load(workflow.read_text())["jobs"]["deploy"]["steps"]
    uses = {step.get("uses", "").partition("@")[0]: step.get("with") for step in steps}
    assert uses["astronomer/deploy-action"]["parse"] is True


@pytest.mark.usefixtures("cli")
def test_dags_alone_send_the_folder_as_it_is(clone, tmp_path):
    """All that lies in it, whatever .dockerignore says."""
    with http_service.serve(Astro) as server:
        said = deployed(clone, tmp_path, server.url, "--dags")
    assert "Successfully uploaded DAGs" in said
    (bundle,) = server.asked
    with tarfile.open(fileobj=io.BytesIO(bundle)) as tar:
        sent = {member.name for member in tar}
    assert sent == {name for name in project_files() if name.startswith("dags/")}


@pytest.mark.weekly
@pytest.mark.usefixtures("cli", "images")
@pytest.mark.parametrize("dag_deploy", [True, False])
def test_the_image_is_built_and_parses(clone, tmp_path, dag_deploy):
    """Where DAGs are deployed apart, the CLI builds it without dags/."""
    ignored = (clone / ".dockerignore").read_bytes()
    api = type("Api", (Astro,), {"dag_deploy": dag_deploy})
    project = Project(clone, tmp_path)
    try:
        with http_service.serve(api) as server:
            # `--parse` is what the deploy workflow's action adds.
            said = deployed(clone, tmp_path, server.url, "--parse", check=False)
        assert "No errors detected in your DAGs" in said, said[-3_000:]
        assert "Pushing image to Astronomer registry" in said, said[-3_000:]
        listed = project.run("docker", "run", "--rm", IMAGE, "sh", "-c", "ls . dags dbt_venv/bin")
        assert {"dbt", "include", "plugins"} <= set(listed.split())
        assert ("example_dataframe_dag.py" in listed) is not dag_deploy
    finally:
        project.run("docker", "rmi", "-f", IMAGE, check=False)
    assert (clone / ".dockerignore").read_bytes() == ignored
