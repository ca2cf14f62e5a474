"""What a run does next: ask a person, run a stage, or finish. Pure: the machines only obey."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.ledger.records import Gate, Run, Stage
from orchestrator.words import Approval, Choice, GateKind, GateStatus, Phase, StageStatus

PASSED = {StageStatus.PASSED, StageStatus.SKIPPED}
APPROVAL_CHOICES = (Choice.APPROVE, Choice.REJECT)
FAILURE_CHOICES = (Choice.RETRY, Choice.SKIP, Choice.CONTINUE, Choice.ROLLBACK, Choice.ABORT)


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
    for position, stage in enumerate(stages):
        if stage.status in PASSED:
            continue
        if stage.status is StageStatus.FAILED:
            return _ask_after_failure(run, stage)
        if stage.status in {StageStatus.RUNNING, StageStatus.CHECKING}:
            return RunStage(stage)
        gate = _gate_before(run, stages, gates, position)
        if gate is None or _answered(gates, gate.gate_id):
            return RunStage(stage)
        return gate
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
    return Ask(kind, stage, gate_id(run.run_id, kind, stage.stage_id), question, APPROVAL_CHOICES)


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


def _ask_after_failure(run: Run, stage: Stage) -> Ask:
    question = (
        f"{stage.phase} of wave {stage.wave} did not pass. What shall happen? (skip: what failed or is unhealthy is left "
        "alone from here on; continue: unhealthy resources go on as they are, failed ones are left alone)"
    )
    gate = gate_id(run.run_id, GateKind.FAILURE, stage.stage_id, stage.attempt)
    deleting = stage.phase is Phase.DECOMMISSION  # what is deleted cannot be rolled back
    choices = tuple(c for c in FAILURE_CHOICES if not (deleting and c is Choice.ROLLBACK))
    return Ask(GateKind.FAILURE, stage, gate, question, choices)
