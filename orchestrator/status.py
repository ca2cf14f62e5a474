"""Where a run stands, computed once for terminal, API and dashboard. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict

from orchestrator.leases import lease_lines
from orchestrator.ledger.records import Action, Gate, Run, Stage
from orchestrator.ledger.store import Ledger
from orchestrator.linked import ties
from orchestrator.plan import Plan, rto_target_minutes
from orchestrator.recovery_time import PASSED, RecoveryTime, split
from orchestrator.reducer import GOOD
from orchestrator.words import ActionStatus, Choice, GateStatus, Outcome, StageStatus


class _Shown(BaseModel):
    model_config = ConfigDict(frozen=True)


class OpenGate(_Shown):
    """A question that waits for an answer."""

    gate_id: str
    kind: str
    question: str
    checklist: tuple[str, ...]
    choices: tuple[Choice, ...]
    answerers: tuple[str, ...] = ()
    waiting_seconds: float
    asks: int


class StageLine(_Shown):
    """One stage: how many resource actions are done, under way, failed, and still to come."""

    stage_id: str
    phase: str
    wave: int
    status: StageStatus
    done: int
    running: int
    failed: int
    pending: int
    seconds: float | None
    expected_minutes: float | None


class ResourceLine(_Shown):
    """What happens to one resource (or batch) right now or went wrong."""

    action_id: str
    resource_ids: tuple[str, ...]
    state: str
    step: str
    detail: str


class RunView(_Shown):
    """The status of a run."""

    run_id: str
    execution_arn: str
    scope: str
    operation: str
    mode: str
    status: str
    source_region: str
    target_region: str
    resources_done: int
    resources_pending: int
    resources_failed: int
    """Resources whose actions all ended well, are not through yet, or failed."""
    elapsed_seconds: float
    inventory_taken_at: datetime | None = None
    """How old what the plan is built on is; None before it is built."""
    rto_target_minutes: int | None
    estimated_end: datetime | None
    recovery_time_seconds: RecoveryTime
    stages: tuple[StageLine, ...]
    under_way: tuple[ResourceLine, ...]
    failures: tuple[ResourceLine, ...]
    open_gates: tuple[OpenGate, ...]
    paused_by: str | None = None
    """Who paused the run; it begins nothing new, and waits once the steps in flight are through."""
    ties: tuple[str, ...] = ()
    """Which runs this one is linked to, and what is left to be typed."""
    lease_until: datetime | None = None
    """When the copies of a drill are removed, whatever has become of its run."""
    lease: tuple[str, ...] = ()
    """How a drill's lease stands, in words, with what to type."""
    failure: str | None


def run_view(ledger: Ledger, run_id: str, plan: Plan | None, now: datetime) -> RunView:
    """Return the status of a run; `plan` is None before it is built."""
    run, stages = ledger.run(run_id), ledger.stages(run_id)
    actions, gates = ledger.actions(run_id), ledger.gates(run_id)
    expected = {stage.stage_id: stage.expected_minutes for stage in plan.stages} if plan else {}
    done, pending, failed = _resources(actions)
    return RunView(
        run_id=run.run_id,
        execution_arn=run.execution_arn,
        scope=run.scope.key,
        operation=run.operation,
        mode=run.mode,
        status=run.status,
        source_region=run.source_region,
        target_region=run.target_region,
        resources_done=done,
        resources_pending=pending,
        resources_failed=failed,
        elapsed_seconds=((run.ended_at or now) - run.created_at).total_seconds(),
        inventory_taken_at=plan.inventory_taken_at if plan else None,
        rto_target_minutes=rto_target_minutes(plan) if plan else None,
        estimated_end=_estimated_end(run, stages, expected, now),
        recovery_time_seconds=split(run, stages, gates, now),
        stages=tuple(
            _stage_line(s, [a for a in actions if a.stage_id == s.stage_id], expected.get(s.stage_id), now)
            for s in stages
        ),
        under_way=tuple(_line(a) for a in actions if a.status is ActionStatus.RUNNING),
        failures=tuple(_line(a) for a in actions if a.status is ActionStatus.ENDED and a.outcome not in GOOD),
        open_gates=tuple(_open_gate(g, now) for g in gates if g.status is GateStatus.OPEN),
        paused_by=run.pauses[-1].by if run.paused else None,
        ties=tuple(ties(run)),
        lease_until=run.lease.until if run.lease and not run.dry_run else None,
        lease=tuple(lease_lines(run, actions)),
        failure=run.failure,
    )


def _resources(actions: list[Action]) -> tuple[int, int, int]:
    states: dict[str, set[str]] = {}
    for action in actions:
        for resource in action.resource_ids:
            outcome = action.member_outcomes.get(resource) if action.status is ActionStatus.ENDED else None
            state = "pending" if outcome is None else ("done" if outcome in GOOD else "failed")
            states.setdefault(resource, set()).add(state)
    failed = sum(1 for seen in states.values() if "failed" in seen)
    pending = sum(1 for seen in states.values() if "pending" in seen and "failed" not in seen)
    return len(states) - failed - pending, pending, failed


def _stage_line(stage: Stage, actions: list[Action], expected: float | None, now: datetime) -> StageLine:
    ended = [a for a in actions if a.status is ActionStatus.ENDED]
    outcomes = [a.member_outcomes.get(resource, a.outcome) for a in ended for resource in a.resource_ids]
    done = sum(1 for outcome in outcomes if outcome in GOOD)
    seconds = None if stage.started_at is None else ((stage.ended_at or now) - stage.started_at).total_seconds()
    return StageLine(
        stage_id=stage.stage_id,
        phase=stage.phase,
        wave=stage.wave,
        status=stage.status,
        done=done,
        running=sum(len(a.resource_ids) for a in actions if a.status is ActionStatus.RUNNING),
        failed=len(outcomes) - done,
        pending=sum(len(a.resource_ids) for a in actions if a.status is ActionStatus.PENDING),
        seconds=seconds,
        expected_minutes=expected,
    )


def _line(action: Action) -> ResourceLine:
    current = next((step for step in action.steps if step.done_at is None), None)
    ended = action.status is ActionStatus.ENDED
    return ResourceLine(
        action_id=action.action_id,
        resource_ids=action.resource_ids,
        state=str(action.outcome or Outcome.FAILED) if ended else str(action.status),
        step=current.name if current else "",
        detail=f"{action.detail} {action.remedy}".strip() if ended else (current.reason if current else ""),
    )


def _open_gate(gate: Gate, now: datetime) -> OpenGate:
    return OpenGate(
        gate_id=gate.gate_id,
        kind=gate.kind,
        question=gate.question,
        checklist=gate.checklist,
        choices=gate.choices,
        answerers=gate.answerers,
        waiting_seconds=(now - gate.opened_at).total_seconds(),
        asks=gate.asks,
    )


def _estimated_end(run: Run, stages: list[Stage], expected: dict[str, float], now: datetime) -> datetime | None:
    """Add what is left of the plan's expected machine time; people's answers are not foreseen."""
    if run.status.ended or not stages:
        return run.ended_at
    return now + sum((_left(stage, expected, now) for stage in stages), timedelta())


def _left(stage: Stage, expected: dict[str, float], now: datetime) -> timedelta:
    """Return what is probably left of a stage: its expected time, less what it has run already."""
    minutes = timedelta(minutes=expected.get(stage.stage_id, 0.0))
    if stage.status in PASSED:
        return timedelta()
    return minutes if stage.started_at is None else max(timedelta(), minutes - (now - stage.started_at))
