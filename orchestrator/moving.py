"""The verb that says what a run does next: it opens gates, and answers failures as the request said beforehand."""

from __future__ import annotations

from orchestrator import way_back
from orchestrator.checklists import checklist, plan_overview
from orchestrator.gates import Answer, decide, open_gate
from orchestrator.leases import at_its_end
from orchestrator.ledger.records import Run, Stage
from orchestrator.notify import Notice, message
from orchestrator.plan import load_plan
from orchestrator.planning import frozen_plan_calls
from orchestrator.platform import Platform
from orchestrator.progress import PASSED, Ask, Finish, Move, RunStage, next_move
from orchestrator.words import Approval, Choice, GateKind, GateStatus, OnFailure, RunStatus, StageStatus

BEFOREHAND = "OnFailure of the request"
CHOICES = {
    OnFailure.ASK: (),
    OnFailure.CONTINUE: (Choice.CONTINUE,),
    OnFailure.ROLLBACK: (Choice.ROLLBACK_RUN, Choice.ROLLBACK),
    OnFailure.ABORT: (Choice.ABORT,),
}
"""What stands for a person's answer, the first that the gate offers."""


def decide_next(platform: Platform, run_id: str) -> Move:
    """Return the next move; open its gate when it is a question to a person."""
    while True:
        run, stages = platform.ledger.run(run_id), platform.ledger.stages(run_id)
        move = next_move(run, stages, platform.ledger.gates(run_id))
        if not isinstance(move, Ask) or not _answered_beforehand(platform, run, stages, move):
            break
    if run.lease_over:
        _withdraw_questions(platform, run, move)
    if isinstance(move, Ask):
        lines = _checklist(platform, run, stages, move)
        open_gate(platform.ledger, platform.clock, run, move, lines, platform.approvals)
        waits = RunStatus.PAUSED if move.kind is GateKind.PAUSE else RunStatus.WAITING
        platform.ledger.change_run(run_id, lambda r: r if r.status.ended else r.but(status=waits))
    elif isinstance(move, RunStage):
        _going_on(platform, run, move.stage)
    else:
        assert isinstance(move, Finish)
        why = _why_not_whole(run, stages)
        if why:
            platform.ledger.change_run(run_id, lambda r: r.but(failure=r.failure or why))
    return move


def _why_not_whole(run: Run, stages: list[Stage]) -> str:
    """Return why a run ends without having gone through its plan, when nothing failed."""
    if run.rolled_back_by:
        return f"the run was rolled back by {run.rolled_back_by}"
    if run.lease is not None and run.lease_over and not (stages and all(s.status in PASSED for s in stages)):
        until = f"{run.lease.until:%Y-%m-%d %H:%M} UTC"
        return f"the drill was not through when its lease ended, {until}; its copies were removed"
    return ""


def _withdraw_questions(platform: Platform, run: Run, move: Move) -> None:
    """Withdraw what a drill asked before its lease was over: nothing of it will be done."""
    asked = move.gate_id if isinstance(move, Ask) else ""
    for gate in platform.ledger.gates(run.run_id):
        if gate.status is GateStatus.OPEN and gate.gate_id != asked:
            platform.ledger.change_gate(
                run.run_id, gate.gate_id, lambda g: g.but(status=GateStatus.WITHDRAWN, token=None)
            )


def _going_on(platform: Platform, run: Run, stage: Stage) -> None:
    crossing = stage.irreversible and run.approval is Approval.AUTOMATIC and not stage.rolling_back

    def begun(r: Run) -> Run:
        if r.status.ended:
            return r
        started = r.started_at or platform.clock.now()
        return r.but(status=RunStatus.RUNNING, started_at=started, committed=r.committed or crossing)

    platform.ledger.change_run(run.run_id, begun)


def _answered_beforehand(platform: Platform, run: Run, stages: list[Stage], ask: Ask) -> bool:
    """Do what OnFailure says, as far as it goes; what cannot be rolled back is a question to a person after all."""
    if ask.kind is not GateKind.FAILURE or ask.stage is None or ask.stage.rolling_back:
        return False
    choice = next((each for each in CHOICES[run.on_failure] if each in ask.choices), None)
    if choice is None:
        return False
    whole = choice is Choice.ROLLBACK_RUN
    actions = platform.ledger.actions(run.run_id, None if whole else ask.stage.stage_id)
    if run.on_failure is OnFailure.ROLLBACK and way_back.refusal(run, choice, actions) is not None:
        return False  # the checklist of the gate says why
    open_gate(platform.ledger, platform.clock, run, ask, _checklist(platform, run, stages, ask), platform.approvals)
    answer = Answer(choice, BEFOREHAND, f"OnFailure is {run.on_failure}")
    decide(platform.ledger, platform.clock, run.run_id, ask.gate_id, answer)
    platform.tell(message(Notice.DECISION, run, f"{ask.stage.stage_id} failed: {choice}", f"{answer.reason}."))
    return True


def _checklist(platform: Platform, run: Run, stages: list[Stage], ask: Ask) -> list[str]:
    position = next((i for i, s in enumerate(stages) if ask.stage and s.stage_id == ask.stage.stage_id), 0)
    looked_at = stages[position] if stages and stages[position].status is StageStatus.FAILED else None
    before = looked_at or (stages[position - 1] if position else None)
    actions = platform.ledger.actions(run.run_id, before.stage_id) if before else []
    plan = load_plan(platform.blobs, run.run_id)
    upcoming = next((s for s in plan.stages if ask.stage and s.stage_id == ask.stage.stage_id), None)
    calls = frozen_plan_calls(platform, run.run_id, ask.stage.stage_id) if ask.stage else []
    overview = plan_overview(plan, run.findings) if position == 0 and not looked_at else []
    lines = [*overview, *checklist(before, actions, None if looked_at else upcoming, calls)]
    if ask.kind is not GateKind.FAILURE or ask.stage is None:
        return lines
    return [*lines, *(f"abort: {told}" for told in at_its_end(run)), *_ways_back(platform, run, ask)]


def _ways_back(platform: Platform, run: Run, ask: Ask) -> list[str]:
    """Return which rollbacks are past the line, and the way back instead."""
    assert ask.stage is not None
    lines = []
    for choice, stage_id in ((Choice.ROLLBACK, ask.stage.stage_id), (Choice.ROLLBACK_RUN, None)):
        refused = way_back.refusal(run, choice, platform.ledger.actions(run.run_id, stage_id))
        if choice in ask.choices and refused is not None:
            lines += [refused.message, f"  {refused.remedy}"]
    return lines
