"""EventBridge in the contract tests."""

from __future__ import annotations

from adapters.eventbridge.spec import FAILED_ENDPOINTS
from tests.contract.facts import Facts, Statuses

OTHER_TARGETS = "asked only of rules that have such targets: their story is in tests/adapters"
WISHED = "a replay is made only when the manifest asks for it: its story is in tests/adapters"

SETTING = "a setting, not a state: EventBridge has no rules on their way"

OF_DESTINATIONS = "asked only of rules that send to API destinations: their story is in tests/adapters"

FACTS = Facts(
    estates={
        "rule-toggle": ({"kind": "eventbridge-rules", "name": "orders"},),
        "global-endpoint": ({"kind": "eventbridge-rules", "name": "orders", "endpoint": True},),
    },
    unused={
        "events:DescribeApiDestination": OF_DESTINATIONS,
        "events:DescribeConnection": OF_DESTINATIONS,
        "kms:DescribeKey": "asked only of buses with a key of the customer",
        "lambda:GetFunctionConfiguration": OTHER_TARGETS,
        "sns:GetTopicAttributes": OTHER_TARGETS,
        "states:DescribeStateMachine": OTHER_TARGETS,
        "events:DescribeReplay": WISHED,
        "events:StartReplay": WISHED,
        "iam:PassRole": "only for targets that need a role, where a standby lacks them: their story is in tests/adapters",
    },
    statuses=(
        Statuses(
            "events.DescribeEndpoint State",
            good=("ACTIVE",),
            passing=("CREATING", "UPDATING"),
            failed=tuple(FAILED_ENDPOINTS),
        ),
    ),
    judged={
        "events.DescribeEndpoint ReplicationConfig.State": SETTING,
        "events.ListEndpoints Endpoints[].ReplicationConfig.State": SETTING,
        "events.ListEndpoints Endpoints[].State": "discovery reads it; DescribeEndpoint is what is waited for",
        "events.ListRules Rules[].State": SETTING,
        "route53.GetHealthCheck HealthCheck.HealthCheckConfig.InsufficientDataHealthStatus": SETTING,
    },
)
