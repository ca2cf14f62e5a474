"""How long things took before: what a plan expects, once a scope has a past of its own."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median

from orchestrator.ledger.records import Action, Run
from orchestrator.ledger.store import Ledger
from orchestrator.words import Outcome

RUNS_LOOKED_AT = 5
WELL = {Outcome.SUCCEEDED, Outcome.SUCCEEDED_WITH_WARNINGS}


def past_minutes(ledger: Ledger, run: Run) -> dict[str, float]:
    """Return action id -> the median of what it took in the scope's last runs of the same mode into the same Region."""
    alike = [
        earlier
        for earlier in ledger.runs_of(run.scope)
        if earlier.run_id != run.run_id
        and earlier.ended_at is not None
        and not earlier.dry_run
        and (earlier.mode, earlier.target_region) == (run.mode, run.target_region)
    ]
    return medians(action for earlier in alike[:RUNS_LOOKED_AT] for action in ledger.actions(earlier.run_id))


def medians(actions: Iterable[Action]) -> dict[str, float]:
    """Return action id -> median minutes of those that ended well. Pure."""
    taken: dict[str, list[float]] = {}
    for action in actions:
        if action.started_at and action.ended_at and action.outcome in WELL:
            minutes = (action.ended_at - action.started_at).total_seconds() / 60
            taken.setdefault(action.action_id, []).append(minutes)
    return {action_id: round(median(values), 1) for action_id, values in taken.items()}
