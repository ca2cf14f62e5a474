"""The preview of a plan: every step of every phase with its exact call, from one look at each resource."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from typing import Any

from pydantic import JsonValue

from orchestrator.claims import judged
from orchestrator.context import run_context
from orchestrator.contract import Adapter, Call, Claim, Finding, Later, RunContext, Step, Target
from orchestrator.engine import OpenSession, Session
from orchestrator.errors import DrError
from orchestrator.ledger.records import FindingRecord, Run
from orchestrator.plan import LossStatement, Plan, PlannedAction, PlannedCall, PlannedStep
from orchestrator.soundness import AFTER_ACTIVATE, activate_first
from orchestrator.targets import PlannedTarget
from orchestrator.words import Mode, Phase, Severity, Side, StepState

PARALLEL = 8
FindAdapter = Callable[[str], Adapter[Any]]


def preview(
    plan: Plan, run: Run, now: datetime, adapter: FindAdapter, open_session: OpenSession
) -> tuple[Plan, list[FindingRecord]]:
    """Return the plan with steps and losses, and the readiness findings: one look per target serves all three."""
    by_target: dict[str, list[PlannedAction]] = {}
    for action in plan.actions:
        by_target.setdefault(action.target_id, []).append(action)

    def look(planned: PlannedTarget) -> _Looked:
        actions = by_target[planned.target_id]
        return _look(actions, run, now, planned, adapter(actions[0].adapter), open_session)

    with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
        looked = list(pool.map(look, plan.targets))
    steps: dict[str, tuple[PlannedStep, ...]] = {}
    for each in looked:
        steps |= each.steps
    losses = tuple(loss for each in looked for loss in each.losses)
    findings = [finding for each in looked for finding in each.findings]
    findings += judged([claim for each in looked for claim in each.claims])
    return plan.with_previews(steps, losses), findings


class _Looked:
    def __init__(self) -> None:
        self.steps: dict[str, tuple[PlannedStep, ...]] = {}
        self.losses: list[LossStatement] = []
        self.findings: list[FindingRecord] = []
        self.claims: list[Claim] = []


def _look(
    actions: Sequence[PlannedAction],
    run: Run,
    now: datetime,
    planned: PlannedTarget,
    adapter: Adapter[Any],
    open_session: OpenSession,
) -> _Looked:
    result = _Looked()
    target = planned.target()
    context = run_context(run, actions[0].phase, target, now)
    try:
        session = open_session(run, adapter, context, target)
        view = adapter.observe(target, session, context)
    except DrError as err:
        result.findings += [_unreadable(member.resource_id, err) for member in target.members]
        return result
    moves = any(action.phase not in AFTER_ACTIVATE for action in actions)
    found = [_finding(each) for each in adapter.readiness(view, context)]
    result.findings += [each for each in found if moves or each.severity is not Severity.RED]
    result.claims += adapter.claims(view, context) if moves else []
    result.losses += [
        LossStatement(resource_id=x.resource_id, seconds=x.seconds, detail=x.detail)
        for x in adapter.loss(view, context)
    ]
    result.findings += _too_early([action.phase for action in actions], view, context, planned, adapter)
    for action in actions:
        context = replace(context, phase=action.phase)
        steps = adapter.steps(action.phase, view, context)
        if not moves and action is actions[0]:
            result.findings += _held_up(steps, planned)
        result.steps[action.action_id] = tuple(planned_step(step, target, session) for step in steps)
        view = adapter.after(action.phase, view, context)
    return result


def _held_up(steps: Sequence[Step], planned: PlannedTarget) -> list[FindingRecord]:
    """Return what stops a phase after the move. What readiness asks, such as lag or a copy to start from, is behind it."""
    everybody = tuple(member.resource_id for member in planned.members)
    return [
        FindingRecord(
            resource_id=resource, code=step.name, severity=Severity.RED, message=step.reason, remedy=step.remedy
        )
        for step in steps
        if step.state in {StepState.BLOCKED, StepState.FAILED}
        for resource in step.members or everybody
    ]


def _too_early(
    phases: Sequence[Phase], view: Any, context: RunContext, planned: PlannedTarget, adapter: Adapter[Any]
) -> list[FindingRecord]:
    """Return what is red when a phase that follows ACTIVATE is planned without it, and it is not done yet."""
    later = [phase for phase in phases if phase in AFTER_ACTIVATE]
    if context.mode is not Mode.PLANNED or Phase.ACTIVATE in phases or not later:
        return []
    steps = adapter.steps(Phase.ACTIVATE, view, replace(context, phase=Phase.ACTIVATE))
    ahead = next((step for step in steps if step.state is not StepState.DONE), None)
    if ahead is None:
        return []
    why = f"{ahead.name} is {ahead.state}" + (f", {ahead.reason}" if ahead.reason else "")
    return [activate_first(member.resource_id, later[0], why) for member in planned.members]


def planned_step(step: Step, target: Target, session: Session) -> PlannedStep:
    """Return a step as the plan keeps it."""
    shown = step.state is not StepState.DONE and step.call is not None
    return PlannedStep(
        name=step.name,
        state=step.state,
        effect=step.effect,
        reason=step.reason,
        call=_planned_call(step.call, target) if shown and step.call else None,
    )


def _planned_call(call: Call, target: Target) -> PlannedCall:
    place = target.members[0].source if call.side is Side.SOURCE else target.members[0].target
    return PlannedCall(
        service=call.service,
        operation=call.operation,
        side=call.side,
        account=place.account,
        region=place.region,
        params={name: _shown(value) for name, value in call.params.items()},
    )


def _shown(value: Any) -> JsonValue:
    if isinstance(value, Later):
        return f"<later: {value.what}>"
    if isinstance(value, Mapping):
        return {k: _shown(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(v) for v in value]
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)


def _finding(finding: Finding) -> FindingRecord:
    return FindingRecord(
        resource_id=finding.resource_id,
        code=finding.code,
        severity=finding.severity,
        message=finding.message,
        remedy=finding.remedy,
    )


def _unreadable(resource_id: str, err: DrError) -> FindingRecord:
    return FindingRecord(
        resource_id=resource_id, code="unreadable", severity=Severity.RED, message=err.message, remedy=err.remedy
    )
