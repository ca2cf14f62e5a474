"""DRS in the contract tests."""

from __future__ import annotations

from typing import Any

from adapters.drs.spec import ACTIVE_JOB, CATCHING_UP, ENDED, LAUNCH_ENDED_BADLY, PLAN_ACTIVE, REPLICATING
from tests.contract.facts import Entry, Facts, Statuses

BY_DRS = "DRS uses it with its caller's rights while it launches; the embedded AWS names only what it calls itself"
REVERSAL = "tells whether a reversal began; the source server that it makes is waited for"

AFTER_A_FAILURE = (
    "only after a step of a recovery plan failed or a run was undone meanwhile; its stories are in tests/adapters"
)
NOT_IN_THE_DATA = (
    "in the DRS API reference and the service authorization reference, not yet in the data that checks names here"
)
OF_PLANS = (
    "CancelRecoveryPlanExecution",
    "CreateRecoveryPlan",
    "CreateRecoveryPlanStep",
    "GetRecoveryPlan",
    "GetRecoveryPlanExecution",
    "GetRecoveryPlanExecutionStep",
    "ListRecoveryPlanExecutionSteps",
    "ListRecoveryPlanExecutions",
    "ListRecoveryPlanSteps",
    "ListRecoveryPlans",
    "RetryRecoveryPlanExecutionStep",
    "StartRecoveryPlanExecution",
)


def _servers(**settings: Any) -> tuple[Entry, ...]:
    return tuple({"kind": "drs-server", "name": f"orders-{number}", **settings} for number in (1, 2))


FACTS = Facts(
    estates={
        "drs-recovery": _servers(),
        "drs-launch-into": _servers(prepared=True),
        "drs-recovery-plan": tuple({**entry, "plan_step": step} for step, entry in enumerate(_servers(), start=1)),
    },
    unused={
        "kms:DescribeKey": "asked only of servers with a key of the customer: their story is in tests/adapters",
        "drs:CancelRecoveryPlanExecution": AFTER_A_FAILURE,
        "drs:RetryRecoveryPlanExecutionStep": AFTER_A_FAILURE,
        "drs:GetRecoveryPlanExecutionStep": AFTER_A_FAILURE,
        "drs:CreateRecoveryInstanceForDrs": BY_DRS,
        "drs:ListTagsForResource": BY_DRS,
        "iam:PassRole": BY_DRS,
        "ec2:AuthorizeSecurityGroupEgress": BY_DRS,
        "ec2:AuthorizeSecurityGroupIngress": BY_DRS,
        "ec2:CreateLaunchTemplate": BY_DRS,
        "ec2:CreateLaunchTemplateVersion": BY_DRS,
        "ec2:CreateSnapshot": BY_DRS,
        "ec2:DeleteLaunchTemplateVersions": BY_DRS,
        "ec2:DeleteSnapshot": BY_DRS,
        "ec2:DeleteVolume": BY_DRS,
        "ec2:DescribeAccountAttributes": BY_DRS,
        "ec2:DescribeAvailabilityZones": BY_DRS,
        "ec2:DescribeImages": BY_DRS,
        "ec2:DescribeLaunchTemplates": BY_DRS,
        "ec2:DescribeSnapshots": BY_DRS,
        "ec2:DescribeVolumes": BY_DRS,
        "ec2:ModifyLaunchTemplate": BY_DRS,
        "ec2:RevokeSecurityGroupEgress": BY_DRS,
    },
    looks_only={
        "drs-launch-into": "DRS launches drills into the prepared instance, too: nothing of the drill's own could be made",
    },
    overtaken={
        "drs.UpdateLaunchConfiguration": "going back, DRS takes up the source server of the first direction, which has its settings",
        "drs.TagResource": "going back, DRS takes up the source server of the first direction, which has its tags",
    },
    too_recent={f"drs:{name}": f"{name}, {NOT_IN_THE_DATA}" for name in OF_PLANS},
    images=True,
    statuses=(
        Statuses(
            "drs.DescribeJobs items[].participatingServers[].launchStatus",
            good=("LAUNCHED",),
            passing=("PENDING", "IN_PROGRESS"),
            failed=LAUNCH_ENDED_BADLY,
        ),
        Statuses(
            "drs.DescribeJobs items[].status",
            good=("COMPLETED",),
            passing=ACTIVE_JOB,
            failed=(),
        ),
        Statuses(
            "drs.GetRecoveryPlanExecution recoveryPlanExecution.status",
            good=("COMPLETED",),
            passing=PLAN_ACTIVE,
            failed=("FAILED", "CANCELLED"),
        ),
        Statuses(
            "drs.ListRecoveryPlanExecutions recoveryPlanExecutions[].status",
            good=("COMPLETED",),
            passing=PLAN_ACTIVE,
            failed=("FAILED", "CANCELLED"),
        ),
        Statuses(
            "drs.ListRecoveryPlanExecutionSteps recoveryPlanExecutionSteps[].status",
            good=("COMPLETED", "SKIPPED"),
            passing=("NOT_STARTED", "EXECUTING", "WAITING"),
            failed=("FAILED", "TIMED_OUT"),
        ),
        Statuses(
            "drs.DescribeRecoveryInstances items[].ec2InstanceState",
            good=("RUNNING", "STOPPED"),
            passing=("PENDING", "STOPPING", "SHUTTING-DOWN"),
            failed=("TERMINATED", "NOT_FOUND"),
        ),
        Statuses(
            "drs.DescribeSourceServers items[].dataReplicationInfo.dataReplicationState",
            good=REPLICATING,
            passing=(*CATCHING_UP, "INITIATING", "INITIAL_SYNC"),
            failed=ENDED,
        ),
        Statuses(
            "ec2.DescribeInstanceStatus InstanceStatuses[].InstanceStatus.Status",
            good=("ok", "not-applicable"),
            passing=("initializing", "insufficient-data"),
            failed=("impaired",),
        ),
        Statuses(
            "ec2.DescribeInstanceStatus InstanceStatuses[].SystemStatus.Status",
            good=("ok", "not-applicable"),
            passing=("initializing", "insufficient-data"),
            failed=("impaired",),
        ),
        Statuses(
            "ec2.DescribeInstances Reservations[].Instances[].State.Name",
            good=("running", "stopped", "terminated"),
            passing=("pending", "shutting-down", "stopping"),
            failed=(),
        ),
    ),
    judged={
        "ec2.DescribeInstanceStatus InstanceStatuses[].InstanceState.Name": "DRS tells the state of what it launched",
        "drs.DescribeRecoveryInstances items[].failback.state": REVERSAL,
        "drs.GetRecoveryPlan recoveryPlan.status": "readiness and the start of an execution ask for ACTIVE; nothing waits for it",
        "drs.ListRecoveryPlans recoveryPlans[].status": "plans are listed for their names only",
        "drs.DescribeSourceServers items[].stagingArea.status": "readiness asks for it; nothing waits for it",
    },
)
