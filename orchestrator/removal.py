"""What happens when the copies of a drill may not stay: its own run removes them, or a linked run does when that is gone.

They may not when the lease is over, and from the end of a drill that failed or that somebody ended, unless it was given more time.
Copies are removed by CLEANUP of the drill and nothing else, with its permissions and its look at whose they are. Everything here
may be repeated: what was told and not done is done by the next round, and a removal is started under a name of its own once.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from orchestrator.errors import DrError
from orchestrator.executions import Executions
from orchestrator.findings import Finding, Sighting, subject, tell
from orchestrator.leases import copies_left, find_command, goes_at_once, is_due, removal_name, remove_command, some
from orchestrator.ledger.records import Lease, Run
from orchestrator.linked import COMPLETE
from orchestrator.notify import Notice, message
from orchestrator.pausing import resume
from orchestrator.platform import Platform
from orchestrator.progress import Ask, next_move
from orchestrator.words import Approval, GateStatus, OnFailure

BY = "the end of the lease"
LET_GO = "leaseOver"
"""In a callback's result: the gate was not answered, its run has something else to do."""
REMOVALS = 3
"""Runs that try to remove the copies before people have to."""


def execution_arn(machine_arn: str, name: str) -> str:
    """Return the ARN of a machine's execution."""
    return f"{machine_arn.replace(':stateMachine:', ':execution:')}:{name}"


def look_at_lease(platform: Platform, executions: Executions, run_id: str, machine_arn: str) -> Iterator[Sighting]:
    """Do what the lease of a drill of this Region's hub asks for now; forget one that holds nothing any more."""
    run = platform.ledger.run(run_id)
    if run.target_region != platform.hub_region or run.lease is None:
        return
    due = is_due(run, platform.clock.now())
    if run.ended_at is None:
        if due:
            yield from _end(platform, executions, run, run.lease)
        return
    left = copies_left(run, platform.ledger.actions(run_id))
    if not left:
        platform.ledger.mark_lease(run_id, held=False)
    elif due:
        yield from _remove(platform, executions, run, run.lease, left, machine_arn)


def remove_at_once(platform: Platform, executions: Executions, run_id: str, machine_arn: str) -> None:
    """Start the removal of what an ended drill has left, if it goes at once. Repeatable; what breaks here, the watchdog does."""
    try:
        run = platform.ledger.run(run_id)
        if run.target_region != platform.hub_region or run.lease is None or not goes_at_once(run):
            return
        left, name = copies_left(run, platform.ledger.actions(run_id)), removal_name(run_id, 1)
        if not left or platform.ledger.holder(run.scope) is not None or run.lease.removals not in {(), (name,)}:
            return
        if not run.lease.removals:
            platform.note(run_id, "lease", f"run {name} is started to remove the copies of {some(left)}")
        _start(platform, executions, run, name, machine_arn)
    except DrError as err:
        platform.note(run_id, "lease", f"the removal was not started: {err} The watchdog does it in its next round.")


# --- the drill's own run still goes on --------------------------------------------------------------------------------


def _end(platform: Platform, executions: Executions, run: Run, lease: Lease) -> Iterator[Sighting]:
    """Let a drill make nothing more and come to its CLEANUP, also from a gate or a pause."""
    what = (
        f"the lease of drill {run.run_id} ended {lease.until:%Y-%m-%d %H:%M} UTC while it was {run.status}: it makes nothing more, "
        "and removes its copies now."
    )
    command = f"dr status {run.run_id} --region {run.target_region}"
    yield from _told(platform, run, Sighting(Finding.EXPIRED_LEASE, f"lease/{lease.until.isoformat()}", what, command))
    now = platform.clock.now()

    def over(r: Run) -> Run:
        extended = r.lease is None or r.lease.until > now
        return r if extended or r.lease_over or r.lease is None else r.but(lease=r.lease.but(over_at=now))

    run = platform.ledger.change_run(run.run_id, over)
    if not run.lease_over:
        return
    resume(platform.ledger, run.run_id, BY, now)
    yield from _let_go(platform, executions, platform.ledger.run(run.run_id))


def _let_go(platform: Platform, executions: Executions, run: Run) -> Iterator[Sighting]:
    """Redeem the tokens of gates whose question is void now; one that the removal itself asks is for people."""
    stages, gates = platform.ledger.stages(run.run_id), platform.ledger.gates(run.run_id)
    move = next_move(run, stages, gates)
    asked = move.gate_id if isinstance(move, Ask) else None
    for gate in gates:
        if gate.status is not GateStatus.OPEN or not gate.token:
            continue
        if gate.gate_id != asked:
            executions.let_go(gate.token, {LET_GO: True, "approver": BY})
            continue
        left = some(copies_left(run, platform.ledger.actions(run.run_id)))
        what = (
            f"drill {run.run_id}, whose lease is over, waits at {gate.kind} gate {gate.gate_id}; left are copies of {left}: "
            f"{gate.question}"
        )
        command = f"dr decide {gate.gate_id} retry --region {run.target_region}   to see them: {find_command(run)}"
        yield from _told(platform, run, Sighting(Finding.EXPIRED_LEASE, f"asked/{gate.gate_id}", what, command))


def let_go_by_lease(run: Run, result: object) -> bool:
    """Say whether a callback's result is no answer, but lets a drill go whose lease is over."""
    return run.lease_over and isinstance(result, dict) and result.get(LET_GO) is True


# --- the drill's run has ended ----------------------------------------------------------------------------------------


def _remove(
    platform: Platform, executions: Executions, run: Run, lease: Lease, left: tuple[str, ...], machine_arn: str
) -> Iterator[Sighting]:
    """Start a run that does the drill's CLEANUP, again when it failed, at most so many times; then tell people."""
    number = len(lease.removals)
    if lease.removals:
        name = lease.removals[-1]
        last = executions.find(execution_arn(machine_arn, name))
        if last is None:  # named and not started: the watchdog itself broke in between
            _start(platform, executions, run, name, machine_arn)
            return
        if last.runs:
            return
    held = platform.ledger.holder(run.scope)
    if held is not None and held.run_id in lease.removals:
        return  # its execution is over, and the ledger is about to hear of it
    whose = f"{_why(run, lease)}; copies of {some(left)} are left"
    if held is not None:
        what = f"{whose}. They are removed when run {held.run_id} gives the scope back."
        command = f"dr status {held.run_id} --region {run.target_region}"
        yield from _told(platform, run, Sighting(Finding.EXPIRED_LEASE, f"held/{held.run_id}", what, command))
    elif number >= REMOVALS:
        what = (
            f"{whose}, and {number} runs did not remove them; the last was {lease.removals[-1]}. Nobody tries any more."
        )
        command = f"{remove_command(run)}   to see them: {find_command(run)}"
        yield from _told(platform, run, Sighting(Finding.EXPIRED_LEASE, f"left/{number}", what, command))
    else:
        name = removal_name(run.run_id, number + 1)
        what = f"{whose}. Run {name} was started to remove them."
        command = f"dr status {name} --region {run.target_region}"
        yield from _told(platform, run, Sighting(Finding.EXPIRED_LEASE, f"removal/{name}", what, command))
        _start(platform, executions, run, name, machine_arn)


def _why(run: Run, lease: Lease) -> str:
    if goes_at_once(run):
        return f"drill {run.run_id} is {run.status}{f': {run.failure}' if run.failure else ''}"
    return f"the lease of drill {run.run_id} ended {lease.until:%Y-%m-%d %H:%M} UTC"


def _start(platform: Platform, executions: Executions, run: Run, name: str, machine_arn: str) -> None:
    now = platform.clock.now()
    run = platform.ledger.change_run(run.run_id, lambda r: _with_removal(r, name, now))
    if run.lease and name in run.lease.removals:
        executions.start(machine_arn, name, _request(run))


def _with_removal(run: Run, name: str, now: datetime) -> Run:
    """Name a removal before it is started, unless the lease was extended just now; from then on it cannot be."""
    if run.lease is None or name in run.lease.removals or not is_due(run, now):
        return run
    return run.but(lease=run.lease.but(removals=(*run.lease.removals, name)))


def _request(run: Run) -> dict[str, object]:
    """Return the input of a removal: nobody is asked, and what could not be removed frees the scope and is told."""
    return {
        COMPLETE: run.run_id,
        "ApprovalMode": Approval.AUTOMATIC.value,
        "OnFailure": OnFailure.ABORT.value,
        "Requester": "watchdog",
        "Reason": f"the copies of drill {run.run_id} may not stay any longer",
    }


def _told(platform: Platform, run: Run, found: Sighting) -> Iterator[Sighting]:
    yield from tell(platform, run.run_id, found, message(Notice.WARNING, run, subject(found), ""))
