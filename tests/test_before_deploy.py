"""The check before a deploy: it says when no store is set, and when something local would ship."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import pytest
import yaml

from tests.astro_project import ROOT, dotenv

SCRIPT = ROOT / ".ci/before_deploy.py"
WORKFLOW = ROOT / ".github/workflows/deploy.yml"
URL = "ENV AIRFLOW__XCOM_STORE__URL="

pytestmark = pytest.mark.skipif(not SCRIPT.exists(), reason="the image, or a project without .ci/")


@pytest.fixture
def check(tmp_path):
    """Run the script on a project whose Dockerfile has these lines more."""

    def check(*lines: str, options: tuple[str, ...] = (), env: bool = True) -> tuple[int, str]:
        (tmp_path / ".ci").mkdir()
        script = shutil.copy(SCRIPT, tmp_path / ".ci")
        dockerfile = re.sub(f"^{URL}.*", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
        (tmp_path / "Dockerfile").write_text("\n".join([dockerfile, *lines, ""]))
        if env:
            shutil.copy(ROOT / ".env", tmp_path)
        done = subprocess.run(
            [sys.executable, script, *options], capture_output=True, text=True, check=False
        )
        assert not done.stdout
        return done.returncode, done.stderr

    return check


def test_no_store(check):
    status, said = check()
    assert status == 1
    assert "No store is set" in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("url", ["s3://acme-xcoms", "s3://acme@acme-xcoms/teams/a"])
def test_a_store_in_the_image(check, url):
    assert check(f"{URL}{url}") == (0, "")


@pytest.mark.parametrize("env", [True, False])
def test_a_store_of_the_deployment(check, env):
    assert check(options=("--deployment-variable",), env=env) == (0, "")


@pytest.mark.parametrize("which", ["placeholder", "local"])
def test_a_bucket_that_is_none(check, which):
    placeholder = "s3://acme@your-bucket/xcom"
    url = placeholder if which == "placeholder" else dotenv()["AIRFLOW__XCOM_STORE__URL"]
    status, said = check(f"{URL}{url}")
    assert status == 1
    assert f"{url} in the Dockerfile names no bucket of yours" in said


@pytest.mark.parametrize("host", ["localhost:8333", "127.0.0.1:8333", "host.docker.internal:8333"])
def test_an_endpoint_of_this_machine(check, host):
    endpoint = f"ENV AIRFLOW__XCOM_STORE__ENDPOINT_URL=http://{host}"
    status, said = check(f"{URL}s3://acme-xcoms/xcom", endpoint)
    assert status == 1
    assert "an address of your own machine" in said


@pytest.fixture
def step(tmp_path):
    """Run the commands of a step of the deploy workflow, as GitHub's runner does."""
    if not WORKFLOW.exists():
        pytest.skip("no deploy workflow in this project")
    jobs = yaml.safe_load(WORKFLOW.read_text())["jobs"]

    def step(job: str, **env: str) -> tuple[int, str, str]:
        (found,) = [step for step in jobs[job]["steps"] if "run" in step]
        assert found["env"].keys() == env.keys()
        output = tmp_path / "output"
        output.touch()
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", found["run"]], cwd=ROOT, capture_output=True,
            text=True, check=False, env={**os.environ, **env, "GITHUB_OUTPUT": str(output)},
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr, output.read_text()

    return step


@pytest.mark.parametrize(("token", "deployment"), [("", ""), ("x", ""), ("", "x")])
def test_the_workflow_does_nothing_until_it_is_set_up(step, token, deployment):
    status, said, output = step("enabled", TOKEN=token, DEPLOYMENT=deployment)
    assert (status, output) == (0, "")
    assert "set the secret ASTRO_API_TOKEN and the variable ASTRO_DEPLOYMENT_ID" in said


def test_the_workflow_deploys_once_it_is(step):
    assert step("enabled", TOKEN="t", DEPLOYMENT="d") == (0, "", "answer=yes\n")


@pytest.mark.parametrize("option", ["", "--deployment-variable"])
def test_the_workflow_checks_first(step, option):
    named = re.search(f"^{URL}", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    status, said, _ = step("deploy", OPTION=option)
    assert (status == 0) is bool(named or option), said
