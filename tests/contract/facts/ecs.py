"""ECS in the contract tests."""

from __future__ import annotations

from tests.contract.facts import Facts, Statuses

NEEDED = "asked only of containers that get such values: their story is in tests/adapters"
BALANCED = "asked only of target groups that a load balancer sends to: their story is in tests/adapters"

HEALTH_ONLY = "a health check looks at it, nothing waits for it"

LOOKED_AT_ONCE = "readiness asks for it when the run is planned; nothing waits for it"

FACTS = Facts(
    estates={
        "scale-service": ({"kind": "ecs-service", "name": "orders"},),
        "deploy-from-source": ({"kind": "ecs-service", "name": "orders", "service_on_target": False},),
    },
    unused={
        "secretsmanager:DescribeSecret": NEEDED,
        "ssm:DescribeParameters": NEEDED,
        "elasticloadbalancing:DescribeLoadBalancers": BALANCED,
        "elasticloadbalancing:DescribeListeners": BALANCED,
        "elasticloadbalancing:DescribeListenerCertificates": BALANCED,
        "acm:DescribeCertificate": BALANCED,
        "elasticfilesystem:DescribeFileSystems": NEEDED,
        "kms:DescribeKey": NEEDED,
    },
    overtaken={
        "ecs.UpdateService": "Application Auto Scaling raises the count by itself as soon as the bounds ask for it",
    },
    statuses=(
        Statuses(
            "ecs.DescribeServices services[].deployments[].rolloutState",
            good=("COMPLETED",),
            passing=("IN_PROGRESS",),
            failed=("FAILED",),
        ),
        Statuses(
            "ecs.DescribeServices services[].status",
            good=("ACTIVE",),
            passing=("DRAINING",),
            failed=("INACTIVE",),
        ),
    ),
    judged={
        "ecs.DescribeServices services[].deployments[].status": "PRIMARY, ACTIVE and INACTIVE tell which deployment it is, not how it goes",
        "ecs.DescribeTaskDefinition taskDefinition.status": "readiness asks for ACTIVE; nothing waits for it",
        "ecs.DescribeTasks tasks[].healthStatus": HEALTH_ONLY,
        "ecs.DescribeTasks tasks[].lastStatus": HEALTH_ONLY,
        "ecs.DescribeClusters clusters[].status": LOOKED_AT_ONCE,
        "elbv2.DescribeTargetHealth TargetHealthDescriptions[].TargetHealth.State": HEALTH_ONLY,
    },
)
