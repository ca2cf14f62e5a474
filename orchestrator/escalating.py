"""The order that turns a running planned run into an emergency.

The run begins nothing new and hands its scope over; an emergency run of its own, with a plan, a loss statement and a lock
of its own, goes on from where AWS shows the resources to be. The mode of a run never changes: what was approved as planned
stays planned, and sessions of the old run are powerless once the new one holds the lock.
"""

from __future__ import annotations

from orchestrator.approvals import Occasion
from orchestrator.approvals import refusal as approval_refusal
from orchestrator.commands import own_run
from orchestrator.errors import RefusedError
from orchestrator.identity import Identity
from orchestrator.ledger.records import Escalation, Gate, Run
from orchestrator.platform import Platform
from orchestrator.words import Choice, GateKind, Mode


def escalate(platform: Platform, run_id: str, who: Identity, reason: str, *, accept_data_loss: bool = False) -> Run:
    """Let a planned run end and its emergency be started; repeatable until that has begun. Raise `RefusedError`."""
    run = own_run(platform, run_id, f"dr escalate {run_id}")
    _check(run)
    if accept_data_loss:
        rules = platform.approvals.of(Occasion.COMMIT, run.scope.customer)
        refused = approval_refusal(rules, run, _acceptance(platform, run), Choice.APPROVE, who)
        if refused is not None:
            raise refused
    order = Escalation(by=who.arn, reason=reason, at=platform.clock.now(), accept_data_loss=accept_data_loss)

    def ordered(r: Run) -> Run:
        _check(r)
        if r.status.ended:
            return r.but(escalation=order)
        why = r.failure or f"became an emergency, by order of {who.arn}"
        return r.but(escalation=order, cancelled_by=r.cancelled_by or who.arn, failure=why)

    run = platform.ledger.change_run(run_id, ordered)
    accepted = " Losing unreplicated writes is accepted." if accept_data_loss else ""
    platform.note(run_id, "escalate", f"escalated to an emergency.{accepted} {reason}".strip(), actor=who.arn)
    return run


def _check(run: Run) -> None:
    status = f"dr status {run.run_id} --region {run.target_region}"
    if run.mode is not Mode.PLANNED or run.dry_run:
        kind = "a preview" if run.dry_run else f"{run.mode} already" if run.mode is Mode.EMERGENCY else run.mode
        raise RefusedError(
            f"run {run.run_id} is {kind}; only a planned run can become an emergency.", status, code="NotPlanned"
        )
    if run.escalation is not None:
        if run.escalation.run_id is None:
            return  # ordered, and not begun: ordered once more
        begun = run.escalation.run_id
        raise RefusedError(
            f"run {run.run_id} goes on as run {begun} already, by order of {run.escalation.by}.",
            f"dr status {begun} --region {run.target_region}",
            code="AlreadyEscalated",
        )
    if run.status.ended:
        raise RefusedError(
            f"run {run.run_id} has ended already: {run.status}; there is nothing to go on with.",
            "start an emergency of its own, what is done is recognised: dr start --emergency",
            code="RunEnded",
        )
    if run.plan_hash is None:
        raise RefusedError(
            f"run {run.run_id} has no plan yet ({run.status}); nothing was changed.",
            f"dr cancel {run.run_id}, then: dr start --emergency",
            code="NoPlanYet",
        )
    if run.rejected_by or run.cancelled_by or run.failure:
        raise RefusedError(
            f"run {run.run_id} is about to end: {run.failure or f'cancelled by {run.cancelled_by}'}.",
            f"when it has ended: dr start --emergency; see {status}",
            code="RunEnding",
        )


def _acceptance(platform: Platform, run: Run) -> Gate:
    """Return the acceptance of the loss as the gate it stands for."""
    return Gate(
        run_id=run.run_id,
        gate_id=f"of the data loss of {run.run_id}",
        kind=GateKind.COMMIT,
        question="Lose unreplicated writes?",
        choices=(Choice.APPROVE,),
        opened_at=platform.clock.now(),
    )
