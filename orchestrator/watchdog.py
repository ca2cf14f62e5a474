"""The watchdog: what died without telling, and what is done about it.

It closes runs whose execution is gone, gives their locks back, has the copies of drills removed that may not stay, and tells of
what nobody attends to any more. A drill whose lease is over and that does not come to its CLEANUP is stopped; any other run
whose execution lives is only looked at. Everything is asked in the hub's own
Region; the other Region's runs are its own hub's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator.ending import finish, stopped
from orchestrator.errors import DrError, NotFoundError
from orchestrator.executions import Execution, Executions
from orchestrator.findings import Finding, Sighting, subject, tell
from orchestrator.ledger.records import Action, Gate, Lock, Run, Scope, Stage
from orchestrator.linked import redrive_command
from orchestrator.locking import ACCEPTING
from orchestrator.notify import Message, Notice, message
from orchestrator.platform import Platform
from orchestrator.removal import execution_arn, look_at_lease
from orchestrator.stages import HEALTH_SETTLE_SECONDS
from orchestrator.words import ActionStatus, GateStatus, RunStatus, StageStatus

ENDING = timedelta(minutes=5)
"""How long an ended execution may take to tell the ledger by itself, with the event that says it was stopped."""
GATE_SILENT = timedelta(minutes=75)
"""A question is asked again after 30 minutes; the reminder before that may take as long with all its repetitions."""
LET_GO = timedelta(minutes=15)
"""A drill whose lease is over was told so, and its questions were let go: that is taken up within one or two rounds."""
UNATTENDED = timedelta(minutes=30)
"""Longer than the machine's repetitions of a function that fails take."""
WAITING_SHARE = 25
"""The machine waits at most a fiftieth of the time an action has run already; twice that is too long."""
RUNS_LOOKED_AT = 10
HOW = {
    "SUCCEEDED": "ended without closing it",
    "FAILED": "failed",
    "TIMED_OUT": "timed out",
    "ABORTED": "was aborted",
}
REDRIVABLE = frozenset(HOW.values()) - {HOW["SUCCEEDED"]}


@dataclass(frozen=True)
class Round:
    """What one round found, and which scopes could not be looked at."""

    sightings: tuple[Sighting, ...]
    failed: tuple[str, ...] = ()


# --- judgement: pure --------------------------------------------------------------------------------------------------


def death(run: Run, execution: Execution | None, now: datetime) -> str | None:
    """Return how a run's execution died, None while it lives or may still be telling so itself."""
    if execution is None:
        return "is not known to Step Functions any more" if now - run.created_at > ACCEPTING else None
    if execution.runs or now - (execution.ended_at or run.created_at) <= ENDING:
        return None
    return HOW.get(execution.status, f"is {execution.status}")


def lost_gate(run: Run, gate: Gate, *, waits: bool, now: datetime) -> Sighting | None:
    """Return what is wrong with an open gate of a living run: nobody asked for so long that nobody will, and no token waits."""
    last = gate.asked_at or gate.opened_at
    if gate.status is not GateStatus.OPEN or waits or now <= _answered_by(run, gate):
        return None
    asked = f"last asked at {last:%H:%M} UTC" if gate.asked_at else f"open since {last:%H:%M} UTC and never asked"
    return Sighting(
        Finding.LOST_GATE,
        f"{gate.gate_id}/{gate.asks}",
        f"{gate.kind} gate {gate.gate_id} waits for nobody: {asked}, its token is dead and nothing asks again.",
        _again(run),
    )


def _answered_by(run: Run, gate: Gate) -> datetime:
    """Return until when an open question may wait by itself; what was asked before the lease of a drill ended is let go then."""
    last, over = gate.asked_at or gate.opened_at, run.lease.over_at if run.lease else None
    return last + GATE_SILENT if over is None or last > over else over + LET_GO


def lost_question(run: Run, gates: Sequence[Gate], now: datetime) -> Sighting | None:
    """Return what is wrong with a drill that waits for people although its lease is over, and has no open question."""
    over = run.lease.over_at if run.lease else None
    waits = run.status in {RunStatus.WAITING, RunStatus.PAUSED}
    if over is None or not waits or any(g.status is GateStatus.OPEN for g in gates) or now - over <= LET_GO:
        return None
    what = f"drill {run.run_id} is {run.status} since its lease ended, and has no open question that could be answered."
    return Sighting(Finding.LOST_GATE, f"none/{over.isoformat()}", what, _again(run))


def overdue_action(run: Run, action: Action, now: datetime) -> Sighting | None:
    """Return an action of a living run that is past its deadline although any look would have ended it there."""
    if action.status is not ActionStatus.RUNNING or action.deadline_at is None or run.paused:
        return None
    between_looks = (now - (action.started_at or now)) / WAITING_SHARE
    if now - action.deadline_at <= UNATTENDED + between_looks:
        return None
    return Sighting(
        Finding.OVERDUE_ACTION,
        f"{action.action_id}/{action.attempt}",
        f"{action.action_id} ({', '.join(action.resource_ids)}) should have ended by {action.deadline_at:%H:%M} UTC, and nobody "
        "looks at it any more; AWS may have gone on by itself.",
        _again(run),
    )


def overdue_stage(run: Run, stage: Stage, actions: Sequence[Action], now: datetime) -> Sighting | None:
    """Return a stage of a living run in which nothing is under way and which nobody closes."""
    if stage.status not in {StageStatus.RUNNING, StageStatus.CHECKING} or run.paused:
        return None
    if any(action.status is ActionStatus.RUNNING for action in actions):
        return None  # each has a deadline of its own
    seen = [stage.started_at, stage.health_since, stage.verify_since, *(action.ended_at for action in actions)]
    last = max((at for at in seen if at is not None), default=None)
    if last is None or now - last <= UNATTENDED + timedelta(seconds=HEALTH_SETTLE_SECONDS):
        return None
    return Sighting(
        Finding.OVERDUE_STAGE,
        f"{stage.stage_id}/{stage.attempt}",
        f"{stage.stage_id} is {stage.status}, nothing in it is under way since {last:%H:%M} UTC, and nobody closes it.",
        _again(run),
    )


def _again(run: Run) -> str:
    """Return how to get a run going again whose execution lives but does not move."""
    return (
        f"aws stepfunctions stop-execution --region {run.target_region} --execution-arn {run.execution_arn}   "
        f"then: {redrive_command(run)}"
    )


# --- what is done -----------------------------------------------------------------------------------------------------


def watch(platform: Platform, executions: Executions, scopes: Iterable[Scope], machine_arn: str) -> Round:
    """Look at every held lock and lease, and at the runs of these scopes; close what is dead, tell of what is lost. Repeatable.

    `machine_arn`: of the state machine that the hub's own runs are executions of.
    """
    watched = tuple(scopes)
    locks = _held(platform, watched)
    sightings: list[Sighting] = []
    failed: list[str] = []
    runs: dict[str, Run] = {}
    for held in locks.values():
        try:
            runs[held.run_id] = platform.ledger.run(held.run_id)
        except NotFoundError:
            sightings += _orphan(platform, executions, held, machine_arn)
    for run in (run for scope in watched for run in platform.ledger.runs_of(scope, RUNS_LOOKED_AT)):
        if not run.status.ended:  # dry runs hold no lock
            runs.setdefault(run.run_id, run)
    for run in runs.values():
        try:
            sightings += _look(platform, executions, run, locks.get(run.scope.key))
        except DrError as err:  # the other runs are looked at all the same
            failed.append(f"run {run.run_id}: {err}")
    for run_id in platform.ledger.leases():
        try:
            sightings += look_at_lease(platform, executions, run_id, machine_arn)
        except DrError as err:
            failed.append(f"lease of run {run_id}: {err}")
    return Round(tuple(sightings), tuple(failed))


def _held(platform: Platform, scopes: Iterable[Scope]) -> dict[str, Lock]:
    """Return every held lock by scope; those of the scopes are read for themselves, the index may lag behind."""
    locks = {held.scope.key: held for held in platform.ledger.locks()}
    for scope in scopes:
        held = platform.ledger.holder(scope)
        if held is not None:
            locks[scope.key] = held
    return locks


def _orphan(platform: Platform, executions: Executions, held: Lock, machine_arn: str) -> Iterator[Sighting]:
    """Give back a lock whose run never came to be: accepting it broke right after the lock was taken."""
    now = platform.clock.now()
    if now - held.taken_at <= ACCEPTING:
        return
    execution = executions.find(execution_arn(machine_arn, held.run_id))
    if execution is None or execution.runs:  # started by the other Region's hub, whose watchdog knows
        return
    found = Sighting(
        Finding.KEPT_LOCK,
        f"lock/{held.epoch}",
        f"the lock of {held.scope} (epoch {held.epoch}) was released: execution {held.run_id} was "
        f"{execution.status.lower()} before its run was written.",
        "start the run again.",
    )
    customer = held.scope.customer
    yield from tell(platform, held.run_id, found, Message(Notice.WARNING, customer, held.run_id, subject(found), ""))
    platform.ledger.unlock(held.scope, held.run_id, held.epoch)


def _look(platform: Platform, executions: Executions, run: Run, held: Lock | None) -> Iterator[Sighting]:
    if run.target_region != platform.hub_region:
        return
    now = platform.clock.now()
    how = death(run, executions.find(run.execution_arn), now)
    epoch = held.epoch if held is not None and held.run_id == run.run_id else None
    if how is not None:
        yield from _bury(platform, run, how, epoch)
    elif not run.status.ended:
        actions = platform.ledger.actions(run.run_id)
        for found in _lost(platform, executions, run, actions, now):
            if run.lease_over:
                yield from _give_up(platform, executions, run, found)
                return
            yield from tell(platform, run.run_id, found, message(Notice.WARNING, run, subject(found), ""))


def _give_up(platform: Platform, executions: Executions, run: Run, lost: Sighting) -> Iterator[Sighting]:
    """Stop a drill that does not come to its CLEANUP any more. The look at its lease, which follows, has the copies removed."""
    what = f"{lost.what} The lease of drill {run.run_id} is over: its execution was stopped, and its copies are removed now."
    found = Sighting(lost.finding, f"stopped/{lost.key}", what, f"dr status {run.run_id} --region {run.target_region}")
    yield from tell(platform, run.run_id, found, message(Notice.WARNING, run, subject(found), ""))
    executions.stop(run.execution_arn, what)
    how = "was stopped by the watchdog, because it no longer came to its CLEANUP"
    stopped(platform, run.run_id, how, where="", redrivable=False)


def _bury(platform: Platform, run: Run, how: str, epoch: int | None) -> Iterator[Sighting]:
    """Leave a true ledger and a free lock after a death; what the run knows of its end is kept."""
    ended, redrivable = run.ended_at is not None, how in REDRIVABLE
    if ended and epoch is None:
        return
    if ended:
        what = f"run {run.run_id} had ended ({run.status}) and kept its lock (epoch {epoch}): it was released."
        found = Sighting(Finding.KEPT_LOCK, f"lock/{epoch}", what, f"dr report {run.run_id}")
    else:
        lock = f"Its lock (epoch {epoch}) was released." if epoch is not None else "It held no lock."
        what = f"run {run.run_id} was {run.status}, but its execution {how}: closed as {RunStatus.STOPPED}. {lock}"
        on = f"then {redrive_command(run)} or" if redrivable else "then"
        command = f"dr report {run.run_id}   {on} start the run again: what was done is recognised."
        found = Sighting(Finding.DEAD_RUN, f"dead/{run.epoch}", what, command)
    # Telling comes first: what is told and not done is found again by the next round, what is done and not told never.
    yield from tell(platform, run.run_id, found, message(Notice.WARNING, run, subject(found), ""))
    if ended:
        finish(platform, run.run_id)
    else:
        stopped(platform, run.run_id, how, where="", redrivable=redrivable)


def _lost(
    platform: Platform, executions: Executions, run: Run, actions: Sequence[Action], now: datetime
) -> Iterator[Sighting]:
    gates = platform.ledger.gates(run.run_id)
    for gate in gates:
        if gate.status is GateStatus.OPEN and now > _answered_by(run, gate):
            found = lost_gate(run, gate, waits=bool(gate.token) and executions.waits(gate.token or ""), now=now)
            yield from () if found is None else (found,)
    found = lost_question(run, gates, now)
    yield from () if found is None else (found,)
    for stage in platform.ledger.stages(run.run_id):
        of_stage = [action for action in actions if action.stage_id == stage.stage_id]
        if stage.status in {StageStatus.RUNNING, StageStatus.CHECKING}:
            yield from (found for a in of_stage if (found := overdue_action(run, a, now)) is not None)
        found = overdue_stage(run, stage, of_stage, now)
        yield from () if found is None else (found,)
