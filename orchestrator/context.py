"""What an adapter may know of the run and of its own past. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from pydantic import JsonValue

from orchestrator.contract import RunContext, Target
from orchestrator.ledger.records import Run
from orchestrator.tags import RPO
from orchestrator.words import Phase


def run_context(
    run: Run,
    phase: Phase,
    target: Target,
    now: datetime,
    started_at: datetime | None = None,
    kept: Mapping[str, Mapping[str, JsonValue]] | None = None,
    called_at: Mapping[str, datetime] | None = None,
    excluded: frozenset[str] = frozenset(),
    *,
    rolling_back: bool = False,
    held: bool = False,
) -> RunContext:
    """Return the context of one look; without a past it is the look before the run's first change."""
    targets = {member.resource_id: member.tags.get(RPO, "") for member in target.members}
    return RunContext(
        run_id=run.made_by,
        operation=run.operation,
        mode=run.mode,
        phase=phase,
        source_region=run.source_region,
        target_region=run.target_region,
        now=now,
        started_at=started_at or now,
        kept=dict(kept or {}),
        called_at=dict(called_at or {}),
        rpo_minutes={resource: int(minutes) for resource, minutes in targets.items() if minutes.isdigit()},
        excluded=excluded,
        planning=started_at is None,
        rolling_back=rolling_back,
        held=held,
    )
