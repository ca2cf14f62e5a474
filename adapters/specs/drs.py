"""The declaration of DRS. Sources: DRS API reference; DRS user guide, "Failback" and "Identity and access management"."""

from __future__ import annotations

from orchestrator.spec import Permission, Spec, Strategy
from orchestrator.words import Mode, Phase, Use

_SERVER = "arn:{partition}:drs:{region}:{account}:source-server/{name}"
_SERVERS = "arn:{partition}:drs:{region}:{account}:source-server/*"
_RECOVERED = "arn:{partition}:drs:{region}:{account}:recovery-instance/*"
_JOBS = "arn:{partition}:drs:{region}:{account}:job/*"
_MACHINES = "arn:{partition}:ec2:{region}:{account}:instance/*"
_ENABLED = {"StringEquals": {"aws:ResourceTag/dr:enabled": "true"}}
_VIA_SERVICE = {"Bool": {"aws:ViaAWSService": "true"}}
_DRILL = frozenset({Mode.DRILL})
_PLANNED = frozenset({Mode.PLANNED})
_REAL = frozenset({Mode.PLANNED, Mode.EMERGENCY})

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

SPEC = Spec(
    key="drs",
    title="AWS Elastic Disaster Recovery",
    resource_types=("ec2:instance",),
    manifest_actions=("DRS", "EC2"),
    strategies=(
        Strategy(
            name="drs-recovery",
            title="New instances in the target Region from DRS's newest data; replication reversed afterwards",
            planned_loss="none, when the application was quiesced and the backlog is drained",
            emergency_loss="replication lag, seconds to minutes",
            typical_minutes={Phase.INSTANTIATE: 1, Phase.ACTIVATE: 15, Phase.CLEANUP: 2, Phase.REPLICATE: 45},
            rollback_until="until the recovery instances have taken traffic; after that, fail back",
        ),
    ),
    permissions=(
        Permission(actions=("drs:DescribeSourceServers", "ec2:DescribeInstances"), uses=frozenset({Use.DISCOVER})),
        Permission(actions=_READS, uses=frozenset({Use.OBSERVE}), session_actions=("drs:Describe*", "ec2:Describe*")),
        Permission(
            actions=("drs:GetLaunchConfiguration", "drs:DescribeRecoverySnapshots"),
            uses=frozenset({Use.OBSERVE}),
            resources=(_SERVERS,),
        ),
        Permission(actions=("drs:DescribeJobLogItems",), uses=frozenset({Use.OBSERVE}), resources=(_JOBS,)),
        Permission(
            actions=("drs:UpdateLaunchConfiguration",),
            uses=frozenset({Use.INSTANTIATE}),
            resources=(_SERVER,),
            conditions=_ENABLED,
            modes=_PLANNED,
        ),
        Permission(
            actions=("ec2:CreateLaunchTemplateVersion", "ec2:ModifyLaunchTemplate"),
            uses=frozenset({Use.INSTANTIATE}),
            conditions=_VIA_SERVICE,
            modes=_PLANNED,
        ),
        *(
            permission
            for use, modes in ((Use.ACTIVATE, _REAL), (Use.INSTANTIATE, _DRILL))
            for permission in (
                Permission(
                    actions=("drs:StartRecovery", "drs:CreateRecoveryInstanceForDrs"),
                    uses=frozenset({use}),
                    resources=(_SERVER,),
                    conditions=_ENABLED,
                    modes=modes,
                ),
                Permission(
                    actions=("drs:TagResource",),
                    uses=frozenset({use}),
                    resources=(_JOBS, _RECOVERED, _SERVERS),
                    modes=modes,
                ),
                Permission(actions=("drs:ListTagsForResource",), uses=frozenset({use}), modes=modes),
                Permission(
                    actions=_EC2_OF_A_LAUNCH,
                    uses=frozenset({use}),
                    conditions=_VIA_SERVICE,
                    modes=modes,
                    session_actions=("ec2:*",),
                ),
                Permission(
                    actions=("iam:PassRole",),
                    uses=frozenset({use}),
                    resources=("arn:{partition}:iam::{account}:role/*",),
                    conditions={"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}},
                    modes=modes,
                ),
            )
        ),
        Permission(
            actions=("ec2:StopInstances", "ec2:StartInstances"),
            uses=frozenset({Use.ACTIVATE, Use.CLEANUP, Use.ROLLBACK}),
            resources=(_MACHINES,),
            conditions=_ENABLED,
            modes=_REAL,
        ),
        Permission(
            actions=("ec2:CreateTags", "ec2:DeleteTags"),
            uses=frozenset({Use.CLEANUP, Use.ROLLBACK}),
            resources=(_MACHINES,),
            conditions={**_ENABLED, "ForAllValues:StringEquals": {"aws:TagKeys": ["dr:fenced"]}},
            modes=_PLANNED,
        ),
        Permission(
            actions=("drs:ReverseReplication",),
            uses=frozenset({Use.REPLICATE}),
            resources=(_RECOVERED,),
            modes=_PLANNED,
        ),
        Permission(
            actions=("drs:TagResource",), uses=frozenset({Use.REPLICATE}), resources=(_SERVERS,), modes=_PLANNED
        ),
        Permission(
            actions=("drs:TerminateRecoveryInstances",),
            uses=frozenset({Use.CLEANUP, Use.ROLLBACK}),
            resources=(_RECOVERED,),
            modes=_DRILL,
        ),
        Permission(
            actions=("drs:TerminateRecoveryInstances",),
            uses=frozenset({Use.ROLLBACK}),
            resources=(_RECOVERED,),
            modes=_REAL,
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
            conditions={**_ENABLED, "Null": {"aws:ResourceTag/dr:fenced": "false"}},
            modes=_PLANNED,
        ),
    ),
    documentation="https://docs.aws.amazon.com/drs/latest/userguide/failback-overview.html",
    batch_size=100,
    poll_seconds=15,
    deadline_minutes=360,
    native_listing=True,
    refuses=(
        "A tagged EC2 instance that no source server protects: a planned run stops and names it, an emergency leaves it out "
        "and says so.",
        "Servers outside EC2: failing back to them needs DRS's failback client and a person at the machine.",
        "Launching a server that is in another job: a second launch would replace its recovery instance.",
        "Terminating a recovery instance in a drill that the drill did not launch, or in a rollback after REPLICATE.",
        "StopReplication, DisconnectSourceServer and DeleteSourceServer, ever: they delete every point in time.",
        "Terminating a source instance, except in a decommission, and there only while it is stopped and fenced, its recovery "
        "instance serves, replication back of that instance is CONTINUOUS and nothing is set to launch into it.",
    ),
    limits=(
        "100 servers in a job, 20 jobs and 500 servers in jobs at once in an account and Region (DRS quotas).",
        "300 replicating servers in an account and Region, 4,000 source servers with extended ones (DRS quotas).",
        "One job per server (DRS quota L-B827C881).",
        "A job that is COMPLETED may hold servers that FAILED: each server's launch status decides (DRS API reference).",
        "The Name tag pairs the two directions, so it must be unique in a scope.",
        "Servers set to launch into an existing instance are red: that strategy (drs-launch-into) is not supported.",
        "Recovery plans of DRS (StartRecoveryPlanExecution) are not used: waves and gates order the servers here.",
        "A decommission terminates EC2 instances only. DRS goes on listing their source servers and recovery instances, and "
        "volumes without DeleteOnTermination stay (EC2 user guide, preserve data when an instance is terminated).",
    ),
    unconfirmed=(
        "Whether a repeated StartRecovery removes the recovery instance that serves: never called again while one is there.",
        "Which tags DRS puts on its staging volumes and snapshots: no permission depends on one.",
    ),
)

UNINITIALIZED = ("UninitializedAccountException",)
REPLICATING = ("CONTINUOUS",)
CATCHING_UP = ("BACKLOG", "CREATING_SNAPSHOT", "RESCAN")
NO_DATA_YET = ("INITIATING", "INITIAL_SYNC", "STOPPED")
"""States in which DRS holds nothing, or nothing complete, to launch from."""
LAUNCH_ENDED_BADLY = ("FAILED", "TERMINATED")
FAILURE_EVENTS = (
    "SNAPSHOT_FAIL",
    "CONVERSION_FAIL",
    "LAUNCH_FAILED",
    "CLEANUP_FAIL",
    "NETWORK_RECOVERY_FAIL",
    "USING_PREVIOUS_SNAPSHOT_FAILED",
    "SERVER_SKIPPED",
    "JOB_CANCEL",
)
SNAPSHOT_TAKEN_EVENTS = ("SNAPSHOT_END", "CONVERSION_START", "CONVERSION_END", "LAUNCH_START")
OLD_DATA_EVENT = "USING_PREVIOUS_SNAPSHOT"
ACTIVE_JOB = ("PENDING", "STARTED")
ACTIVE_JOBS_LIMIT = 20
"""Concurrent jobs per account and Region (DRS quota L-D88FAC3A)."""
DRAIN_SECONDS = 1800
"""How long a planned run waits for the backlog to reach zero."""
JOB_LOOKBACK_HOURS = 24
"""How far back jobs are listed to find the one this run started."""
FENCED = "dr:fenced"
LAUNCH_INTO = ("AWSDRS", "AllowLaunchingIntoThisInstance")
"""The tag of an instance that DRS may launch into (DRS user guide, launching into an existing instance)."""
