"""What a check says of the bucket's configuration, which only AWS and the like know of.

Asked with boto3, for obstore has no calls for it, with the credentials the backend uses. What may
not be asked is "not known", with the permission that is missing; reading these needs no permission
that reading and writing values would need.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from include.xcom_store.settings import variable
from include.xcom_tools import check_lifecycle
from include.xcom_tools.check_line import ERROR, NOT_KNOWN, OK, WARNING, Line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from include.xcom_tools.listing import Bucket

_DENIED = {"AccessDenied", "AllAccessDisabled", "403", "Forbidden"}
_FLAGS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


class Questions:
    """Asks one bucket about itself."""

    def __init__(self, bucket: Bucket, patience: dict[str, float]) -> None:
        self._bucket = bucket
        self._client = _client(bucket, patience)

    def region(self) -> Iterator[Line]:
        """Tell whether the region is the bucket's, where S3 says so."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer = self._client.head_bucket(Bucket=self._bucket.bucket)
        except ClientError as error:  # S3 tells the region also to those who may do nothing
            answer = error.response
        except BotoCoreError:
            return  # what is wrong, the first request of the backend's own code will say
        region = answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region")
        configured = self._bucket.access.region
        if region and configured and configured != region:
            yield Line(
                "region",
                ERROR,
                f"The bucket is in {region}, {configured} is configured.",
                f"Set {variable('region_name')}={region}, or correct region_name of the "
                "connection or AWS_REGION, whichever says otherwise.",
            )
        elif region:
            yield Line("region", OK, f"{region}.")

    def configuration(self) -> Iterator[Line]:
        """Tell of encryption, versioning, public access and lifecycle."""
        versioned = False
        for line in self._asking("versioning", "s3:GetBucketVersioning", self._versioning):
            versioned = line.state == OK
            yield line
        yield from self._asking("encryption", "s3:GetEncryptionConfiguration", self._encryption)
        permissions = "s3:GetBucketPublicAccessBlock and s3:GetBucketPolicyStatus"
        yield from self._asking("public access", permissions, self._public_access)

        def rules() -> Iterator[Line]:
            name = "NoSuchLifecycleConfiguration"
            found = self._ask(self._client.get_bucket_lifecycle_configuration, name)
            prefix = self._bucket.prefix
            return check_lifecycle.lines(found.get("Rules", []), prefix, versioned=versioned)

        yield from self._asking("lifecycle", "s3:GetLifecycleConfiguration", rules)

    def _asking(
        self, about: str, permission: str, lines: Callable[[], Iterator[Line]]
    ) -> Iterator[Line]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield from lines()
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in _DENIED:
                yield Line(
                    about,
                    NOT_KNOWN,
                    "These credentials may not ask.",
                    f"To see it here, allow {permission} on arn:aws:s3:::{self._bucket.bucket}.",
                )
            else:
                yield Line(about, NOT_KNOWN, f"This S3 does not say: {error}")
        except BotoCoreError as error:
            yield Line(about, NOT_KNOWN, f"No answer: {error}")

    def _ask(self, call: Callable[..., Any], none: str) -> Any:
        """Return an answer; an empty one for the code that says that there is nothing."""
        from botocore.exceptions import ClientError

        try:
            return call(Bucket=self._bucket.bucket)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != none:
                raise
            return {}

    def _versioning(self) -> Iterator[Line]:
        status = self._client.get_bucket_versioning(Bucket=self._bucket.bucket).get("Status")
        if status == "Enabled":
            yield Line("versioning", OK, "On: a deleted value can be restored.")
            return
        yield Line(
            "versioning",
            WARNING,
            f"{status or 'Off'}: a value that is deleted by mistake is gone.",
            "Turn it on, together with a lifecycle rule that expires noncurrent versions.",
        )

    def _encryption(self) -> Iterator[Line]:
        name = "ServerSideEncryptionConfigurationNotFoundError"
        found = self._ask(self._client.get_bucket_encryption, name)
        rules = found.get("ServerSideEncryptionConfiguration", {}).get("Rules", [])
        if not rules:
            advice = "Set SSE-S3 or SSE-KMS as the bucket's default."
            yield Line("encryption", WARNING, "The bucket has no default encryption.", advice)
            return
        default = rules[0].get("ApplyServerSideEncryptionByDefault", {})
        algorithm, key = default.get("SSEAlgorithm"), default.get("KMSMasterKeyID")
        said = f"{algorithm}{f' with {key}' if key else ''} by default."
        if algorithm == "aws:kms" and not rules[0].get("BucketKeyEnabled"):
            advice = "Turn the bucket key on: without it each push and pull is a request to KMS."
            yield Line("encryption", WARNING, f"{said} No bucket key.", advice)
        else:
            yield Line("encryption", OK, said)

    def _public_access(self) -> Iterator[Line]:
        name = "NoSuchPublicAccessBlockConfiguration"
        block = self._ask(self._client.get_public_access_block, name)
        flags = block.get("PublicAccessBlockConfiguration", {})
        missing = [flag for flag in _FLAGS if not flags.get(flag)]
        status = self._ask(self._client.get_bucket_policy_status, "NoSuchBucketPolicy")
        if status.get("PolicyStatus", {}).get("IsPublic") and "RestrictPublicBuckets" in missing:
            advice = "Turn Block Public Access on, and remove what the policy gives to everybody."
            yield Line("public access", ERROR, "The bucket's policy makes it public.", advice)
        elif missing:
            yield Line(
                "public access",
                WARNING,
                f"Not blocked on the bucket: {', '.join(missing)}.",
                "Turn Block Public Access on, all four (the account's own setting is not seen "
                "here, and may do it already).",
            )
        else:
            yield Line("public access", OK, "Blocked, all four.")


def _client(bucket: Bucket, patience: dict[str, float]) -> Any:
    import boto3
    from botocore.config import Config

    access = bucket.access
    keys = access.credentials() if access.credentials else {}
    return boto3.client(
        "s3",
        endpoint_url=access.endpoint,
        region_name=access.region or "us-east-1",
        aws_access_key_id=keys.get("access_key_id"),
        aws_secret_access_key=keys.get("secret_access_key"),
        aws_session_token=keys.get("token"),
        config=Config(
            connect_timeout=patience["connect_timeout"],
            read_timeout=patience["request_timeout"],
            retries={"total_max_attempts": 2},
            s3={"addressing_style": "path" if access.endpoint else "auto"},
        ),
    )
