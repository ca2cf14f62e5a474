"""Taking a scope's lock: for a run that begins, and for one that goes on after its execution was redriven."""

from __future__ import annotations

from datetime import datetime, timedelta

from orchestrator.errors import NotFoundError
from orchestrator.ledger.records import Lock, Scope
from orchestrator.platform import Platform

ACCEPTING = timedelta(minutes=15)
"""Longer than accepting a request takes with all its repetitions."""


def lock_scope(platform: Platform, scope: Scope, run_id: str, escalates: str | None = None) -> Lock:
    """Take the scope's lock, also from the run that is escalated, has ended or, for a while now, never came to be.

    Return the run's own when it holds it; raise `RefusedError` with the holder when another run goes on.
    """
    now = platform.clock.now()
    held = platform.ledger.holder(scope)
    if held is not None and held.run_id != run_id and (held.run_id == escalates or _abandoned(platform, held, now)):
        platform.ledger.unlock(scope, held.run_id)
    return platform.ledger.lock(scope, run_id, now)


def _abandoned(platform: Platform, held: Lock, now: datetime) -> bool:
    try:
        return platform.ledger.run(held.run_id).ended_at is not None
    except NotFoundError:  # accepting it broke between taking the lock and writing the run
        return now - held.taken_at > ACCEPTING
