"""EventBridge in the contract tests."""

from __future__ import annotations

from tests.contract.facts import Facts

OTHER_TARGETS = "asked only of rules that have such targets: their story is in tests/adapters"
WISHED = "a replay is made only when the manifest asks for it: its story is in tests/adapters"

FACTS = Facts(
    estates={
        "rule-toggle": ({"kind": "eventbridge-rules", "name": "orders"},),
        "global-endpoint": ({"kind": "eventbridge-rules", "name": "orders", "endpoint": True},),
    },
    unused={
        "events:DescribeEventBus": OTHER_TARGETS,
        "lambda:GetFunctionConfiguration": OTHER_TARGETS,
        "sns:GetTopicAttributes": OTHER_TARGETS,
        "states:DescribeStateMachine": OTHER_TARGETS,
        "events:DescribeReplay": WISHED,
        "events:StartReplay": WISHED,
        "iam:PassRole": "only for targets that need a role, where a standby lacks them: their story is in tests/adapters",
    },
)
