"""What a decision does to a run, its stages and actions. Every branch may be repeated without a second effect."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.errors import ConflictError
from orchestrator.ledger.records import Action, Gate, Stage
from orchestrator.ledger.store import Ledger
from orchestrator.progress import gate_id
from orchestrator.reducer import GOOD
from orchestrator.words import ActionStatus, CheckState, Choice, GateKind, Outcome, StageStatus


def apply(ledger: Ledger, run_id: str, gate: Gate, choice: Choice, who: str, resources: tuple[str, ...] = ()) -> None:
    """Change run, stages and actions as the answer to a gate wants it; a resumption is for `pausing`."""
    stage = ledger.stage(run_id, gate.stage_id) if gate.stage_id else None
    match choice:
        case Choice.RESUME:
            return
        case Choice.APPROVE:
            _approve(ledger, run_id, stage, who)
        case Choice.REJECT:
            why = f"rejected by {who} at the {gate.kind} gate"
            ledger.change_run(run_id, lambda r: r.but(rejected_by=r.rejected_by or who, failure=r.failure or why))
        case Choice.ABORT:
            after = f"after {gate.stage_id} failed" if gate.kind is GateKind.FAILURE else f"at the {gate.kind} gate"
            ledger.change_run(run_id, lambda r: r.but(failure=r.failure or f"aborted by {who} {after}"))
        case Choice.ROLLBACK_RUN if gate.kind is not GateKind.FAILURE:
            roll_back_run(ledger, run_id, who)
        case _:
            _after_failure(ledger, run_id, _still_failed(stage, gate), choice, who, resources)


def _approve(ledger: Ledger, run_id: str, stage: Stage | None, who: str) -> None:
    crossing = stage is not None and stage.irreversible
    ledger.change_run(run_id, lambda r: r.but(committed=r.committed or crossing))
    if stage is not None:
        ledger.change_stage(run_id, stage.stage_id, lambda s: s.but(approved_by=s.approved_by or who))


def _after_failure(
    ledger: Ledger, run_id: str, stage: Stage | None, choice: Choice, who: str, resources: tuple[str, ...]
) -> None:
    if stage is None:
        return
    match choice:
        case Choice.RETRY:
            again(ledger, run_id, stage)
        case Choice.ROLLBACK:
            roll_back(ledger, run_id, stage)
        case Choice.ROLLBACK_RUN:
            roll_back_run(ledger, run_id, who)
        case Choice.SKIP:
            skip(ledger, run_id, stage, who, resources)
        case Choice.CONTINUE:
            ignore(ledger, run_id, stage, who)
        case _:
            raise ConflictError(f"{choice} is no answer to a failure.")


def _still_failed(stage: Stage | None, gate: Gate) -> Stage | None:
    """Return the gate's stage, or None when this very answer has been applied to it already."""
    if stage is None:
        raise ConflictError(f"gate {gate.gate_id} belongs to no stage, so nothing can be retried or skipped.")
    asked = gate_id(gate.run_id, GateKind.FAILURE, stage.stage_id, stage.attempt)
    return stage if asked == gate.gate_id and stage.status is StageStatus.FAILED else None


def again(ledger: Ledger, run_id: str, stage: Stage) -> None:
    """Let what did not succeed in a stage be tried again; a rollback that failed is rolled back again."""
    well = {Outcome.ROLLED_BACK, Outcome.SKIPPED} if stage.rolling_back else GOOD
    for action in ledger.actions(run_id, stage.stage_id):
        if action.status is ActionStatus.ENDED and action.outcome not in well:
            ledger.save_action(reset(action))
    _from_the_start(ledger, run_id, stage, rolling_back=stage.rolling_back)


def roll_back(ledger: Ledger, run_id: str, stage: Stage) -> None:
    """Let everything a stage did be taken back."""
    for action in ledger.actions(run_id, stage.stage_id):
        if action.status is ActionStatus.ENDED:
            ledger.save_action(reset(action))
    _from_the_start(ledger, run_id, stage, rolling_back=True)


def roll_back_run(ledger: Ledger, run_id: str, who: str) -> None:
    """Let every stage that began be taken back; `next_move` takes the last one first."""
    ledger.change_run(run_id, lambda r: r.but(rolled_back_by=r.rolled_back_by or who))
    for stage in begun(ledger.stages(run_id)):
        if not stage.rolling_back:
            roll_back(ledger, run_id, stage)


def begun(stages: Iterable[Stage]) -> list[Stage]:
    """Return the stages that did something, as far as the ledger knows."""
    idle = {StageStatus.PENDING, StageStatus.SKIPPED}
    return [stage for stage in stages if stage.status not in idle or stage.rolling_back]


def _from_the_start(ledger: Ledger, run_id: str, stage: Stage, *, rolling_back: bool) -> None:
    ledger.change_stage(
        run_id,
        stage.stage_id,
        lambda s: s.but(
            status=StageStatus.PENDING,
            attempt=stage.attempt + 1,
            rolling_back=rolling_back,
            checks=(),
            health_since=None,
            ended_at=None,
            verify_since=None,
            verified_at=None,
        ),
    )


def reset(action: Action) -> Action:
    """Return an action as it was before it began; what it kept and when it called stays known."""
    return action.but(
        status=ActionStatus.PENDING,
        outcome=None,
        member_outcomes={},
        detail="",
        remedy="",
        errors=0,
        refusals=0,
        attempt=action.attempt + 1,
        call_counts={},
        started_at=None,
        ended_at=None,
        deadline_at=None,
    )


def lost_in(stage: Stage, actions: Iterable[Action], *, unhealthy_too: bool = True) -> set[str]:
    """Return the resources that failed in a stage, or (when asked) are not healthy after it."""
    lost = {
        resource
        for action in actions
        for resource in action.resource_ids
        if action.status is not ActionStatus.ENDED
        or action.member_outcomes.get(resource, action.outcome or Outcome.FAILED) not in GOOD
    }
    unwell = {c.resource_id for c in stage.checks if c.state is not CheckState.HEALTHY} if unhealthy_too else set()
    return lost | unwell


def skip(ledger: Ledger, run_id: str, stage: Stage, who: str, resources: tuple[str, ...]) -> None:
    """Leave resources alone from here on: those named, else all that failed or are unhealthy.

    What failed beside the named ones stays failed, and is asked about again.
    """
    lost = lost_in(stage, ledger.actions(run_id, stage.stage_id))
    left_alone = lost & set(resources) if resources else lost
    leave_alone(ledger, run_id, stage, left_alone, who)
    if lost - left_alone:
        checks = tuple(check for check in stage.checks if check.resource_id not in left_alone)
        ledger.change_stage(run_id, stage.stage_id, lambda s: s.but(attempt=stage.attempt + 1, checks=checks))
    else:
        _let_pass(ledger, run_id, stage)


def ignore(ledger: Ledger, run_id: str, stage: Stage, who: str) -> None:
    """Let a stage pass: what failed is left alone, what is unhealthy goes on as it is."""
    lost = lost_in(stage, ledger.actions(run_id, stage.stage_id), unhealthy_too=False)
    leave_alone(ledger, run_id, stage, lost, who)
    _let_pass(ledger, run_id, stage)


def _let_pass(ledger: Ledger, run_id: str, stage: Stage) -> None:
    ledger.change_stage(run_id, stage.stage_id, lambda s: s.but(status=StageStatus.PASSED, ignored=True))


def leave_alone(ledger: Ledger, run_id: str, stage: Stage, lost: set[str], who: str) -> None:
    """End what was lost of a stage as failed_ignored. Repeatable."""
    for action in ledger.actions(run_id, stage.stage_id):
        outcomes = {r: action.member_outcomes.get(r, Outcome.FAILED) for r in action.resource_ids}
        mine = {r for r in outcomes if r in lost}
        if not mine:
            continue
        outcomes |= dict.fromkeys(mine, Outcome.FAILED_IGNORED)
        still_failed = any(outcome not in GOOD for outcome in outcomes.values())
        ledger.save_action(
            action.but(
                status=ActionStatus.ENDED,
                outcome=Outcome.FAILED if still_failed else Outcome.FAILED_IGNORED,
                member_outcomes=outcomes,
                detail=f"{action.detail} (ignored by {who})".strip(),
            )
        )
