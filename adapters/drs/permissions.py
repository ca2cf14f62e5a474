"""What the DRS spoke role may do. Source: DRS user guide, "Identity and access management"; service authorization reference."""

from __future__ import annotations

from adapters.permissions import DESCRIBE_KEY, DRILL, ENABLED, ENABLES, MAKING, PLANNED, REAL
from adapters.quotas import READ_USAGE, reads_quota
from orchestrator.spec import Permission
from orchestrator.words import Use

INTO = "drs-launch-into"
PLAN = "drs-recovery-plan"
COPYING = ("drs-recovery", PLAN)
"""Strategies whose drills launch copies."""
_SERVER = "arn:{partition}:drs:{region}:{account}:source-server/{name}"
_SERVERS = "arn:{partition}:drs:{region}:{account}:source-server/*"
_RECOVERED = "arn:{partition}:drs:{region}:{account}:recovery-instance/*"
_JOBS = "arn:{partition}:drs:{region}:{account}:job/*"
_PLANS = "arn:{partition}:drs:{region}:{account}:recovery-plan/*"
_EXECUTIONS = "arn:{partition}:drs:{region}:{account}:recovery-plan-execution/*"
_OF_RECOVERIES = "arn:{partition}:drs:{region}:{account}:recovery-*"
"""Recovery instances, recovery plans and their executions."""
_SINGLE = (_JOBS, _SERVERS, _OF_RECOVERIES)
"""One list for all, so that they are one statement of a session policy."""
_MACHINES = "arn:{partition}:ec2:{region}:{account}:instance/*"
_PREPARED = {"StringEquals": {"ec2:ResourceTag/AWSDRS": "AllowLaunchingIntoThisInstance"}}
_FENCE = {"ForAllValues:StringEquals": {"aws:TagKeys": ["dr:fenced"]}}
_VIA_SERVICE = {"Bool": {"aws:ViaAWSService": "true"}}

_EC2_OF_A_LAUNCH = (
    "ec2:RunInstances",
    "ec2:CreateTags",
    "ec2:CreateVolume",
    "ec2:AttachVolume",
    "ec2:DetachVolume",
    "ec2:DeleteVolume",
    "ec2:CreateSnapshot",
    "ec2:DeleteSnapshot",
    "ec2:CreateLaunchTemplate",
    "ec2:CreateLaunchTemplateVersion",
    "ec2:DeleteLaunchTemplateVersions",
    "ec2:ModifyLaunchTemplate",
    "ec2:ModifyInstanceAttribute",
    "ec2:StartInstances",
    "ec2:StopInstances",
    "ec2:TerminateInstances",
    "ec2:AuthorizeSecurityGroupEgress",
    "ec2:AuthorizeSecurityGroupIngress",
    "ec2:RevokeSecurityGroupEgress",
    "ec2:DescribeAccountAttributes",
    "ec2:DescribeAvailabilityZones",
    "ec2:DescribeImages",
    "ec2:DescribeInstanceAttribute",
    "ec2:DescribeInstanceTypes",
    "ec2:DescribeLaunchTemplateVersions",
    "ec2:DescribeLaunchTemplates",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSnapshots",
    "ec2:DescribeSubnets",
    "ec2:DescribeVolumes",
)
"""What DRS does in EC2 with its caller's rights; without these StartRecovery answers 200 and the job fails later."""

_READS = (
    "drs:DescribeSourceServers",
    "drs:DescribeJobs",
    "drs:DescribeRecoveryInstances",
    "drs:DescribeReplicationConfigurationTemplates",
    "drs:DescribeLaunchConfigurationTemplates",
    "ec2:DescribeInstances",
    "ec2:DescribeInstanceStatus",
    "ec2:DescribeInstanceAttribute",
)

PERMISSIONS = (
    Permission(actions=("drs:DescribeSourceServers", "ec2:DescribeInstances"), uses=frozenset({Use.DISCOVER})),
    Permission(actions=("drs:GetLaunchConfiguration",), uses=frozenset({Use.DISCOVER}), resources=(_SERVERS,)),
    Permission(actions=("drs:ListRecoveryPlans",), uses=frozenset({Use.DISCOVER, Use.OBSERVE}), strategies=(PLAN,)),
    Permission(actions=("drs:ListRecoveryPlanSteps",), uses=frozenset({Use.DISCOVER}), resources=(_PLANS,)),
    Permission(
        actions=(
            "drs:GetRecoveryPlan",
            "drs:GetRecoveryPlanExecution",
            "drs:GetRecoveryPlanExecutionStep",
            "drs:ListRecoveryPlanExecutionSteps",
            "drs:ListRecoveryPlanExecutions",
            "drs:ListRecoveryPlanSteps",
        ),
        uses=frozenset({Use.OBSERVE}),
        resources=_SINGLE,
        session_actions=("drs:GetRecoveryPlan*", "drs:ListRecoveryPlan*"),
        strategies=(PLAN,),
    ),
    Permission(actions=_READS, uses=frozenset({Use.OBSERVE}), session_actions=("drs:Describe*", "ec2:Describe*")),
    Permission(
        actions=("drs:GetLaunchConfiguration", "drs:DescribeRecoverySnapshots"),
        uses=frozenset({Use.OBSERVE}),
        resources=_SINGLE,
    ),
    Permission(
        actions=(
            "ec2:DescribeInstanceTypes",
            "ec2:DescribeLaunchTemplateVersions",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets",
        ),
        uses=frozenset({Use.PLAN}),
        session_actions=("ec2:Describe*",),
    ),
    reads_quota("ec2"),
    READ_USAGE,
    Permission(actions=("drs:GetReplicationConfiguration",), uses=frozenset({Use.PLAN}), resources=_SINGLE),
    DESCRIBE_KEY,
    Permission(actions=("drs:DescribeJobLogItems",), uses=frozenset({Use.OBSERVE}), resources=_SINGLE),
    Permission(
        actions=("drs:UpdateLaunchConfiguration",),
        uses=frozenset({Use.INSTANTIATE}),
        resources=(_SERVER,),
        conditions=ENABLED,
        modes=PLANNED,
    ),
    Permission(
        actions=("ec2:CreateLaunchTemplateVersion", "ec2:ModifyLaunchTemplate"),
        uses=frozenset({Use.INSTANTIATE, Use.REPLICATE}),
        conditions=_VIA_SERVICE,
        modes=PLANNED,
    ),
    *(
        permission
        for use, modes, launching in ((Use.ACTIVATE, REAL, ()), (Use.INSTANTIATE, DRILL, COPYING))
        for permission in (
            Permission(
                actions=("drs:StartRecovery", "drs:CreateRecoveryInstanceForDrs"),
                uses=frozenset({use}),
                resources=(_SERVER, _PLANS),
                conditions=ENABLED,
                modes=modes,
                strategies=launching,
            ),
            Permission(
                actions=("drs:StartRecoveryPlanExecution",),
                uses=frozenset({use}),
                resources=(_SERVER, _PLANS),
                conditions=ENABLED,
                modes=modes,
                strategies=(PLAN,),
            ),
            Permission(
                actions=("drs:RetryRecoveryPlanExecutionStep",),
                uses=frozenset({use}),
                resources=_SINGLE,
                modes=modes,
                strategies=(PLAN,),
            ),
            Permission(
                actions=("drs:TagResource",),
                uses=frozenset({use}),
                resources=_SINGLE,
                modes=modes,
                strategies=launching,
            ),
            Permission(actions=("drs:ListTagsForResource",), uses=frozenset({use}), modes=modes, strategies=launching),
            Permission(
                actions=_EC2_OF_A_LAUNCH,
                uses=frozenset({use}),
                conditions=_VIA_SERVICE,
                modes=modes,
                strategies=launching,
                session_actions=("ec2:*",),
            ),
            Permission(
                actions=("iam:PassRole",),
                uses=frozenset({use}),
                resources=("arn:{partition}:iam::{account}:role/*",),
                conditions={"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}},
                modes=modes,
                strategies=launching,
            ),
        )
    ),
    Permission(
        actions=("ec2:StopInstances", "ec2:StartInstances"),
        uses=frozenset({Use.ACTIVATE, Use.CLEANUP, Use.ROLLBACK}),
        resources=(_MACHINES,),
        conditions=ENABLED,
        modes=REAL,
    ),
    Permission(
        actions=("ec2:CreateTags", "ec2:DeleteTags"),
        uses=frozenset({Use.CLEANUP, Use.ROLLBACK}),
        resources=(_MACHINES,),
        conditions={**ENABLED, **_FENCE},
        modes=REAL,
    ),
    Permission(
        actions=("ec2:DeleteTags",),
        uses=frozenset({Use.ACTIVATE}),
        resources=(_MACHINES,),
        conditions={**_PREPARED, **_FENCE},
        modes=REAL,
        strategies=(INTO,),
    ),
    Permission(
        actions=("ec2:ModifyInstanceAttribute",),
        uses=MAKING,
        resources=(_MACHINES,),
        conditions=_PREPARED,
        modes=REAL,
        strategies=(INTO,),
    ),
    Permission(
        actions=("ec2:CreateTags",),
        uses=frozenset({Use.REPLICATE}),
        resources=(_MACHINES,),
        conditions={**ENABLED, "ForAllValues:StringEquals": {"aws:TagKeys": ["AWSDRS"]}},
        modes=PLANNED,
        strategies=(INTO,),
    ),
    Permission(
        actions=("drs:UpdateLaunchConfiguration",),
        uses=frozenset({Use.REPLICATE}),
        resources=(_SERVERS,),
        conditions=ENABLED,
        modes=PLANNED,
        strategies=(INTO,),
    ),
    Permission(
        actions=("drs:CancelRecoveryPlanExecution",),
        uses=frozenset({Use.CLEANUP, Use.ROLLBACK}),
        resources=(_EXECUTIONS,),
        strategies=(PLAN,),
    ),
    Permission(
        actions=("ec2:CreateTags",),
        uses=frozenset({Use.INSTANTIATE}),
        resources=(_MACHINES,),
        conditions={**ENABLED, "ForAllValues:StringEquals": {"aws:TagKeys": ["dr:drill-id"]}},
        modes=DRILL,
        strategies=(PLAN,),
    ),
    Permission(
        actions=("drs:CreateRecoveryPlan",),
        uses=frozenset({Use.REPLICATE}),
        conditions=ENABLES,
        modes=PLANNED,
        strategies=(PLAN,),
    ),
    Permission(
        actions=("drs:CreateRecoveryPlanStep",),
        uses=frozenset({Use.REPLICATE}),
        resources=(_PLANS,),
        conditions=ENABLED,
        modes=PLANNED,
        strategies=(PLAN,),
    ),
    Permission(
        actions=("drs:ReverseReplication",),
        uses=frozenset({Use.REPLICATE}),
        resources=(_RECOVERED,),
        modes=PLANNED,
    ),
    Permission(
        actions=("drs:TagResource",), uses=frozenset({Use.REPLICATE}), resources=(_SERVERS, _PLANS), modes=PLANNED
    ),
    Permission(
        actions=("drs:TerminateRecoveryInstances",),
        uses=frozenset({Use.CLEANUP, Use.ROLLBACK}),
        resources=(_RECOVERED,),
        modes=DRILL,
    ),
    Permission(
        actions=("drs:TerminateRecoveryInstances",),
        uses=frozenset({Use.ROLLBACK}),
        resources=(_RECOVERED,),
        modes=REAL,
    ),
    Permission(
        actions=("ec2:TerminateInstances", "ec2:DeleteVolume", "ec2:DescribeVolumes"),
        uses=frozenset({Use.CLEANUP, Use.ROLLBACK}),
        conditions=_VIA_SERVICE,
    ),
    Permission(
        actions=("ec2:TerminateInstances",),
        uses=frozenset({Use.DECOMMISSION}),
        resources=(_MACHINES,),
        conditions={**ENABLED, "Null": {"aws:ResourceTag/dr:fenced": "false"}},
        modes=PLANNED,
    ),
)
