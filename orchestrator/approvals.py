"""Whose answer counts at which gate: the approval policy of the deployment. Pure."""

from __future__ import annotations

import re
from enum import StrEnum
from fnmatch import fnmatchcase

from pydantic import BaseModel, ConfigDict, field_validator

from orchestrator.errors import RefusedError
from orchestrator.identity import Identity, same_person
from orchestrator.ledger.records import Gate, Run
from orchestrator.words import Choice, GateKind, Phase

STOPPING = frozenset({Choice.REJECT, Choice.ABORT})
"""Whoever asked for a run may always stop it."""
UNNAMED = "unnamed"


class Occasion(StrEnum):
    """What a rule may be about: the kinds of gates, and the one that deletes the old side."""

    PLAN = "plan"
    PHASE = "phase"
    WAVE = "wave"
    COMMIT = "commit"
    FAILURE = "failure"
    PAUSE = "pause"
    DECOMMISSION = "decommission"


class Rule(BaseModel):
    """What an answer must fulfil. Without `gates` or `customers` it holds for all; several rules hold together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gates: tuple[Occasion, ...] = ()
    customers: tuple[str, ...] = ()
    approvers: tuple[str, ...] = ()
    """ARN patterns with `*`, for example arn:aws:sts::*:assumed-role/DR-Approver/*; the answer must come from one of them."""
    another_person: bool = False
    """Whoever answers must not be whoever asked for the run; stopping a run needs no other person."""
    verified: bool = False
    """Only answers whose sender AWS confirmed count: `dr`, DR-Approve, DR-Reject; not a raw send-task-success."""

    @field_validator("approvers")
    @classmethod
    def _are_arns(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in value:
            if not re.fullmatch(r"arn:[a-z*-]+:(sts|iam)::(\d{12}|\*):[\w+=,.@/*-]+", pattern):
                raise ValueError(f"{pattern} is no pattern of an IAM or STS ARN")
        return value

    @property
    def needs_identity(self) -> bool:
        """Say whether an answer without a confirmed sender is out of the question."""
        return self.verified or self.another_person or bool(self.approvers)

    def applies(self, occasion: Occasion, customer: str) -> bool:
        """Say whether the rule is about a gate of a customer's run."""
        return (not self.gates or occasion in self.gates) and (not self.customers or customer in self.customers)


class Approvals(BaseModel):
    """The approval policy. Without rules every answer counts that reaches a gate."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: tuple[Rule, ...] = ()
    tokens_in_notifications: bool = True
    """Send the callback token along, for `aws stepfunctions send-task-success`. Whoever reads it and may call that answers."""

    def of(self, occasion: Occasion, customer: str) -> list[Rule]:
        """Return the rules for a gate of a customer's run."""
        return [rule for rule in self.rules if rule.applies(occasion, customer)]


def occasion_of(kind: GateKind, phase: Phase | None) -> Occasion:
    """Return what a gate is about."""
    return Occasion.DECOMMISSION if phase is Phase.DECOMMISSION else Occasion(kind.value)


def answerers(rules: list[Rule], requester: str) -> tuple[str, ...]:
    """Return who may answer, in words."""
    words = [f"one of {', '.join(rule.approvers)}" for rule in rules if rule.approvers]
    words += [f"somebody other than {requester}"] if any(rule.another_person for rule in rules) else []
    verified = any(rule.needs_identity for rule in rules)
    words += ["by dr, DR-Approve or DR-Reject (a raw send-task-success does not count)"] if verified else []
    return tuple(dict.fromkeys(words)) or ("anybody who may reach the hub",)


def refusal(rules: list[Rule], run: Run, gate: Gate, choice: Choice, identity: Identity | None) -> RefusedError | None:
    """Return why somebody's answer does not count at a gate, or None."""
    command = f"dr decide {gate.gate_id} {choice} --region {run.target_region}"
    if identity is None:
        if any(rule.needs_identity for rule in rules):
            why = f"gate {gate.gate_id} takes only answers whose sender AWS confirms; this one says itself who it is from."
            return RefusedError(why, command, code="NotVerified")
        return None
    if identity.account != account_of(run):
        why = f"{identity.arn} is of account {identity.account}; gates are answered from the hub's account {account_of(run)}."
        return RefusedError(why, f"sign in to {account_of(run)}, then: {command}", code="ForeignAccount")
    for rule in rules:
        if rule.approvers and not any(fnmatchcase(identity.arn, pattern) for pattern in rule.approvers):
            wanted = ", ".join(rule.approvers)
            why = f"{identity.arn} may not answer gate {gate.gate_id} ({gate.kind}); expected one of {wanted}."
            return RefusedError(why, f"assume that role, then: {command}", code="NotAnApprover")
    if choice not in STOPPING and any(rule.another_person for rule in rules):
        return _not_another_person(run, gate, identity, command)
    return None


def _not_another_person(run: Run, gate: Gate, identity: Identity, command: str) -> RefusedError | None:
    if run.requester == UNNAMED:
        why = f"gate {gate.gate_id} must be answered by another person than who asked for the run, and the run does not say who."
        return RefusedError(why, "reject it and start the run with dr start, or with a Requester", code="NoRequester")
    if same_person(identity.arn, run.requester):
        why = f"{identity.arn} asked for run {run.run_id}; gate {gate.gate_id} ({gate.kind}) must be answered by another person."
        return RefusedError(why, f"ask a colleague for: {command}", code="SamePerson")
    return None


def account_of(run: Run) -> str:
    """Return the account of the hub that does a run."""
    return run.execution_arn.split(":")[4]
