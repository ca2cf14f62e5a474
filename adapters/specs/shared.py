"""Permissions and conditions that the declarations of several technologies share. Data only."""

from __future__ import annotations

from orchestrator.spec import Permission
from orchestrator.words import Mode, Use

PLANNED = frozenset({Mode.PLANNED})
DRILL = frozenset({Mode.DRILL})
REAL = frozenset({Mode.PLANNED, Mode.EMERGENCY})
NOT_EMERGENCY = frozenset({Mode.PLANNED, Mode.DRILL})
MAKING = frozenset({Use.INSTANTIATE, Use.ACTIVATE, Use.REPLICATE})

ENABLED = {"StringEquals": {"aws:ResourceTag/dr:enabled": "true"}}
MADE_BY_RUN = {"Null": {"aws:RequestTag/dr:execution-id": "false"}}
MADE_BY_DRILL = {"Null": {"aws:RequestTag/dr:drill-id": "false"}}
DRILL_OWNS = {"Null": {"aws:ResourceTag/dr:drill-id": "false"}}
RETIRED = {"Null": {"aws:ResourceTag/dr:fenced": "false"}}

SECURITY_GROUP = "arn:{partition}:ec2:{region}:{account}:security-group/*"
_FENCING = frozenset({Use.INSTANTIATE, Use.ACTIVATE, Use.CLEANUP})

FENCE_GROUP = (
    Permission(
        actions=("ec2:CreateSecurityGroup",),
        uses=_FENCING,
        resources=(SECURITY_GROUP, "arn:{partition}:ec2:{region}:{account}:vpc/*"),
        modes=NOT_EMERGENCY,
    ),
    Permission(
        actions=("ec2:CreateTags",),
        uses=_FENCING,
        resources=(SECURITY_GROUP,),
        conditions={"StringEquals": {"ec2:CreateAction": "CreateSecurityGroup"}},
        modes=NOT_EMERGENCY,
    ),
)
"""The security group without rules that fences a data store, and that isolates the copy of a drill."""


def grant_through(service: str) -> Permission:
    """Return the permission to let a service use a key for what is made through it, and only so."""
    return Permission(
        actions=("kms:CreateGrant",),
        uses=MAKING,
        resources=("arn:{partition}:kms:{region}:{account}:key/*",),
        conditions={
            "StringLike": {"kms:ViaService": f"{service}.*.amazonaws.com"},
            "Bool": {"kms:GrantIsForAWSResource": "true"},
        },
    )
