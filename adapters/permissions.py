"""Permissions and conditions that the declarations of several technologies share. Data only."""

from __future__ import annotations

from orchestrator.spec import Permission
from orchestrator.words import Mode, Use

PLANNED = frozenset({Mode.PLANNED})
DRILL = frozenset({Mode.DRILL})
REAL = frozenset({Mode.PLANNED, Mode.EMERGENCY})
NOT_EMERGENCY = frozenset({Mode.PLANNED, Mode.DRILL})
FENCING = frozenset({Use.INSTANTIATE, Use.ACTIVATE, Use.CLEANUP})
MAKING = frozenset({Use.INSTANTIATE, Use.ACTIVATE, Use.REPLICATE})

ENABLED = {"StringEquals": {"aws:ResourceTag/dr:enabled": "true"}}
ENABLES = {"StringEquals": {"aws:RequestTag/dr:enabled": "true"}}
MADE_BY_RUN = {"Null": {"aws:RequestTag/dr:execution-id": "false"}}
MADE_BY_DRILL = {"Null": {"aws:RequestTag/dr:drill-id": "false"}}
DRILL_OWNS = {"Null": {"aws:ResourceTag/dr:drill-id": "false"}}
FENCED = {"Null": {"aws:ResourceTag/dr:fenced": "false"}}
MAKES_GROUP = {"StringEquals": {"ec2:CreateAction": "CreateSecurityGroup"}}

KEYS = "arn:{partition}:kms:{region}:{account}:key/*"
SECURITY_GROUP = "arn:{partition}:ec2:{region}:{account}:security-group/*"

FENCE_GROUP = (
    Permission(
        actions=("ec2:CreateSecurityGroup",),
        uses=FENCING,
        resources=(SECURITY_GROUP, "arn:{partition}:ec2:{region}:{account}:vpc/*"),
        modes=NOT_EMERGENCY,
    ),
    Permission(
        actions=("ec2:CreateTags",),
        uses=FENCING,
        resources=(SECURITY_GROUP,),
        conditions=MAKES_GROUP,
        modes=NOT_EMERGENCY,
    ),
)
"""The security group without rules that fences a data store, and that isolates the copy of a drill."""

DESCRIBE_KEY = Permission(
    actions=("kms:DescribeKey",),
    uses=frozenset({Use.PLAN}),
    resources=(KEYS,),
)
DESCRIBE_CERTIFICATE = Permission(
    actions=("acm:DescribeCertificate",),
    uses=frozenset({Use.PLAN}),
    resources=("arn:{partition}:acm:{region}:{account}:certificate/*",),
)


def granting_to(service: str) -> dict[str, dict[str, str]]:
    """Return the condition under which a key may be given to a service, for what is made through it."""
    return {
        "StringLike": {"kms:ViaService": f"{service}.*.amazonaws.com"},
        "Bool": {"kms:GrantIsForAWSResource": "true"},
    }


def grant_through(service: str) -> Permission:
    """Return the permission to let a service use a key for what is made through it, and only so."""
    return Permission(
        actions=("kms:CreateGrant",),
        uses=MAKING,
        resources=(KEYS,),
        conditions=granting_to(service),
    )
