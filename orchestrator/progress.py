"""What a run does next: ask a person, run a stage, or finish. Pure: the machines only obey."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.ledger.records import Gate, Run, Stage
from orchestrator.words import Approval, Choice, GateKind, GateStatus, Phase, StageStatus

PASSED = {StageStatus.PASSED, StageStatus.SKIPPED}
APPROVAL_CHOICES = (Choice.APPROVE, Choice.REJECT)
FAILURE_CHOICES = (
    Choice.RETRY,
    Choice.SKIP,
    Choice.CONTINUE,
    Choice.ROLLBACK,
    Choice.ROLLBACK_RUN,
    Choice.ABORT,
)
PAUSE_CHOICES = (Choice.RESUME, Choice.ABORT)


@dataclass(frozen=True)
class Ask:
    """Open (or ask again) a gate."""

    kind: GateKind
    stage: Stage | None
    gate_id: str
    question: str
    choices: tuple[Choice, ...]


@dataclass(frozen=True)
class RunStage:
    """Run a stage."""

    stage: Stage


@dataclass(frozen=True)
class Finish:
    """End the run; the ledger tells how."""


Move = Ask | RunStage | Finish


def next_move(run: Run, stages: Sequence[Stage], gates: Sequence[Gate]) -> Move:
    """Return the next move. Decisions at failure gates have already been applied to the stages."""
    if run.status.ended or run.cancelled_by or run.rejected_by or run.failure:
        return Finish()
    move = _onwards(run, stages, gates)
    return _ask_to_resume(run, move.stage) if isinstance(move, RunStage) and run.paused else move


def _onwards(run: Run, stages: Sequence[Stage], gates: Sequence[Gate]) -> Move:
    if run.rolled_back_by:
        return _taking_back(stages)
    return _removing(stages) if run.lease_over else _going_on(run, stages, gates)


def _going_on(run: Run, stages: Sequence[Stage], gates: Sequence[Gate]) -> Move:
    for position, stage in enumerate(stages):
        if stage.status in PASSED:
            continue
        if stage.status is StageStatus.FAILED:
            return _ask_after_failure(stage, earlier=bool(position))
        if stage.status in {StageStatus.RUNNING, StageStatus.CHECKING}:
            return RunStage(stage)
        gate = _gate_before(run, stages, gates, position)
        if gate is None or _answered(gates, gate.gate_id):
            return RunStage(stage)
        return gate
    return Finish()


def _removing(stages: Sequence[Stage]) -> Move:
    """Return the next move of a drill whose lease is over: what is under way is ended, then the copies are removed."""
    for stage in stages:
        under_way = stage.status in {StageStatus.RUNNING, StageStatus.CHECKING}
        if stage.status in PASSED or not (under_way or stage.phase is Phase.CLEANUP):
            continue
        return _ask_after_failure(stage, earlier=False) if stage.status is StageStatus.FAILED else RunStage(stage)
    return Finish()


def _taking_back(stages: Sequence[Stage]) -> Move:
    """Return the next move of a run that is rolled back whole: the last stage that began comes first."""
    for stage in reversed(stages):
        if not stage.rolling_back or stage.status in {*PASSED, StageStatus.ROLLED_BACK}:
            continue
        return _ask_after_failed_rollback(stage) if stage.status is StageStatus.FAILED else RunStage(stage)
    return Finish()


def gate_id(run_id: str, kind: GateKind, stage_id: str, attempt: int = 0) -> str:
    """Return a short id, the same whenever the same question of the same run is asked."""
    return "g-" + hashlib.sha256(f"{run_id}/{kind}/{stage_id}/{attempt}".encode()).hexdigest()[:8]


def _answered(gates: Sequence[Gate], wanted: str) -> bool:
    return any(g.gate_id == wanted and g.status is GateStatus.ANSWERED and g.choice is Choice.APPROVE for g in gates)


def _commit_gate(run: Run, stage: Stage) -> str:
    return gate_id(run.run_id, GateKind.COMMIT, stage.stage_id)


def _gate_before(run: Run, stages: Sequence[Stage], gates: Sequence[Gate], position: int) -> Ask | None:
    if run.approval is Approval.AUTOMATIC:
        return None
    stage = stages[position]
    kind, question = _question(run, stages, position)
    if kind is None or (kind is not GateKind.COMMIT and _answered(gates, _commit_gate(run, stage))):
        return None  # whoever let the line be crossed has let the stage begin
    # Whoever validates the application may want back what was done; what cannot be taken back is told at the answer.
    undo = () if position == 0 or stage.phase is Phase.DECOMMISSION else (Choice.ROLLBACK_RUN,)
    return Ask(kind, stage, gate_id(run.run_id, kind, stage.stage_id), question, (*APPROVAL_CHOICES, *undo))


def _question(run: Run, stages: Sequence[Stage], position: int) -> tuple[GateKind | None, str]:
    stage = stages[position]
    if stage.phase is Phase.DECOMMISSION:
        return GateKind.COMMIT, (
            f"Everything is served from {run.target_region} and protected again. Delete what wave {stage.wave} has left in "
            f"{run.source_region}? This cannot be taken back."
        )
    crossing = stage.irreversible and not run.committed
    if position == 0 and not crossing:
        return (
            GateKind.PLAN,
            f"Start the {run.operation} of {run.scope} from {run.source_region} to {run.target_region}?",
        )
    if crossing:
        return GateKind.COMMIT, (
            f"{stage.phase} of wave {stage.wave} holds the first irreversible step: after it the way back is a planned "
            "failback, not a rollback. Go on?"
        )
    before = stages[position - 1]
    if stage.wave > before.wave:
        of_phase = f" of {stage.phase}" if before.phase is stage.phase else ""
        return GateKind.WAVE, f"Wave {before.wave}{of_phase} is complete. Go on with wave {stage.wave}?"
    if before.phase is not stage.phase:
        return GateKind.PHASE, f"{before.phase} is complete. Go on with {stage.phase}, wave {stage.wave}?"
    return None, ""


def _ask_after_failure(stage: Stage, *, earlier: bool) -> Ask:
    if stage.rolling_back:
        return _ask_after_failed_rollback(stage)
    question = (
        f"{stage.phase} of wave {stage.wave} did not pass. What shall happen? (retry: only what failed; skip: what failed or "
        "is unhealthy, or the resources you name, is left alone from here on; continue: unhealthy resources go on as they "
        "are, failed ones are left alone; rollback: this stage is taken back; rollback-run: everything is, last stage first)"
    )
    left_out = set() if earlier else {Choice.ROLLBACK_RUN}
    if stage.phase is Phase.DECOMMISSION:  # what is deleted cannot be rolled back
        left_out = {Choice.ROLLBACK, Choice.ROLLBACK_RUN}
    return _failure_gate(stage, question, tuple(c for c in FAILURE_CHOICES if c not in left_out))


def _ask_after_failed_rollback(stage: Stage) -> Ask:
    question = (
        f"Taking back {stage.phase} of wave {stage.wave} did not succeed. What shall happen? (retry: only what failed; "
        "skip: what cannot be taken back stays as it is; abort: everything stays as it is)"
    )
    return _failure_gate(stage, question, (Choice.RETRY, Choice.SKIP, Choice.ABORT))


def _failure_gate(stage: Stage, question: str, choices: tuple[Choice, ...]) -> Ask:
    name = gate_id(stage.run_id, GateKind.FAILURE, stage.stage_id, stage.attempt)
    return Ask(GateKind.FAILURE, stage, name, question, choices)


def _ask_to_resume(run: Run, stage: Stage) -> Ask:
    held = run.pauses[-1]
    name = gate_id(run.run_id, GateKind.PAUSE, stage.stage_id, len(run.pauses))
    question = f"Paused by {held.by}{f' ({held.reason})' if held.reason else ''}. Go on with {stage.stage_id}?"
    return Ask(GateKind.PAUSE, stage, name, question, PAUSE_CHOICES)
