"""The wait for the last snapshot of a database that is deleted. Pure."""

from __future__ import annotations

from adapters.databases.shared import unknown
from adapters.databases.spec import SNAPSHOT_FAILED, SNAPSHOT_PASSING
from orchestrator.contract import Step, busy, done, failed


def final_kept(final: str, status: str, step: str, remedy: str) -> Step:
    """Return the wait for the snapshot `final`; `remedy` says what helps when it cannot be completed."""
    if status == "available":
        return done(step, f"{final} is available")
    if status in SNAPSHOT_FAILED:
        return failed(step, f"{final} is {status}, expected available", remedy)
    if status and status not in SNAPSHOT_PASSING:
        raise unknown(final, status)
    return busy(step, f"{final} is {status or 'not there'}, expected available")
