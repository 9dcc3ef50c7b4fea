"""What a bucket's lifecycle rules do to values that the database still refers to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from include.xcom_tools.check_line import ERROR, OK, WARNING, CheckLine

if TYPE_CHECKING:
    from collections.abc import Iterator

_NOT_AT_ONCE = {"GLACIER", "DEEP_ARCHIVE"}
"""Storage classes whose objects must be restored, for hours, before they can be read."""


def lines(rules: list[dict[str, Any]], prefix: str, *, versioned: bool) -> Iterator[CheckLine]:
    """Tell what the rules do to objects under the prefix.

    Args:
        rules: as GetBucketLifecycleConfiguration gives them.
        prefix: of the store.
        versioned: whether deleted objects stay as noncurrent versions.
    """
    ours = [rule for rule in rules if rule.get("Status") == "Enabled" and _concerns(rule, prefix)]
    harm = [line for rule in ours for line in _harm(rule)]
    yield from harm
    if not any(rule.get("AbortIncompleteMultipartUpload") for rule in ours):
        yield CheckLine(
            "lifecycle",
            WARNING,
            "Remains of interrupted uploads are kept, unseen and paid for.",
            "Add a rule that aborts incomplete multipart uploads after some days.",
        )
    if versioned and not any(rule.get("NoncurrentVersionExpiration") for rule in ours):
        yield CheckLine(
            "lifecycle",
            WARNING,
            "Versioning is on, and deleted values are kept for ever.",
            "Add a rule that expires noncurrent versions after some days.",
        )
    if not harm:
        yield CheckLine("lifecycle", OK, "No rule deletes or archives values in use.")


def _concerns(rule: dict[str, Any], prefix: str) -> bool:
    """Tell whether a rule can apply to objects of ours, which carry no tags."""
    chosen = rule.get("Filter", {})
    chosen = {**chosen, **chosen.get("And", {})}
    start = chosen.get("Prefix") or rule.get("Prefix") or ""
    tagged = "Tag" in chosen or "Tags" in chosen
    return not tagged and (f"{prefix}/".startswith(start) or start.startswith(f"{prefix}/"))


def _harm(rule: dict[str, Any]) -> Iterator[CheckLine]:
    name = f"Rule {rule.get('ID', '(without ID)')!r}"
    expiration = rule.get("Expiration", {})
    if when := _when(expiration):
        yield CheckLine(
            "lifecycle",
            WARNING,
            f"{name} deletes values {when}, whether the database refers to them or not.",
            "Remove it and sweep instead, or make sure that runs are cleaned up earlier, and that "
            "none of that age is cleared and run again.",
        )
    for transition in rule.get("Transitions", []):
        if transition.get("StorageClass") in _NOT_AT_ONCE:
            yield CheckLine(
                "lifecycle",
                ERROR,
                f"{name} moves values to {transition['StorageClass']} {_when(transition)}: a pull "
                "of them fails from then on.",
                "Remove the transition; GLACIER_IR and STANDARD_IA can be read at once.",
            )


def _when(action: dict[str, Any]) -> str:
    if "Days" in action:
        return f"{action['Days']} days after they were written"
    return f"on {action['Date']:%Y-%m-%d}" if "Date" in action else ""
