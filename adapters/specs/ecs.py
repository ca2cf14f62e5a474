"""The declaration of ECS. Sources: ECS API reference UpdateService; Application Auto Scaling user guide, "suspended state"."""

from __future__ import annotations

from orchestrator.spec import Permission, Spec, Strategy
from orchestrator.words import Mode, Phase, Use

_SERVICE = "arn:{partition}:ecs:{region}:{account}:service/{name}"
_ENABLED = {"StringEquals": {"aws:ResourceTag/dr:enabled": "true"}}
_DRILL = frozenset({Mode.DRILL})
_PLANNED = frozenset({Mode.PLANNED})
_REAL = frozenset({Mode.PLANNED, Mode.EMERGENCY})

SPEC = Spec(
    key="ecs",
    title="Amazon ECS service",
    resource_types=("ecs:service",),
    companion_types=("ecs:task-definition", "ecs:cluster", "ecs:task"),
    manifest_actions=("ECS", "ECSService"),
    strategies=(
        Strategy(
            name="scale-service",
            title="The service exists in both Regions; the target side is scaled up, the source side to zero",
            planned_loss="none (stateless)",
            emergency_loss="none (stateless)",
            typical_minutes={Phase.INSTANTIATE: 1, Phase.ACTIVATE: 4, Phase.CLEANUP: 2, Phase.REPLICATE: 1},
            rollback_until="at any time, by scaling back",
        ),
    ),
    permissions=(
        Permission(
            actions=(
                "ecs:DescribeServices",
                "ecs:DescribeTaskDefinition",
                "ecs:ListTasks",
                "ecs:DescribeTasks",
            ),
            uses=frozenset({Use.OBSERVE}),
        ),
        Permission(
            actions=("ecr:DescribeImages",),
            uses=frozenset({Use.OBSERVE}),
            resources=("arn:{partition}:ecr:{region}:{account}:repository/*",),
        ),
        Permission(actions=("ecs:DescribeServices",), uses=frozenset({Use.DISCOVER})),
        Permission(
            actions=("application-autoscaling:DescribeScalableTargets",), uses=frozenset({Use.DISCOVER, Use.OBSERVE})
        ),
        Permission(actions=("elasticloadbalancing:DescribeTargetHealth",), uses=frozenset({Use.OBSERVE})),
        Permission(
            actions=("ecs:UpdateService",),
            uses=frozenset({Use.ACTIVATE, Use.CLEANUP, Use.ROLLBACK}),
            resources=(_SERVICE,),
            conditions=_ENABLED,
            modes=_REAL,
        ),
        Permission(
            actions=("application-autoscaling:RegisterScalableTarget",),
            uses=frozenset({Use.INSTANTIATE, Use.ACTIVATE, Use.CLEANUP, Use.ROLLBACK}),
            resources=("arn:{partition}:application-autoscaling:{region}:{account}:scalable-target/*",),
            conditions={"StringEquals": {"application-autoscaling:service-namespace": "ecs"}},
            modes=_REAL,
        ),
        Permission(
            actions=("ecs:RunTask",),
            uses=frozenset({Use.INSTANTIATE}),
            resources=("arn:{partition}:ecs:{region}:{account}:task-definition/*",),
            modes=_DRILL,
        ),
        Permission(
            actions=("ecs:TagResource",),
            uses=frozenset({Use.INSTANTIATE}),
            resources=("arn:{partition}:ecs:{region}:{account}:task/*",),
            modes=_DRILL,
        ),
        Permission(
            actions=("iam:PassRole",),
            uses=frozenset({Use.INSTANTIATE}),
            resources=("arn:{partition}:iam::{account}:role/*",),
            conditions={"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
            modes=_DRILL,
        ),
        Permission(
            actions=("ecs:StopTask",),
            uses=frozenset({Use.CLEANUP, Use.ROLLBACK}),
            resources=("arn:{partition}:ecs:{region}:{account}:task/*",),
            conditions={"Null": {"aws:ResourceTag/dr:drill-id": "false"}},
            modes=_DRILL,
        ),
    ),
    documentation="https://docs.aws.amazon.com/AmazonECS/latest/developerguide/update-service-console-v2.html",
    poll_seconds=15,
    deadline_minutes=30,
)

SCALABLE = "ecs:service:DesiredCount"
TROUBLE = ("unable to place", "ResourceInitializationError", "CannotPullContainerError", "unable to consistently start")
"""Words in service events that mean: waiting longer will not help."""
STALL_SECONDS = 600
"""Without progress for this long, a scaling service counts as failed."""
SETTLED_SECONDS = 120
"""After this long a count between the bounds is autoscaling's doing, not a change that does not show yet."""
