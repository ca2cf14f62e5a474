"""The verbs that end a run: finish, cancel, and what to do when somebody stopped the execution from outside."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel

from orchestrator.commands import own_run
from orchestrator.errors import NotFoundError, RefusedError
from orchestrator.judgement import end_unfinished, interrupt
from orchestrator.leases import find_command, lease_lines, remove_command
from orchestrator.ledger.records import Interruption, Run
from orchestrator.linked import done_by_another, ties
from orchestrator.notify import Notice, message
from orchestrator.platform import Platform
from orchestrator.reducer import outcome_counts, run_status
from orchestrator.report import report_keys, save_report
from orchestrator.words import ActionStatus, GateStatus, RunStatus, StageStatus


@dataclass(frozen=True)
class Ending:
    """How a run ended, in one word and one sentence."""

    status: RunStatus
    summary: str


def finish(platform: Platform, run_id: str, error: str | None = None) -> Ending:
    """End a run: status, report, lock, message. Repeatable; `error` is what a state machine caught."""
    try:
        run = _own_run(platform, run_id)
    except NotFoundError:
        return Ending(RunStatus.FAILED, error or "the run was never accepted")
    if run.ended_at is not None:
        ending = _tidy(platform, run)
        return Ending(ending.status, error or ending.summary)
    if error and not run.failure:
        now = platform.clock.now()
        run = platform.ledger.change_run(
            run_id, lambda r: _broken(r, error, now) if r.plan_hash else r.but(failure=error)
        )
    return _close(platform, run, None)


def stopped(
    platform: Platform,
    run_id: str,
    how: str,
    where: str = " from outside",
    *,
    at: datetime | None = None,
    redrivable: bool = True,
) -> Ending:
    """Leave a true ledger after the execution was stopped from outside, or died; actions in flight are named, locks released.

    `at` is when it ended: news of an end that a redrive has overtaken change nothing. One that is not redrivable leaves
    nothing to go on with. Raise `NotFoundError` when no run of this Region has that name.
    """
    run = _own_run(platform, run_id)
    if run.ended_at is not None:
        return _tidy(platform, run)
    if at is not None and any(each.until and at <= each.until for each in run.interruptions):
        return Ending(run.status, f"goes on after redrive {run.redrives}")
    now = platform.clock.now()
    detail = f"the execution {how} while this was under way; AWS may have gone on by itself"
    remedy = f"{'redrive the execution, or ' if redrivable else ''}start the run again: what was done is recognised."
    for action in platform.ledger.actions(run_id):
        if action.status is ActionStatus.RUNNING:
            platform.ledger.change_action(
                run_id, action.action_id, lambda a: interrupt(end_unfinished(a, now, detail, remedy), a)
            )
    for stage in platform.ledger.stages(run_id):
        if stage.status in {StageStatus.RUNNING, StageStatus.CHECKING}:
            platform.ledger.change_stage(
                run_id,
                stage.stage_id,
                lambda s: s.but(status=StageStatus.FAILED, ended_at=now, interrupted=s.interrupted or s.status),
            )
    why = f"the execution {how}{where}"
    run = platform.ledger.change_run(
        run_id, lambda r: _broken(r, why, now) if redrivable else r.but(failure=r.failure or why)
    )
    return _close(platform, run, RunStatus.STOPPED)


def _broken(run: Run, how: str, now: datetime) -> Run:
    """Return a run whose execution broke: only interrupted, unless something had been decided that ends it."""
    if run.failure or run.cancelled_by or run.rejected_by:
        return run.but(failure=run.failure or how)
    if run.interruptions and run.interruptions[-1].until is None:
        return run.but(failure=how)  # said so already, and died before the run was closed
    return run.but(failure=how, interruptions=(*run.interruptions, Interruption(how=how, since=now)))


def _own_run(platform: Platform, run_id: str) -> Run:
    """Return a run that this Region writes; one of the peer's hub, seen through replication, is as good as not there."""
    run = platform.ledger.run(run_id)
    if run.target_region != platform.hub_region:
        raise NotFoundError(
            f"run {run_id} belongs to the hub in {run.target_region}.", f"dr status {run.execution_arn}"
        )
    return run


def cancel(platform: Platform, run_id: str, by: str, reason: str) -> Run:
    """Ask a run to stop after its current steps; raise `RefusedError` when it has ended."""
    run = own_run(platform, run_id, f"dr cancel {run_id}")
    if run.status.ended:
        raise RefusedError(f"run {run_id} has ended already: {run.status}.", f"dr report {run_id}", code="RunEnded")
    run = platform.ledger.change_run(run_id, lambda r: r.but(cancelled_by=r.cancelled_by or by))
    platform.note(run_id, "cancel", f"cancelled. {reason}".strip(), actor=by)
    return run


def _close(platform: Platform, run: Run, forced: RunStatus | None) -> Ending:
    ledger, run_id = platform.ledger, run.run_id
    actions = ledger.actions(run_id)
    status = forced or run_status(run, ledger.stages(run_id), actions)
    for gate in ledger.gates(run_id):
        if gate.status is GateStatus.OPEN:
            ledger.change_gate(run_id, gate.gate_id, lambda g: g.but(status=GateStatus.WITHDRAWN, token=None))
    now = platform.clock.now()
    run = ledger.change_run(run_id, lambda r: r if r.ended_at else r.but(status=status, ended_at=now))
    return _tidy(platform, run)


def _tidy(platform: Platform, run: Run) -> Ending:
    """Do what follows the end: lock, audit line, message, report. The report comes last and shows that all was done."""
    platform.ledger.unlock(run.scope, run.run_id)
    counts = ", ".join(f"{n} {outcome}" for outcome, n in outcome_counts(platform.ledger.actions(run.run_id)).items())
    summary = ". ".join(
        part for part in (f"{run.status}: {counts}" if counts else str(run.status), run.failure) if part
    )
    if _reported(platform, run):
        return Ending(run.status, summary)
    left = [*ties(run), *lease_lines(run, platform.ledger.actions(run.run_id)), *_not_removed(platform, run)]
    platform.note(run.run_id, "end", summary)
    if not run.dry_run:
        good = run.status.well
        body = "\n".join([summary, *left, f"Report: dr report {run.run_id}"])
        platform.tell(message(Notice.ENDED if good else Notice.FAILURE, run, f"run {run.status}", body))
    if run.completes and run.status.well and not run.dry_run:
        _completed(platform, run.completes, run.run_id)
    save_report(platform.ledger, platform.blobs, run.run_id, platform.clock.now())
    return Ending(run.status, summary)


def _not_removed(platform: Platform, run: Run) -> list[str]:
    """Return what to type when a run that was to remove a drill's copies did not."""
    if not run.removes_copies or run.status.well or run.dry_run:
        return []
    drill = platform.ledger.run(run.made_by)
    return [
        f"copies of drill {drill.run_id} may be left; see them: {find_command(run)}",
        f"remove them: {remove_command(drill)}",
    ]


def _completed(platform: Platform, earlier: str, by_run: str) -> None:
    """Link a run, and its report, to the one that did what it deferred or left. Repeatable."""
    completed = platform.ledger.change_run(earlier, lambda r: r.but(completed_by=r.completed_by or by_run))
    platform.note(earlier, "completed", f"{done_by_another(completed)}, by run {by_run}")
    save_report(platform.ledger, platform.blobs, earlier, platform.clock.now())


def _reported(platform: Platform, run: Run) -> bool:
    """Say whether the report of this end was written; a run that was interrupted and went on ends again."""
    try:
        platform.blobs.get(report_keys(run.run_id)[1])
        written = Ended.model_validate_json(platform.blobs.get(report_keys(run.run_id)[0]))
    except NotFoundError:
        return False
    return written.run.ended_at == run.ended_at


class EndedRun(BaseModel):
    """When a reported run ended."""

    ended_at: datetime | None


class Ended(BaseModel):
    """What a report says of the end."""

    run: EndedRun
