"""infra/aws/xcom_store.yaml: what a stack of it is, created on moto, and what cfn-lint says.

Of the bucket moto makes name and encryption only; its other properties are read from the template,
with the functions resolved.
"""

from __future__ import annotations

import json
import re

import pytest

from tests.infra.conftest import ACCOUNT, rule_for_the_api, template_of

pytest.importorskip("moto")
pytest.importorskip("boto3")

pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse AWS..S3..BucketPolicy")
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/0d1e2f3a-0000-1111-2222-333344445555"
WORKER = f"arn:aws:iam::{ACCOUNT}:role/worker"
ISSUER = "oidc.eks.us-east-1.amazonaws.com/id/0123456789ABCDEF"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{ISSUER}"
SUBJECTS = ["system:serviceaccount:airflow:worker", "system:serviceaccount:airflow:triggerer*"]


@pytest.mark.long
def test_the_linter_finds_nothing(template):
    api = pytest.importorskip("cfnlint.api")
    text = template.read_text(encoding="utf-8")
    config = api.ManualArgs(include_checks=["I"], regions=["us-east-1", "eu-west-1"])
    assert [str(found) for found in api.lint(text, config=config)] == []
    broken = text.replace("Status: Enabled", "Status: On", 1)
    assert [found.rule.id for found in api.lint(broken, config=config)] == ["E3030"]


# ------------------------------------------------------------------------ the bucket


def test_the_name_is_unique_by_account_and_region(create, aws):
    stack = create()
    assert stack.bucket == f"airflow-xcoms-{ACCOUNT}-us-east-1"
    assert [b["Name"] for b in aws("s3").list_buckets()["Buckets"]] == [stack.bucket]


def test_nobody_else_gets_in(create):
    bucket = create().properties("Bucket")
    flags = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
    assert bucket["PublicAccessBlockConfiguration"] == dict.fromkeys(flags, True)
    assert bucket["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}


def test_requests_without_tls_are_denied(create):
    stack = create()
    policy = stack.properties("BucketPolicy")
    assert policy["Bucket"] == stack.bucket
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement == {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{stack.bucket}", f"arn:aws:s3:::{stack.bucket}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def test_encryption_is_sse_s3(create, aws):
    found = aws("s3").get_bucket_encryption(Bucket=create().bucket)
    (rule,) = found["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}


def test_encryption_with_a_key(create, aws):
    stack = create(KmsKeyArn=KEY)
    found = aws("s3").get_bucket_encryption(Bucket=stack.bucket)
    (rule,) = found["ServerSideEncryptionConfiguration"]["Rules"]
    by_default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY}
    assert rule["ApplyServerSideEncryptionByDefault"] == by_default
    (rule,) = stack.properties("Bucket")["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule == {"ServerSideEncryptionByDefault": by_default, "BucketKeyEnabled": True}
    (statement,) = stack.policy("KeyPolicyArn")["Statement"]
    assert statement["Action"] == ["kms:GenerateDataKey", "kms:Decrypt"]
    assert statement["Resource"] == KEY
    assert statement["Condition"] == {
        "StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}
    }


def test_versions_are_kept_and_tidied(create):
    bucket = create(NoncurrentVersionDays=14, AbortMultipartDays=2).properties("Bucket")
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    noncurrent, uploads = bucket["LifecycleConfiguration"]["Rules"]  # no more than these
    assert noncurrent["NoncurrentVersionExpiration"] == {"NoncurrentDays": 14}
    assert noncurrent["ExpiredObjectDeleteMarker"] is True
    assert uploads["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 2}


def test_current_values_expire_only_on_request(create, template):
    rules = create(ExpireValuesAfterDays=90).properties("Bucket")["LifecycleConfiguration"]["Rules"]
    assert rules[2:] == [
        {"Id": "values", "Status": "Enabled", "Prefix": "xcom/", "ExpirationInDays": 90}
    ]
    assert "a task that reads or clears such a run fails" in template.read_text(encoding="utf-8")


def test_s3_accepts_the_lifecycle(create, aws):
    """As S3 does, moto refuses for example a marker's rule that also counts days."""
    stack = create(ExpireValuesAfterDays=90)
    rules = [
        rule_for_the_api(r) for r in stack.properties("Bucket")["LifecycleConfiguration"]["Rules"]
    ]
    aws("s3").put_bucket_lifecycle_configuration(
        Bucket=stack.bucket, LifecycleConfiguration={"Rules": rules}
    )
    found = aws("s3").get_bucket_lifecycle_configuration(Bucket=stack.bucket)["Rules"]
    assert [rule["ID"] for rule in found] == [rule["ID"] for rule in rules]


# ------------------------------------------------------------------------ the policies


def test_the_policy_is_the_one_to_make_by_hand(create):
    page = pytest.importorskip("tests.xcom_store.test_permissions").policy("your-bucket")
    by_hand = json.loads(page)["Statement"]
    by_template = create(BucketName="your-bucket").policy("ValuesPolicyArn")["Statement"]

    def plain(statement):
        if isinstance(statement, dict):
            return {k: plain(v) for k, v in statement.items() if k != "Sid"}
        return statement[0] if isinstance(statement, list) and len(statement) == 1 else statement

    assert [plain(s) for s in by_template] == [plain(s) for s in by_hand]


def test_a_second_prefix(create):
    stack = create(ExtraPrefix="dbt")
    values, listing, _uploads = stack.policy("ValuesPolicyArn")["Statement"]
    arn = f"arn:aws:s3:::{stack.bucket}"
    assert values["Resource"] == [f"{arn}/xcom/*", f"{arn}/dbt/*"]
    assert listing["Condition"] == {"StringLike": {"s3:prefix": ["xcom/*", "dbt/*"]}}


def test_the_check_may_read_the_configuration_only(create):
    stack = create()
    (statement,) = stack.policy("CheckPolicyArn")["Statement"]
    assert statement["Resource"] == f"arn:aws:s3:::{stack.bucket}"
    assert all(action.startswith("s3:Get") for action in statement["Action"])
    assert not [action for action in statement["Action"] if "Object" in action]
    assert "CheckPolicyArn" not in create("without", BucketName="b-2", AllowCheck="false").outputs


# ------------------------------------------------------------------------ who gets them


def trust(iam, stack):
    role = iam.get_role(RoleName=stack.outputs["RoleArn"].split("/")[-1])["Role"]
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    return statement


def test_by_default_nobody(create, aws):
    create()
    assert aws("iam").list_roles()["Roles"] == aws("iam").list_users()["Users"] == []


def test_a_role_for_a_principal(create, aws):
    stack = create(TrustedPrincipalArn=WORKER, ExternalId="of-the-team")
    assert trust(aws("iam"), stack) == {
        "Effect": "Allow",
        "Principal": {"AWS": WORKER},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": "of-the-team"}},
    }
    assert "Condition" not in trust(
        aws("iam"), create("two", TrustedPrincipalArn=WORKER, BucketName="b-2")
    )


def test_a_role_for_service_accounts(create, aws):
    stack = create(OidcProviderArn=PROVIDER, OidcSubjects=",".join(SUBJECTS))
    assert trust(aws("iam"), stack) == {
        "Effect": "Allow",
        "Principal": {"Federated": PROVIDER},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {
            "StringEquals": {f"{ISSUER}:aud": "sts.amazonaws.com"},
            "StringLike": {f"{ISSUER}:sub": SUBJECTS},
        },
    }
    assert not [name for name in stack.outputs if "Connection" in name]  # it needs none


@pytest.mark.parametrize("allow_check", ["true", "false"])
def test_role_and_user_have_the_policies_and_no_others(create, aws, allow_check):
    stack = create(
        TrustedPrincipalArn=WORKER, UserName="airflow-xcoms", KmsKeyArn=KEY, AllowCheck=allow_check
    )
    expected = {arn for name, arn in stack.outputs.items() if name.endswith("PolicyArn")}
    assert len(expected) == (3 if allow_check == "true" else 2)
    iam, role = aws("iam"), stack.outputs["RoleArn"].split("/")[-1]
    for attached in (
        iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"],
        iam.list_attached_user_policies(UserName="airflow-xcoms")["AttachedPolicies"],
    ):
        assert {policy["PolicyArn"] for policy in attached} == expected
    assert iam.list_role_policies(RoleName=role)["PolicyNames"] == []
    assert iam.list_access_keys(UserName="airflow-xcoms")["AccessKeyMetadata"] == []


# ------------------------------------------------------------------------ the settings


def test_the_outputs_are_the_settings_of_the_backend(create):
    from include.xcom_store.settings import variable
    from include.xcom_store.stores.location import parse_url

    stack = create(Prefix="teams/a")
    location = parse_url(stack.outputs["Url"])
    assert (location.bucket, location.prefix) == (stack.bucket, "teams/a")
    assert location.root == stack.outputs["Url"]
    assert stack.settings == {
        variable("url"): stack.outputs["Url"],
        variable("region_name"): "us-east-1",
    }


# ------------------------------------------------------------------------ parameters


def accepted(template, parameter, value):
    text = template.read_text(encoding="utf-8")
    pattern = re.search(
        rf"^  {parameter}:\n(?:    .*\n)*?    AllowedPattern: (.*)$", text, re.MULTILINE
    )
    return re.fullmatch(pattern[1], value) is not None


@pytest.mark.parametrize(
    "prefix", ["xcom", "a/b_c-1", "", "/xcom", "xcom/", "a//b", "a b", "ä", "x*", "a.b", "${x}"]
)
def test_prefixes_are_those_that_the_backend_takes(template, prefix):
    from include.xcom_store.errors import ConfigurationError
    from include.xcom_store.stores.location import parse_url

    try:
        location = parse_url(f"s3://bucket/{prefix}")
    except ConfigurationError:
        assert not accepted(template, "Prefix", prefix)
    else:
        # An empty one, and slashes around it, are for a url only, which fills in or drops them.
        assert accepted(template, "Prefix", prefix) is (prefix == location.prefix)


@pytest.mark.parametrize(
    ("parameter", "good", "bad"),
    [
        ("KmsKeyArn", ["", KEY], ["alias/xcoms", KEY.rpartition("/")[2], KEY + "*"]),
        ("TrustedPrincipalArn", ["", WORKER, f"arn:aws:iam::{ACCOUNT}:root"], ["*", ACCOUNT]),
        ("OidcProviderArn", ["", PROVIDER], ["*", f"https://{ISSUER}"]),
        ("OidcSubjects", SUBJECTS, ["*", "system:serviceaccount:*", "system:serviceaccount:a:*"]),
        ("ExternalId", ["", "of-the-team"], ['"', "a b", "${x}"]),
        ("BucketName", ["", "a-bucket"], ["A", "a.b", "s3://bucket", "-a-"]),
    ],
)
def test_what_parameters_take(template, parameter, good, bad):
    assert [value for value in good if not accepted(template, parameter, value)] == []
    assert [value for value in bad if accepted(template, parameter, value)] == []


def holds(node, values):
    """Evaluate a rule as CloudFormation's documentation says; nothing here can do it for us."""
    if not isinstance(node, dict):
        return node
    ((function, inner),) = node.items()
    if function == "Ref":
        return values[inner]
    inner = [holds(part, values) for part in inner]
    return {
        "Fn::Not": lambda: not inner[0],
        "Fn::Or": lambda: any(inner),
        "Fn::Equals": lambda: inner[0] == inner[1],
        "Fn::EachMemberEquals": lambda: all(member == inner[1] for member in inner[0]),
    }[function]()


@pytest.mark.parametrize(
    ("given", "refused"),
    [
        ({}, []),
        ({"UserName": "airflow-xcoms"}, []),
        ({"TrustedPrincipalArn": WORKER}, []),
        ({"TrustedPrincipalArn": WORKER, "ExternalId": "x"}, []),
        ({"OidcProviderArn": PROVIDER, "OidcSubjects": SUBJECTS}, []),
        ({"ExternalId": "x"}, ["ExternalIdHasPrincipal"]),
        ({"OidcProviderArn": PROVIDER}, ["OidcHasSubjects"]),
        (
            {"OidcProviderArn": PROVIDER, "OidcSubjects": SUBJECTS, "TrustedPrincipalArn": WORKER},
            ["OneTrust"],
        ),
    ],
)
def test_rules_refuse_what_does_not_go_together(create, given, refused):
    create()
    found = template_of("xcoms")
    defaults = {name: parameter["Default"] for name, parameter in found["Parameters"].items()}
    values = defaults | {"OidcSubjects": [""]} | given
    assert refused == [
        name
        for name, rule in found["Rules"].items()
        if holds(rule.get("RuleCondition", True), values)
        and not all(holds(each["Assert"], values) for each in rule["Assertions"])
    ]


def test_the_page_has_every_parameter(template):
    page = template.parents[2] / "docs" / "stores.md"
    if not page.exists():
        pytest.skip("docs/ was deleted")
    text = template.read_text(encoding="utf-8").partition("\nConditions:\n")[0]
    names = re.findall(r"^  (\w+):$", text, re.MULTILINE)
    defaults = re.findall(r'^    Default: "?(.*?)"?$', text, re.MULTILINE)
    declared = list(zip(names, defaults, strict=True))
    found = re.findall(
        r"^\| `([A-Z]\w+)` \|(.*?)\| ", page.read_text(encoding="utf-8"), re.MULTILINE
    )
    rows = [(name, default.strip(" `")) for name, default in found]
    assert rows == declared


def test_the_bucket_outlives_the_stack(template):
    assert "    DeletionPolicy: RetainExceptOnCreate\n    UpdateReplacePolicy: Retain\n" in (
        template.read_text(encoding="utf-8")
    )
