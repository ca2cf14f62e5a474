"""Who may act: a run that goes on, in its own Region, and holds its scope with its own epoch.

Executions outlive runs: a redriven one, a late or duplicated one, one in a Region that came back. They get as far as this.
"""

from __future__ import annotations

from orchestrator.errors import FencedError
from orchestrator.leases import new_drill_command
from orchestrator.ledger.records import Run
from orchestrator.ledger.store import Ledger
from orchestrator.words import Mode


def check_goes_on(run: Run) -> None:
    """Raise `FencedError` when a run has ended: its lock is free, and others may have moved the scope since."""
    if run.ended_at is not None or run.status.ended:
        raise FencedError(
            f"run {run.run_id} has ended ({run.status}) and gave its scope back; a redriven or late execution cannot go on "
            "with it.",
            f"start a new drill: {new_drill_command(run)}"
            if run.mode is Mode.DRILL
            else "start the run again: what was done is recognised.",
            code="RunEnded",
        )


def check_may_act(ledger: Ledger, run: Run) -> None:
    """Raise `FencedError` when a run has ended or does not hold its scope; a dry run changes nothing and holds none."""
    check_goes_on(run)
    if not run.dry_run:
        check_holds_scope(ledger, run)


def check_holds_scope(ledger: Ledger, run: Run) -> None:
    """Raise `FencedError` when a run does not hold its scope's lock with its own epoch."""
    lock = ledger.holder(run.scope)
    if lock is None or lock.run_id != run.run_id or lock.epoch != run.epoch:
        holder = "nobody" if lock is None else f"run {lock.run_id} (epoch {lock.epoch})"
        raise FencedError(
            f"run {run.run_id} (epoch {run.epoch}) may not act on {run.scope}: the scope is held by {holder}.",
            f"dr status {run.run_id}",
        )
