"""Acknowledge a finding of the security checks on one construct, with the reason why it is right there."""

from __future__ import annotations

from aws_cdk import Acknowledgment, Aws, Validations
from constructs import IConstruct

PACK = "AwsSolutions"


def acknowledge(scope: IConstruct, rule: str, reason: str, *findings: str) -> None:
    """Acknowledge `rule` (such as "IAM5") on `scope`, for each finding ("Resource::*") or as a whole.

    A finding may be built from the same pseudo parameters as the policy it is about.
    """
    ids = [f"{PACK}-{rule}[{_as_reported(finding)}]" for finding in findings] or [f"{PACK}-{rule}"]
    Validations.of(scope).acknowledge(*(Acknowledgment(id=each, reason=reason) for each in ids))


def _as_reported(finding: str) -> str:
    for token, shown in (
        (Aws.PARTITION, "<AWS::Partition>"),
        (Aws.REGION, "<AWS::Region>"),
        (Aws.ACCOUNT_ID, "<AWS::AccountId>"),
    ):
        finding = finding.replace(token, shown)
    return finding
