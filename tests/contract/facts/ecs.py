"""ECS in the contract tests."""

from __future__ import annotations

from tests.contract.facts import Facts

NEEDED = "asked only of containers that get such values: their story is in tests/adapters"
BALANCED = "asked only of target groups that a load balancer sends to: their story is in tests/adapters"

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
    },
    overtaken={
        "ecs.UpdateService": "Application Auto Scaling raises the count by itself as soon as the bounds ask for it",
    },
)
