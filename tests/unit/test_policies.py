"""Session policies: what a run may do is cut to the names of what it moves, in conditions too."""

from __future__ import annotations

import json
from typing import Any

from infra import spoke
from orchestrator.contract import Member, Place, Target
from orchestrator.policies import session_policy
from orchestrator.spec import Permission, Spec, Strategy
from orchestrator.words import Mode, Phase, Use

FUNCTION = "arn:{partition}:lambda:{region}:{account}:function:{name}"
SPEC = Spec(
    key="thing",
    title="Thing",
    resource_types=("thing:thing",),
    manifest_actions=("Thing",),
    strategies=(Strategy("s", "S", "none", "none", {}, "always"),),
    permissions=(
        Permission(
            actions=("lambda:UpdateEventSourceMapping",),
            uses=frozenset({Use.ACTIVATE}),
            resources=("arn:{partition}:lambda:{region}:{account}:event-source-mapping:*",),
            conditions={
                "ArnLike": {"lambda:FunctionArn": [FUNCTION, f"{FUNCTION}:*"]},
                "StringEquals": {"aws:ResourceTag/dr:enabled": "true"},
            },
        ),
    ),
    documentation="https://docs.aws.amazon.com/",
)


def place(region: str) -> Place:
    return Place("222222222222", region, "orders", f"arn:aws:thing:{region}:222222222222:orders")


def statement(target: Target | None) -> dict[str, Any]:
    (found,) = json.loads(session_policy(SPEC, Phase.ACTIVATE, Mode.PLANNED, target))["Statement"]
    return dict(found)


def test_an_arn_among_the_conditions_is_cut_to_the_resources_name() -> None:
    target = Target("s", (Member("thing/orders", "orders", place("us-east-1"), place("us-west-2")),))

    condition = statement(target)["Condition"]

    base = "arn:*:lambda:*:*:function:orders"
    assert condition["ArnLike"] == {"lambda:FunctionArn": [base, f"{base}:*"]}
    assert condition["StringEquals"] == {"aws:ResourceTag/dr:enabled": "true"}


def test_the_role_and_a_session_without_a_target_leave_the_name_open() -> None:
    base = "arn:*:lambda:*:*:function:*"
    assert statement(None)["Condition"]["ArnLike"] == {"lambda:FunctionArn": [base, f"{base}:*"]}
    (in_the_role,) = spoke.statements(SPEC.permissions)
    assert in_the_role["Condition"]["ArnLike"] == {"lambda:FunctionArn": [base, f"{base}:*"]}
