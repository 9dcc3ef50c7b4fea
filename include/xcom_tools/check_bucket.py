"""What a check says about the bucket's configuration, which only AWS and the like know.

What the credentials may not ask is "not known", with the missing permission; no push or pull needs
these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from include.xcom_store.settings import variable
from include.xcom_tools import check_lifecycle, s3_client
from include.xcom_tools.check_line import ERROR, NOT_KNOWN, OK, WARNING, CheckLine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from include.xcom_store.stores.base import Store

_DENIED = {"AccessDenied", "AllAccessDisabled", "403", "Forbidden"}
_FLAGS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


class NotAsked:
    """In place of `Questions` for what is not S3, or local: says what is not looked at."""

    def __init__(self, store: Store, *, local: bool) -> None:
        self._of = "a server on your machine" if local else store.service.NAME
        self._to_do = (
            "Check the bucket of your deployment, there: python -m include.xcom_tools check."
            if local
            else "See there that no rule deletes or archives values in use, and that deleted ones "
            "can be restored for a while (docs/stores.md)."
        )

    def region(self) -> Iterator[CheckLine]:
        """Tell nothing."""
        return iter(())

    def configuration(self) -> Iterator[CheckLine]:
        """Tell what is not known."""
        yield CheckLine(
            "configuration",
            NOT_KNOWN,
            f"Versioning, encryption, public access and lifecycle rules of {self._of} are not "
            "looked at.",
            self._to_do,
        )


class Questions:
    """Asks one bucket of S3 about itself."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._bucket = store.location.bucket
        self._client = s3_client.connect(store)

    def region(self) -> Iterator[CheckLine]:
        """Tell whether the region is the bucket's, where S3 says so."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer = self._client.head_bucket(Bucket=self._bucket)
        except ClientError as error:  # S3 tells the region also to those who may do nothing
            answer = error.response
        except BotoCoreError:
            return  # the first request of the backend's own code will say what is wrong
        region = answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region")
        configured = self._store.access.region
        if region and configured and configured != region:
            yield CheckLine(
                "region",
                ERROR,
                f"The bucket is in {region}, {configured} is configured.",
                f"Set {variable('region_name')}={region}, or correct region_name of the "
                "connection or AWS_REGION, whichever says otherwise.",
            )
        elif region:
            yield CheckLine("region", OK, f"{region}.")

    def configuration(self) -> Iterator[CheckLine]:
        """Report on versioning, encryption, public access, lifecycle and unfinished uploads."""
        versioned = False
        for line in self._asking("versioning", "s3:GetBucketVersioning", self._versioning):
            versioned = line.state == OK
            yield line
        yield from self._asking("encryption", "s3:GetEncryptionConfiguration", self._encryption)
        permissions = "s3:GetBucketPublicAccessBlock and s3:GetBucketPolicyStatus"
        yield from self._asking("public access", permissions, self._public_access)

        def rules() -> Iterator[CheckLine]:
            name = "NoSuchLifecycleConfiguration"
            found = self._ask(self._client.get_bucket_lifecycle_configuration, name)
            prefix = self._store.location.prefix
            return check_lifecycle.lines(found.get("Rules", []), prefix, versioned=versioned)

        yield from self._asking("lifecycle", "s3:GetLifecycleConfiguration", rules)
        permission, purpose = "s3:ListBucketMultipartUploads", "For the sweep to see these"
        yield from self._asking("uploads", permission, self._uploads, purpose)

    def _asking(
        self,
        about: str,
        permission: str,
        lines: Callable[[], Iterator[CheckLine]],
        purpose: str = "To see it here",
    ) -> Iterator[CheckLine]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield from lines()
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in _DENIED:
                yield CheckLine(
                    about,
                    NOT_KNOWN,
                    "These credentials may not ask.",
                    f"{purpose}, allow {permission} on arn:aws:s3:::{self._bucket}.",
                )
            else:
                yield CheckLine(about, NOT_KNOWN, f"This S3 does not say: {error}")
        except BotoCoreError as error:
            yield CheckLine(about, NOT_KNOWN, f"No answer: {error}")

    def _ask(self, call: Callable[..., Any], none: str) -> Any:
        """Return an answer; an empty one for the code that means that there is nothing."""
        from botocore.exceptions import ClientError

        try:
            return call(Bucket=self._bucket)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != none:
                raise
            return {}

    def _versioning(self) -> Iterator[CheckLine]:
        status = self._client.get_bucket_versioning(Bucket=self._bucket).get("Status")
        if status == "Enabled":
            yield CheckLine("versioning", OK, "On: a deleted value can be restored.")
            return
        yield CheckLine(
            "versioning",
            WARNING,
            f"{status or 'Off'}: a value that is deleted by mistake is gone.",
            "Turn it on, together with a lifecycle rule that expires noncurrent versions.",
        )

    def _encryption(self) -> Iterator[CheckLine]:
        name = "ServerSideEncryptionConfigurationNotFoundError"
        found = self._ask(self._client.get_bucket_encryption, name)
        rules = found.get("ServerSideEncryptionConfiguration", {}).get("Rules", [])
        if not rules:
            advice = "Set SSE-S3 or SSE-KMS as the bucket's default."
            yield CheckLine("encryption", WARNING, "The bucket has no default encryption.", advice)
            return
        default = rules[0].get("ApplyServerSideEncryptionByDefault", {})
        algorithm, key = default.get("SSEAlgorithm"), default.get("KMSMasterKeyID")
        said = f"{algorithm}{f' with {key}' if key else ''} by default."
        if algorithm == "aws:kms" and not rules[0].get("BucketKeyEnabled"):
            advice = "Turn the bucket key on: without it each push and pull is a request to KMS."
            yield CheckLine("encryption", WARNING, f"{said} No bucket key.", advice)
        else:
            yield CheckLine("encryption", OK, said)

    def _uploads(self) -> Iterator[CheckLine]:
        prefix = f"{self._store.location.prefix}/"
        self._client.list_multipart_uploads(Bucket=self._bucket, Prefix=prefix, MaxUploads=1)
        yield CheckLine("uploads", OK, "A sweep sees those that were never completed.")

    def _public_access(self) -> Iterator[CheckLine]:
        name = "NoSuchPublicAccessBlockConfiguration"
        block = self._ask(self._client.get_public_access_block, name)
        flags = block.get("PublicAccessBlockConfiguration", {})
        missing = [flag for flag in _FLAGS if not flags.get(flag)]
        status = self._ask(self._client.get_bucket_policy_status, "NoSuchBucketPolicy")
        if status.get("PolicyStatus", {}).get("IsPublic") and "RestrictPublicBuckets" in missing:
            advice = "Turn Block Public Access on, and remove what the policy grants to everybody."
            yield CheckLine("public access", ERROR, "The bucket's policy makes it public.", advice)
        elif missing:
            yield CheckLine(
                "public access",
                WARNING,
                f"Not blocked on the bucket: {', '.join(missing)}.",
                "Turn Block Public Access on, all four (the account's own setting cannot be seen "
                "here, and may do so already).",
            )
        else:
            yield CheckLine("public access", OK, "Blocked, all four.")
