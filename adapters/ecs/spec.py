"""The declaration of ECS. Sources: ECS API reference (RegisterTaskDefinition, CreateService, UpdateService, DeleteService);
Application Auto Scaling user guide, "suspended state"; ECS developer guide, "Amazon ECS service quotas".
"""

from __future__ import annotations

from adapters.permissions import (
    DESCRIBE_CERTIFICATE,
    DESCRIBE_KEY,
    DRILL,
    DRILL_OWNS,
    ENABLED,
    ENABLES,
    MAKING,
    NOT_EMERGENCY,
    REAL,
)
from adapters.quotas import READ_USAGE, reads_quota
from orchestrator.spec import Permission, Spec, Strategy
from orchestrator.words import Phase, Use

SCALE, DEPLOY = "scale-service", "deploy-from-source"

_SERVICE = "arn:{partition}:ecs:{region}:{account}:service/{name}"

SPEC = Spec(
    key="ecs",
    title="Amazon ECS service",
    resource_types=("ecs:service",),
    found_apart=True,
    companion_types=("ecs:task-definition", "ecs:cluster", "ecs:task"),
    manifest_actions=("ECS", "ECSService"),
    strategies=(
        Strategy(
            name=SCALE,
            title="The service exists in both Regions; the target side is scaled up, the source side to zero",
            planned_loss="none (stateless)",
            emergency_loss="none (stateless)",
            typical_minutes={Phase.INSTANTIATE: 1, Phase.ACTIVATE: 4, Phase.CLEANUP: 2, Phase.REPLICATE: 1},
            rollback_until="at any time, by scaling back",
        ),
        Strategy(
            name=DEPLOY,
            title="The task definition, and the service where it is not there, are made in the target Region, then scaled up",
            planned_loss="none (stateless)",
            emergency_loss="none (stateless)",
            typical_minutes={Phase.INSTANTIATE: 2, Phase.ACTIVATE: 5, Phase.CLEANUP: 2, Phase.REPLICATE: 2},
            rollback_until="at any time, by scaling back; what was deployed stays, asleep",
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
            actions=("ecs:DescribeClusters", "logs:DescribeLogGroups", "ssm:DescribeParameters"),
            uses=frozenset({Use.PLAN}),
        ),
        Permission(
            actions=(
                "application-autoscaling:DescribeScalingPolicies",
                "application-autoscaling:DescribeScheduledActions",
            ),
            uses=frozenset({Use.PLAN}),
            modes=REAL,
        ),
        Permission(
            actions=("ecr:DescribeImages",),
            uses=frozenset({Use.PLAN}),
            resources=("arn:{partition}:ecr:{region}:{account}:repository/*",),
        ),
        Permission(
            actions=("secretsmanager:DescribeSecret",),
            uses=frozenset({Use.PLAN}),
            resources=("arn:{partition}:secretsmanager:{region}:{account}:secret:*",),
        ),
        Permission(
            actions=("elasticfilesystem:DescribeFileSystems",),
            uses=frozenset({Use.PLAN}),
            resources=("arn:{partition}:elasticfilesystem:{region}:{account}:file-system/*",),
        ),
        Permission(
            actions=("iam:GetRole",),
            uses=frozenset({Use.PLAN}),
            resources=("arn:{partition}:iam::{account}:role/*",),
            modes=NOT_EMERGENCY,
        ),
        DESCRIBE_CERTIFICATE,
        DESCRIBE_KEY,
        reads_quota("fargate"),
        READ_USAGE,
        Permission(actions=("ecs:DescribeServices", "ecs:DescribeTaskDefinition"), uses=frozenset({Use.DISCOVER})),
        Permission(
            actions=("application-autoscaling:DescribeScalableTargets",), uses=frozenset({Use.DISCOVER, Use.OBSERVE})
        ),
        Permission(
            actions=(
                "elasticloadbalancing:DescribeTargetHealth",
                "elasticloadbalancing:DescribeTargetGroups",
                "elasticloadbalancing:DescribeLoadBalancers",
                "elasticloadbalancing:DescribeListeners",
            ),
            uses=frozenset({Use.OBSERVE}),
        ),
        Permission(actions=("elasticloadbalancing:DescribeListenerCertificates",), uses=frozenset({Use.PLAN})),
        Permission(
            actions=("ecs:UpdateService",),
            uses=frozenset({Use.INSTANTIATE, Use.ACTIVATE, Use.CLEANUP, Use.REPLICATE, Use.ROLLBACK}),
            resources=(_SERVICE,),
            conditions=ENABLED,
            modes=REAL,
        ),
        Permission(
            actions=("application-autoscaling:RegisterScalableTarget",),
            uses=frozenset({Use.INSTANTIATE, Use.ACTIVATE, Use.CLEANUP, Use.REPLICATE, Use.ROLLBACK}),
            resources=("arn:{partition}:application-autoscaling:{region}:{account}:scalable-target/*",),
            conditions={"StringEquals": {"application-autoscaling:service-namespace": "ecs"}},
            modes=REAL,
        ),
        Permission(actions=("ecs:CreateService",), uses=MAKING, resources=(_SERVICE,), conditions=ENABLES, modes=REAL),
        Permission(
            actions=("ecs:RegisterTaskDefinition",),
            uses=MAKING,
            resources=("arn:{partition}:ecs:{region}:{account}:task-definition/*",),
            conditions=ENABLES,
            modes=REAL,
        ),
        Permission(
            actions=("ecs:TagResource",),
            uses=MAKING,
            resources=(_SERVICE, "arn:{partition}:ecs:{region}:{account}:task-definition/*"),
            conditions=ENABLES,
            modes=REAL,
        ),
        Permission(
            actions=("iam:PassRole",),
            uses=MAKING,
            resources=("arn:{partition}:iam::{account}:role/*",),
            conditions={"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
            modes=REAL,
        ),
        Permission(
            actions=("ecs:RunTask",),
            uses=frozenset({Use.INSTANTIATE}),
            resources=("arn:{partition}:ecs:{region}:{account}:task-definition/*",),
            modes=DRILL,
        ),
        Permission(
            actions=("ecs:TagResource",),
            uses=frozenset({Use.INSTANTIATE}),
            resources=("arn:{partition}:ecs:{region}:{account}:task/*",),
            modes=DRILL,
        ),
        Permission(
            actions=("iam:PassRole",),
            uses=frozenset({Use.INSTANTIATE}),
            resources=("arn:{partition}:iam::{account}:role/*",),
            conditions={"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
            modes=DRILL,
        ),
        Permission(
            actions=("ecs:StopTask",),
            uses=frozenset({Use.CLEANUP, Use.ROLLBACK}),
            resources=("arn:{partition}:ecs:{region}:{account}:task/*",),
            conditions=DRILL_OWNS,
            modes=DRILL,
        ),
    ),
    documentation="https://docs.aws.amazon.com/AmazonECS/latest/developerguide/update-service-console-v2.html",
    poll_seconds=15,
    deadline_minutes=30,
    refuses=(
        "It brings no source side to zero while the target side does not carry production.",
        "It does not move DAEMON services: they have no desired count, and would need their cluster's capacity moved.",
        "It does not change services that CodeDeploy or an external controller owns: their deployments are not ECS's.",
        "It deletes no service and no task definition: a service without tasks costs nothing and is the way back.",
        "It deploys no service that is in a Cloud Map registry, and guesses no subnets, security groups, target groups or file "
        "systems of the other Region.",
        "It copies no image, secret, parameter or log group: what a task needs must be in its Region, and readiness looks for it.",
        "It scales no standing service in a drill, whatever its tags say: a drill runs one task beside it.",
    ),
    limits=(
        "2 to 10 minutes on Fargate; capacity of an EC2 cluster must be there or grow by a capacity provider.",
        "1,000 services per cluster and 5,000 tasks per service by default (ECS developer guide, service quotas). Of the "
        "Fargate vCPU quota L-3032A538 what is in use is known as CloudWatch shows it, minutes old.",
        "UpdateService is throttled per cluster (API reference): services of one cluster, in one wave, take their turns.",
        "Environment files in S3, and secrets that the application fetches by itself, cannot be seen in a task definition.",
        "Service Connect and Cloud Map namespaces are Regional, and are neither copied nor compared.",
        "Health looks at the service, its tasks and their targets; a URL of the application is asked with dr:health-check-url.",
        "A deleted service keeps its name while it drains; the same name can be created afterwards (API reference, "
        "DeleteService).",
        "A drill of deploy-from-source runs the newest definition that the target Region has, not the one to come: a "
        "revision, once registered, could not be taken back by a call that is bound to the drill's own things.",
    ),
    unconfirmed=(
        "Whether a secret of the other Region has the same six characters at its end depends on how it was replicated: the "
        "ARN is rewritten and then looked for.",
    ),
)

SCALABLE = "ecs:service:DesiredCount"
FARGATE_VCPUS = ("fargate", "L-3032A538")
TROUBLE = ("unable to place", "ResourceInitializationError", "CannotPullContainerError", "unable to consistently start")
"""Words in service events that mean: waiting longer will not help."""
STALL_SECONDS = 600
"""Without progress for this long, a scaling service counts as failed."""
SETTLED_SECONDS = 120
"""After this long a count between the bounds is autoscaling's doing, not a change that does not show yet."""
