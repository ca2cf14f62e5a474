"""Pause and resume, and the second look at what people let wait.

A pause takes effect after the steps in flight: what AWS works on is watched to its end, nothing new is begun, and before
the next stage the run waits at a gate for whoever resumes it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from orchestrator.errors import RefusedError
from orchestrator.ledger.records import Gate, Pause, Run, Stage
from orchestrator.ledger.store import Ledger
from orchestrator.words import ActionStatus, GateStatus, Phase, StageStatus

FRESH = timedelta(seconds=60)
"""Health seen this long ago is not looked at again."""
VERIFIED_PHASES = frozenset({Phase.ACTIVATE, Phase.CLEANUP, Phase.REPLICATE})


def pause(ledger: Ledger, run_id: str, by: str, reason: str, now: datetime) -> Run:
    """Let a run begin nothing new from now on; raise `RefusedError` when it has ended, stops, or is paused."""
    run = ledger.run(run_id)
    _only_going(run, "pause")
    if run.paused:
        held = run.pauses[-1]
        raise RefusedError(
            f"run {run_id} is paused already, by {held.by} since {held.since:%H:%M:%S} UTC.",
            f"dr resume {run_id} --region {run.target_region}",
            code="AlreadyPaused",
        )
    began = Pause(by=by, reason=reason, since=now)
    return ledger.change_run(run_id, lambda r: r if r.paused else r.but(pauses=(*r.pauses, began)))


def check_resume(run: Run) -> None:
    """Raise `RefusedError` when there is nothing to resume."""
    _only_going(run, "resume")
    if not run.paused:
        raise RefusedError(
            f"run {run.run_id} is not paused; it is {run.status}.",
            f"dr status {run.run_id} --region {run.target_region} shows what it waits for.",
            code="NotPaused",
        )


def resume(ledger: Ledger, run_id: str, by: str, now: datetime) -> Run:
    """End a pause; actions that it held get the lost time back. Repeatable."""
    run = ledger.run(run_id)
    if not run.paused:
        return run
    held = run.pauses[-1]
    for action in ledger.actions(run_id):
        if action.status is ActionStatus.RUNNING and action.deadline_at is not None:
            lost = now - max(held.since, action.started_at or held.since)
            until = action.deadline_at + lost
            ledger.change_action(run_id, action.action_id, lambda a, until=until: a.but(deadline_at=until))  # type: ignore[misc]
    ended = held.but(until=now, resumed_by=by)
    return ledger.change_run(run_id, lambda r: r.but(pauses=(*r.pauses[:-1], ended)) if r.paused else r)


def open_pause(gates: list[Gate]) -> Gate | None:
    """Return the gate at which a paused run waits, if it has come there."""
    return next((g for g in gates if g.kind == "pause" and g.status is GateStatus.OPEN), None)


def verify_again(ledger: Ledger, run_id: str, gate: Gate, now: datetime) -> None:
    """Let the health of the stage before a gate be looked at once more, because people let it wait. Repeatable."""
    run, stages = ledger.run(run_id), ledger.stages(run_id)
    before = _before(stages, gate)
    if before is None or not _worth_a_look(run, before, now):
        return
    ledger.change_stage(
        run_id,
        before.stage_id,
        lambda s: s.but(status=StageStatus.CHECKING, verify_since=now, verified_at=None),
    )


def _before(stages: list[Stage], gate: Gate) -> Stage | None:
    earlier = []
    for stage in stages:
        if stage.stage_id == gate.stage_id:
            break
        earlier.append(stage)
    done = [stage for stage in earlier if stage.status is not StageStatus.SKIPPED]
    return done[-1] if done and done[-1].status is StageStatus.PASSED else None


def _worth_a_look(run: Run, stage: Stage, now: datetime) -> bool:
    """Say whether a stage holds something healthy to be lost, and was last looked at some time ago."""
    seen = stage.verified_at or stage.ended_at
    checked = bool(stage.checks) and stage.phase in VERIFIED_PHASES and not stage.rolling_back
    return checked and not stage.ignored and run.rolled_back_by is None and seen is not None and now - seen > FRESH


def _only_going(run: Run, verb: str) -> None:
    if run.status.ended:
        raise RefusedError(
            f"run {run.run_id} has ended already: {run.status}; there is nothing to {verb}.",
            f"dr report {run.run_id}",
            code="RunEnded",
        )
    if run.cancelled_by or run.rejected_by or run.failure:
        raise RefusedError(
            f"run {run.run_id} is about to end: {run.failure or f'cancelled by {run.cancelled_by}'}.",
            f"dr status {run.run_id} --region {run.target_region}",
            code="RunEnding",
        )
