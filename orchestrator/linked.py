"""Runs that take up another one: what an emergency deferred, what a drill left, a planned run that becomes an emergency.

The input names only the run that is taken up (`Complete`, `Escalate`); everything else is that run's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from orchestrator.errors import NotFoundError, RefusedError, ValidationError
from orchestrator.leases import copies_given_up, copies_left, extend_command
from orchestrator.ledger.records import Action, Run
from orchestrator.ledger.store import Ledger
from orchestrator.planner import DEFERRED
from orchestrator.reducer import GOOD
from orchestrator.words import ActionStatus, Approval, Mode, Order, Outcome, Phase

COMPLETE, ESCALATE = "Complete", "Escalate"
REDRIVABLE = timedelta(days=14)
"""How long after its end Step Functions redrives an execution."""
MOVED = GOOD - {Outcome.FAILED_IGNORED, Outcome.DEFERRED}


def filled(ledger: Ledger, raw: object, run_id: str = "") -> object:
    """Return the input of run `run_id` with what it takes over from the run it names; raise when that cannot be taken up.

    What is given besides must agree with it. Anything that names no other run comes back as it is.
    """
    if not isinstance(raw, dict):
        return raw
    named = [field for field in (COMPLETE, ESCALATE) if isinstance(raw.get(field), str)]
    if len(named) != 1:
        return raw
    (field,) = named
    earlier = _run(ledger, raw[field], field)
    if field == ESCALATE:
        taken = _of_escalated(earlier, run_id)
    else:
        taken = _of_drill(ledger, earlier) if earlier.mode is Mode.DRILL else _of_deferred(ledger, earlier)
    wrong = [
        f"{name} is {raw[name]!r}, but run {earlier.run_id} says {value!r}"
        for name, value in taken.items()
        if name in raw and raw[name] != value
    ]
    if wrong:
        raise ValidationError(f"{'; '.join(wrong)}.", f"leave out what {field} says already.", code="BadRequest")
    return {**raw, **taken}


def _run(ledger: Ledger, run_id: str, field: str) -> Run:
    try:
        return ledger.run(run_id)
    except NotFoundError as err:
        why = f"{field} names run {run_id}, and there is none of that name."
        raise RefusedError(why, "dr status shows a run's id in its second line.", code="NoSuchRun") from err


# --- complete what an emergency deferred ----------------------------------------------------------------------------------


def complete_command(run: Run) -> str:
    """Return the command that does what an emergency deferred."""
    return f"dr start --complete {run.run_id} --region {run.target_region}"


def waits_for_completion(run: Run) -> bool:
    """Say whether a run is an emergency that has left something to do."""
    return run.mode is Mode.EMERGENCY and not run.dry_run and run.ended_at is not None and run.completed_by is None


def _of_deferred(ledger: Ledger, run: Run) -> dict[str, Any]:
    check_completable(ledger, run)
    return {
        **_place(run),
        "Phases": [phase.value for phase in DEFERRED[Mode.EMERGENCY]],
        "Mode": Order.LIFECYCLE.value,  # every returned source side is fenced before the first replication is turned round
    }


def _of_drill(ledger: Ledger, run: Run) -> dict[str, Any]:
    check_removable(ledger, run)
    order = {"Mode": run.order.value} if run.order else {}
    return {**_place(run), **order, "Phases": [Phase.CLEANUP.value]}


def check_removable(ledger: Ledger, run: Run) -> None:
    """Raise `RefusedError` when a drill goes on, or has left no copies."""
    status = f"dr status {run.run_id} --region {run.target_region}"
    if run.completes:
        again = f"dr start --complete {run.completes} --region {run.target_region}"
        why = f"run {run.run_id} removes the copies of drill {run.completes}, and has none of its own."
        raise RefusedError(why, f"if some are left: {again}", code="NothingDeferred")
    if run.ended_at is None and not run.dry_run:
        why = f"drill {run.run_id} has not ended yet: it is {run.status}, and removes its copies itself."
        longer = f"dr cancel {run.run_id} ends it at once; for more time: {extend_command(run)}"
        raise RefusedError(why, longer, code="StillRunning")
    if run.completed_by:
        why = f"the copies of drill {run.run_id} were removed by run {run.completed_by} already."
        raise RefusedError(why, f"dr report {run.completed_by} --region {run.target_region}", code="AlreadyCompleted")
    if not copies_left(run, ledger.actions(run.run_id)):
        kind = "is a preview" if run.dry_run else f"has ended ({run.status})"
        raise RefusedError(f"drill {run.run_id} {kind} and left no copies.", status, code="NothingDeferred")


def check_completable(ledger: Ledger, run: Run) -> None:
    """Raise `RefusedError` when a run has deferred nothing, goes on, is completed, or the scope has moved since."""
    status = f"dr status {run.run_id} --region {run.target_region}"
    if run.mode is not Mode.EMERGENCY or run.dry_run:
        kind = "a preview" if run.dry_run else run.mode
        why = f"run {run.run_id} is {kind}, expected an emergency: only that defers something."
        raise RefusedError(why, status, code="NothingDeferred")
    if run.ended_at is None:
        why = f"run {run.run_id} has not ended yet: it is {run.status}."
        raise RefusedError(why, status, code="StillRunning")
    if run.completed_by:
        why = f"run {run.run_id} was completed by run {run.completed_by} already."
        raise RefusedError(why, f"dr report {run.completed_by} --region {run.target_region}", code="AlreadyCompleted")
    if not moved_by(ledger.actions(run.run_id)):
        why = f"run {run.run_id} activated nothing ({run.status}), so there is nothing to complete."
        raise RefusedError(why, "start the move again: dr start --emergency", code="NothingDeferred")
    for later in ledger.runs_of(run.scope):
        if later.created_at > run.created_at and _moved_elsewhere(later, run):
            raise RefusedError(
                f"run {later.run_id} has moved {run.scope} towards {later.target_region} since; what run {run.run_id} deferred "
                "would fence the side that serves now.",
                f"dr status {later.run_id} --region {later.target_region}",
                code="MovedSince",
            )


def _moved_elsewhere(later: Run, run: Run) -> bool:
    real = not later.dry_run and later.mode is not Mode.DRILL and later.started_at is not None
    return real and later.target_region != run.target_region


def moved_by(actions: list[Action]) -> frozenset[str]:
    """Return the resources that these actions activated."""
    return frozenset(resource for resource, there in activated(actions).items() if there)


def activated(actions: list[Action], *, well: bool = True) -> dict[str, bool]:
    """Return resource -> whether it was activated, for every resource whose ACTIVATE has ended.

    Nothing to do counts only in a run that ended `well`: in another, the action may have been let go before its first call.
    """
    there = MOVED if well else MOVED - {Outcome.SKIPPED}
    return {
        resource: action.member_outcomes.get(resource, action.outcome) in there
        for action in actions
        if action.phase is Phase.ACTIVATE and action.status is ActionStatus.ENDED
        for resource in action.resource_ids
    }


# --- go on as an emergency ------------------------------------------------------------------------------------------------


def _of_escalated(run: Run, by_run: str) -> dict[str, Any]:
    ordered = run.escalation
    again = f"dr escalate {run.run_id} --region {run.target_region}"
    if ordered is None:
        raise RefusedError(f"nobody ordered run {run.run_id} to become an emergency.", again, code="NotOrdered")
    if ordered.run_id not in {None, by_run}:
        why = f"run {run.run_id} goes on as run {ordered.run_id} already."
        raise RefusedError(why, f"dr status {ordered.run_id} --region {run.target_region}", code="AlreadyEscalated")
    accepted = ordered.accept_data_loss and run.approval is Approval.AUTOMATIC
    order = {"Mode": run.order.value} if run.order else {}
    return {
        **_place(run),
        **order,
        "Emergency": True,
        "ApprovalMode": (Approval.AUTOMATIC if accepted else Approval.REQUIRED).value,
        "AcceptDataLoss": ordered.accept_data_loss,
        "OnFailure": run.on_failure.value,
        **({"SuccessRules": dict(run.success_rules)} if run.success_rules else {}),
        "Requester": ordered.by,
    }


def continued_by(run: Run, run_id: str) -> Run:
    """Return an escalated run with the emergency that goes on with it."""
    return run if run.escalation is None else run.but(escalation=run.escalation.but(run_id=run_id))


def _place(run: Run) -> Mapping[str, Any]:
    return {
        "Customer": run.scope.customer,
        "Environment": run.scope.environment,
        "Operation": run.operation.value,
        "PrimaryRegion": run.primary_region,
        "DRRegion": run.dr_region,
        **({"Waves": list(run.waves)} if run.waves else {}),
    }


def done_by_another(run: Run) -> str:
    """Return what a run that completed this one has done."""
    return "the copies it left are removed" if run.mode is Mode.DRILL else "what was deferred is done"


# --- told to people -------------------------------------------------------------------------------------------------------


def redrive_command(run: Run) -> str:
    """Return the command by which a run goes on whose execution broke."""
    return f"aws stepfunctions redrive-execution --region {run.target_region} --execution-arn {run.execution_arn}"


def ties(run: Run) -> list[str]:
    """Return in words which runs a run is linked to, and what is left to be typed."""
    lines = []
    if run.interrupted and not copies_given_up(run):
        until = run.interruptions[-1].since + REDRIVABLE
        lines.append(f"interrupted; to go on where it stood, until {until:%Y-%m-%d}: {redrive_command(run)}")
    if run.removes_copies:
        lines.append(f"removes the copies that drill {run.completes} left")
    elif run.completes:
        lines.append(f"does what the emergency run {run.completes} deferred")
    if run.escalates:
        lines.append(f"goes on as an emergency with what run {run.escalates} began")
    if run.escalation:
        goes_on = (
            f"goes on as run {run.escalation.run_id}" if run.escalation.run_id else "its emergency has not begun yet"
        )
        lines.append(f"became an emergency by {run.escalation.by}; {goes_on}")
    if run.completed_by:
        lines.append(f"{done_by_another(run)}, by run {run.completed_by}")
    elif waits_for_completion(run):
        phases = ", ".join(DEFERRED[run.mode])
        lines.append(f"{phases} deferred until {run.source_region} is back; then: {complete_command(run)}")
    return lines
