"""Going on with a run whose execution broke and was redriven (`aws stepfunctions redrive-execution`).

An end that somebody decided is an end. A run whose execution was stopped, timed out or broke is only interrupted: its
scope is free, and a redriven execution takes the run up where it stood, under a new epoch, unless the scope has changed
hands since. Step Functions counts an execution's redrives; the run remembers the last that it went on with.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from orchestrator.decisions import roll_back_run
from orchestrator.errors import DrError, FencedError, NotFoundError, RefusedError
from orchestrator.fencing import check_goes_on
from orchestrator.leases import copies_given_up, new_drill_command
from orchestrator.ledger.records import Action, Gate, Interruption, Run, Stage
from orchestrator.locking import lock_scope
from orchestrator.notify import Notice, message
from orchestrator.platform import Platform
from orchestrator.words import ActionStatus, Approval, Choice, GateStatus, Mode, RunStatus

AGAIN = "start the run again: what was done is recognised."
RUNS_LOOKED_AT = 50


def go_on(platform: Platform, run_id: str, redrives: int) -> Run:
    """Return a run, taken up again if its execution was redriven since it last went on. Repeatable.

    Raise `FencedError` for an execution of before a redrive and for a run whose end was decided, `RefusedError` when
    another run holds the scope or has moved it since; then nothing is changed.
    """
    run = platform.ledger.run(run_id)
    if redrives == run.redrives:
        return run
    if redrives < run.redrives:
        raise FencedError(
            f"this execution of run {run_id} was stopped, and the run goes on after redrive {run.redrives}.",
            f"dr status {run_id} --region {run.target_region}",
            code="Redriven",
        )
    try:
        _check(platform, run)
        epoch = 0 if run.dry_run else lock_scope(platform, run.scope, run_id, mode=run.mode).epoch
    except DrError as err:
        platform.note(run_id, "redrive", f"redrive {redrives} refused: {err.message}")
        raise
    return _reopen(platform, run, redrives, epoch)


def go_on_unless_ended(platform: Platform, run_id: str, redrives: int) -> None:
    """Take a run up before it is ended, if its execution was redriven; one whose end was written is left as it is."""
    run = platform.ledger.run(run_id)
    if run.ended_at is None or run.interrupted:
        go_on(platform, run_id, redrives)


def _check(platform: Platform, run: Run) -> None:
    if run.ended_at is None:
        return  # redriven before anybody noticed that the execution had stopped
    _check_copies(platform, run)
    if not run.interrupted:
        check_goes_on(run)
    if run.dry_run:
        return
    for later in platform.ledger.runs_of(run.scope, RUNS_LOOKED_AT):
        if later.epoch > run.epoch and later.mode is not Mode.DRILL and later.started_at is not None:
            raise RefusedError(
                f"run {later.run_id} ({later.status}) has acted on {run.scope} since run {run.run_id} was interrupted; going "
                "on would undo what it did.",
                f"see dr report {later.run_id} --region {later.target_region}; if more is to be done, {AGAIN}",
                code="MovedSince",
            )


def _check_copies(platform: Platform, run: Run) -> None:
    """Raise `RefusedError` when the copies of a drill were removed, or are being removed, by another run."""
    if not copies_given_up(run):
        return
    if run.completed_by:
        at = _ended_at(platform, run.completed_by)
        what = f"its copies were removed{f' {at:%Y-%m-%d %H:%M} UTC' if at else ''} by run {run.completed_by}"
    else:
        assert run.lease is not None
        what = f"run {run.lease.removals[-1]} was started to remove its copies"
    why = f"drill {run.run_id} has ended ({run.status}), and {what}; there is nothing to go on with."
    raise RefusedError(why, f"start a new drill: {new_drill_command(run)}", code="CopiesRemoved")


def _ended_at(platform: Platform, run_id: str) -> datetime | None:
    try:
        return platform.ledger.run(run_id).ended_at
    except NotFoundError:
        return None


def _reopen(platform: Platform, run: Run, redrives: int, epoch: int) -> Run:
    """Put everything back to where the interruption found it; the run itself comes last, so that a crash is repeated whole."""
    ledger, now = platform.ledger, platform.clock.now()
    since = run.interruptions[-1].since if run.interrupted else now
    for action in ledger.actions(run.run_id):
        if action.interrupted or (run.interrupted and action.status is ActionStatus.RUNNING):
            ledger.save_action(_under_way(action, now - since))
    for stage in ledger.stages(run.run_id):
        if stage.interrupted is not None:
            ledger.save_stage(_as_it_was(stage))
    if run.rolled_back_by:
        roll_back_run(ledger, run.run_id, run.rolled_back_by)  # the order may have been carried out in part
    committed = _committed(run, ledger.stages(run.run_id), ledger.gates(run.run_id))
    run = ledger.change_run(run.run_id, lambda r: _going(r, redrives, epoch, now).but(committed=committed))
    if run.lease is not None and not run.dry_run:
        ledger.mark_lease(run.run_id, held=True)  # it may be about to make its first copy
    stood = round((now - since).total_seconds() / 60)
    told = f"goes on after redrive {redrives}: {run.interruptions[-1].how}, stood {stood} min"
    platform.note(run.run_id, "redrive", told)
    if not run.dry_run:
        body = f"{told}\nFollow: dr status {run.run_id} --watch --region {run.target_region}"
        platform.tell(message(Notice.STARTED, run, "run goes on", body))
    return run


def _committed(run: Run, stages: list[Stage], gates: list[Gate]) -> bool:
    """Say whether the line of no return may be crossed: an approval that was cut off before it was kept is asked for again."""
    crossing = {stage.stage_id for stage in stages if stage.irreversible}
    kept = any(g.choice is Choice.APPROVE and g.stage_id in crossing for g in gates if g.status is GateStatus.ANSWERED)
    return run.committed and (kept or run.approval is Approval.AUTOMATIC)


def _under_way(action: Action, lost: timedelta) -> Action:
    """Return an action as it was when nobody advanced it any more; the time that passed does not count for its deadline."""
    outcomes = {r: outcome for r, outcome in action.member_outcomes.items() if r not in action.interrupted}
    return action.but(
        status=ActionStatus.RUNNING,
        outcome=None,
        member_outcomes=outcomes,
        detail="",
        remedy="",
        ended_at=None,
        deadline_at=action.deadline_at + lost if action.deadline_at else None,
        interrupted=(),
    )


def _as_it_was(stage: Stage) -> Stage:
    return stage.but(status=stage.interrupted, ended_at=stage.ended_at if stage.verifying else None, interrupted=None)


def _going(run: Run, redrives: int, epoch: int, now: datetime) -> Run:
    earlier, last = run.interruptions[:-1], run.interruptions[-1:]
    if not run.interrupted:
        earlier, last = run.interruptions, (Interruption(how="its execution was stopped", since=now),)
    planned = RunStatus.RUNNING if run.started_at else RunStatus.READY
    return run.but(
        status=planned if run.plan_hash else RunStatus.PLANNING,
        redrives=redrives,
        epoch=epoch,
        ended_at=None,
        failure=None if run.interrupted else run.failure,
        interruptions=(*earlier, last[0].but(until=now)),
    )
