"""Taking a scope's lock: for a run that begins, and for one that goes on after its execution was redriven."""

from __future__ import annotations

from datetime import datetime, timedelta

from orchestrator.errors import NotFoundError
from orchestrator.ledger.records import Lock, Scope
from orchestrator.platform import Platform
from orchestrator.words import Mode

ACCEPTING = timedelta(minutes=15)
"""Longer than accepting a request takes with all its repetitions."""


def lock_scope(
    platform: Platform, scope: Scope, run_id: str, escalates: str | None = None, *, mode: Mode = Mode.PLANNED
) -> Lock:
    """Take the scope's lock, also from the run that is escalated, has ended or, for a while now, never came to be.

    An emergency takes it from a run that only removes a drill's copies, too: that is fenced, and done again afterwards.
    Return the run's own when it holds it; raise `RefusedError` with the holder when another run goes on.
    """
    now = platform.clock.now()
    held = platform.ledger.holder(scope)
    if held is not None and held.run_id != run_id and (held.run_id == escalates or _yields(platform, held, mode, now)):
        platform.ledger.unlock(scope, held.run_id)
    return platform.ledger.lock(scope, run_id, now)


def _yields(platform: Platform, held: Lock, mode: Mode, now: datetime) -> bool:
    try:
        holder = platform.ledger.run(held.run_id)
    except NotFoundError:  # accepting it broke between taking the lock and writing the run
        return now - held.taken_at > ACCEPTING
    return holder.ended_at is not None or (mode is Mode.EMERGENCY and holder.removes_copies)
