"""The commands of README and docs/stores.md that make the stack, as they stand there, on moto.

With the AWS CLI where it is on the PATH. Those of CloudFormation always, by boto3, which has the same
options under other names.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("moto")
pytest.importorskip("boto3")
from tests.infra.conftest import ACCOUNT
from tests.moto_iam import ROOT

PROJECT = Path(__file__).resolve().parents[2]
PAGES = [PROJECT / name for name in ("README.md", "docs/stores.md")]
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES if page.exists())
BLOCKS = re.findall(r"^```sh\n *(.*?)\n```$", TEXT, re.MULTILINE | re.DOTALL)
STACK = "airflow-xcoms"

pytestmark = [
    pytest.mark.skipif(not TEXT, reason="the image leaves the pages out"),
    pytest.mark.filterwarnings("ignore:Tried to parse AWS..S3..BucketPolicy"),
]

ways = pytest.mark.parametrize("by", ["boto3", pytest.param("shell", marks=pytest.mark.long)])


def block(beginning: str) -> str:
    """The one block of the pages that begins so."""
    (found,) = [text for text in BLOCKS if text.startswith(beginning)]
    return str(found)


def create_stack(row: str = "") -> str:
    """README's command, and what docs/stores.md appends to it for this parameter."""
    appended = {
        re.findall(r"ParameterKey=(\w+)", text)[0]: text
        for text in BLOCKS
        if text.startswith("--parameters")
    }
    assert appended.keys() == {"TrustedPrincipalArn", "OidcProviderArn", "UserName"}
    return f"{block('aws cloudformation create-stack')} {appended[row] if row else ''}"


@pytest.fixture
def shell(template, aws, moto_server):
    """A shell in the project's folder, whose AWS is moto."""
    if shutil.which("aws") is None:
        pytest.skip("the AWS CLI (`aws`) is not on the PATH")
    settings = {"AWS_DEFAULT_REGION": ROOT["region_name"], "AWS_ENDPOINT_URL": moto_server}
    keys = {name.upper(): value for name, value in ROOT.items() if "key" in name}

    def run(commands: str) -> str:
        done = subprocess.run(
            ["sh", "-e", "-c", commands],
            cwd=PROJECT, env=os.environ | settings | keys, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def boto3(template, aws):
    """Call CloudFormation as a command of the CLI does, with exactly its options."""

    def run(command: str) -> None:
        program, service, operation, *words = shlex.split(command.replace("\\\n", ""))
        assert (program, service) == ("aws", "cloudformation")
        options: dict[str, list] = {}
        for word in words:
            if word.startswith("--"):
                values = options.setdefault(word.title().replace("-", ""), [])
            elif word.startswith("file://"):
                values.append((PROJECT / word.removeprefix("file://")).read_text("utf-8"))
            elif word.startswith("ParameterKey="):
                pairs = dict(re.findall(r'(\w+)=("[^"]*"|[^,]*)', word))
                values.append({name: value.strip('"') for name, value in pairs.items()})
                if "UsePreviousValue" in pairs:
                    values[-1]["UsePreviousValue"] = pairs["UsePreviousValue"] == "true"
            else:
                values.append(word)
        lists = ("Capabilities", "Parameters")
        given = {name: found if name in lists else found[0] for name, found in options.items()}
        getattr(aws(service), operation.replace("-", "_"))(**given)

    return run


@ways
@pytest.mark.parametrize("row", ["", "TrustedPrincipalArn", "OidcProviderArn", "UserName"])
def test_the_stack_is_created(request, aws, by, row):
    """For each row of "Choose who uses it"."""
    request.getfixturevalue(by)(create_stack(row))
    (stack,) = aws("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    outputs = {output["OutputKey"] for output in stack["Outputs"]}
    assert outputs >= {"Url", "Settings", "ValuesPolicyArn"}
    assert ("RoleArn" in outputs) is row.endswith("Arn")
    assert ("UserConnection" in outputs) is (row == "UserName")


@ways
def test_a_parameter_is_changed(request, aws, by):
    run = request.getfixturevalue(by)
    run(create_stack("TrustedPrincipalArn"))
    run(block("aws cloudformation update-stack"))
    (stack,) = aws("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    parameters = {p["ParameterKey"]: p["ParameterValue"] for p in stack["Parameters"]}
    assert parameters["NoncurrentVersionDays"] == "14"
    assert parameters["TrustedPrincipalArn"].endswith(":role/astro-workload")


@pytest.mark.long
def test_the_outputs_are_those_of_the_page(shell):
    shell(create_stack("TrustedPrincipalArn"))
    said = shell(block("aws cloudformation wait"))
    _, _, shown = TEXT.partition(block("aws cloudformation wait"))
    shown = shown.partition("```text\n")[2].partition("```")[0]
    names = [re.findall(r"^\w+(?=\t)", text, re.MULTILINE) for text in (said, shown)]
    assert sorted(names[0]) == sorted(names[1])
    assert f"\ts3://airflow-xcoms-{ACCOUNT}-us-east-1/xcom\n" in said


@pytest.mark.long
def test_a_role_gets_the_policy(shell, aws):
    aws("iam").create_role(RoleName="airflow-workers", AssumeRolePolicyDocument="{}")
    shell(create_stack())
    shell(block("aws iam attach-role-policy"))
    (policy,) = aws("iam").list_attached_role_policies(RoleName="airflow-workers")[
        "AttachedPolicies"
    ]
    assert "ValuesPolicy" in policy["PolicyArn"]


@pytest.mark.long
def test_a_user_gets_a_key(shell, aws):
    shell(create_stack("UserName"))
    said = shell(block("aws iam create-access-key"))
    (key,) = aws("iam").list_access_keys(UserName="airflow-xcoms")["AccessKeyMetadata"]
    assert key["AccessKeyId"] in said
