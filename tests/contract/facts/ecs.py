"""ECS in the contract tests."""

from __future__ import annotations

from tests.contract.facts import Facts

FACTS = Facts(
    estates={"scale-service": ({"kind": "ecs-service", "name": "orders"},)},
    overtaken={
        "ecs.UpdateService": "Application Auto Scaling raises the count by itself as soon as the bounds ask for it",
    },
)
