"""The approval policy: whose answer counts at which gate, and why another's does not."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError as ModelError

from orchestrator.approvals import Approvals, Occasion, Rule, answerers, occasion_of, refusal
from orchestrator.identity import Identity, same_person
from orchestrator.words import Choice, GateKind, Phase
from tests.unit.scripted_platform import HOME, a_gate, a_run


def somebody(name: str = "lee@example.com", role: str = "DR-Approver", account: str = HOME) -> Identity:
    return Identity(arn=f"arn:aws:sts::{account}:assumed-role/{role}/{name}", account=account)


REQUESTER = "arn:aws:sts::111111111111:assumed-role/Operator/kim@example.com"
APPROVER = Rule(approvers=("arn:aws:sts::*:assumed-role/DR-Approver/*",))
OTHER = Rule(another_person=True)


@pytest.mark.parametrize(
    ("rules", "choice", "who", "code"),
    [
        ([], Choice.APPROVE, None, None),
        ([], Choice.APPROVE, somebody(), None),
        ([], Choice.APPROVE, somebody(account="999999999999"), "ForeignAccount"),
        ([Rule(verified=True)], Choice.APPROVE, None, "NotVerified"),
        ([Rule(verified=True)], Choice.APPROVE, somebody(), None),
        ([APPROVER], Choice.APPROVE, somebody(), None),
        ([APPROVER], Choice.APPROVE, None, "NotVerified"),
        ([APPROVER], Choice.APPROVE, somebody(role="Operator"), "NotAnApprover"),
        ([APPROVER], Choice.REJECT, somebody(role="Operator"), "NotAnApprover"),
        ([OTHER], Choice.APPROVE, somebody("lee@example.com"), None),
        ([OTHER], Choice.APPROVE, somebody("kim@example.com"), "SamePerson"),
        ([OTHER], Choice.APPROVE, somebody("Kim@Example.com", role="Operator"), "SamePerson"),
        ([OTHER], Choice.ROLLBACK, somebody("kim@example.com"), "SamePerson"),
        ([OTHER], Choice.REJECT, somebody("kim@example.com"), None),
        ([OTHER], Choice.ABORT, somebody("kim@example.com"), None),
        ([OTHER, APPROVER], Choice.APPROVE, somebody("lee@example.com", role="Operator"), "NotAnApprover"),
    ],
)
def test_answer_counts_only_when_every_rule_is_fulfilled(
    rules: list[Rule], choice: Choice, who: Identity | None, code: str | None
) -> None:
    refused = refusal(rules, a_run(requester=REQUESTER), a_gate(), choice, who)
    assert (refused.code if refused else None) == code
    if refused is not None:
        assert refused.message
        assert "dr decide g-1" in refused.remedy


def test_run_that_does_not_say_who_asked_cannot_be_approved_by_another_person() -> None:
    refused = refusal([OTHER], a_run(requester="unnamed"), a_gate(), Choice.APPROVE, somebody())
    assert refused is not None
    assert refused.code == "NoRequester"


def test_rules_are_chosen_by_gate_and_customer() -> None:
    policy = Approvals(
        rules=(
            Rule(gates=(Occasion.COMMIT,), another_person=True),
            Rule(customers=("CustomerX",), verified=True),
        )
    )
    assert policy.of(Occasion.PLAN, "CustomerY") == []
    assert policy.of(Occasion.PLAN, "CustomerX") == [policy.rules[1]]
    assert policy.of(Occasion.COMMIT, "CustomerX") == list(policy.rules)


def test_gate_that_deletes_the_old_side_is_an_occasion_of_its_own() -> None:
    assert occasion_of(GateKind.COMMIT, Phase.DECOMMISSION) is Occasion.DECOMMISSION
    assert [occasion_of(kind, None) for kind in GateKind] == [Occasion(kind.value) for kind in GateKind]


def test_who_may_answer_is_told_in_words() -> None:
    assert answerers([], "kim") == ("anybody who may reach the hub",)
    told = "; ".join(answerers([OTHER, APPROVER], "kim"))
    assert "assumed-role/DR-Approver/*" in told
    assert "somebody other than kim" in told
    assert "a raw send-task-success does not count" in told


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (REQUESTER, "kim@example.com", True),
        (REQUESTER, "arn:aws:iam::111111111111:user/ops/kim@example.com", True),
        (REQUESTER, "arn:aws:sts::111111111111:assumed-role/Operator/lee@example.com", False),
    ],
)
def test_person_is_the_same_through_whatever_role(one: str, other: str, same: bool) -> None:
    assert same_person(one, other) is same


@pytest.mark.parametrize(
    "rule",
    [{"approvers": ["DR-Approver"]}, {"gates": ["everything"]}, {"approver": []}],
    ids=["no ARN", "gate", "field"],
)
def test_policy_that_means_nothing_is_refused(rule: dict[str, Any]) -> None:
    with pytest.raises(ModelError):
        Approvals.model_validate({"rules": [rule]})
