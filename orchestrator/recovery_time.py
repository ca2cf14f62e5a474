"""The clock that splits recovery time: declaration, human wait, machine, health settle. Pure; all figures in seconds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from orchestrator.ledger.records import Gate, Run, Stage


class RecoveryTime(BaseModel):
    """Where the time of a run went, in seconds. `declaration` is None when nobody said when the outage was noticed."""

    model_config = ConfigDict(frozen=True)

    declaration: float | None
    """From the moment the outage was noticed to the start of the run."""
    human_wait: float
    machine: float
    health_settle: float
    total: float
    """From the start of the run to its end, or to now."""


def split(run: Run, stages: Iterable[Stage], gates: Iterable[Gate], now: datetime) -> RecoveryTime:
    """Return where the run's time went so far; time spent in two ways at once counts for people first."""
    end = run.ended_at or now
    waits = [(g.opened_at, g.decided_at or end) for g in gates]
    settles = [(s.health_since, s.ended_at or end) for s in stages if s.health_since is not None]
    human = _covered(waits)
    health = _covered([*waits, *settles]) - human
    total = (end - run.created_at).total_seconds()
    return RecoveryTime(
        declaration=None if run.detected_at is None else max(0.0, (run.created_at - run.detected_at).total_seconds()),
        human_wait=human,
        machine=max(0.0, total - human - health),
        health_settle=health,
        total=total,
    )


def _covered(spans: Sequence[tuple[datetime, datetime]]) -> float:
    """Return the seconds covered by spans that may overlap."""
    seconds, reached = 0.0, None
    for start, end in sorted(spans):
        begin = start if reached is None else max(start, reached)
        if end > begin:
            seconds += (end - begin).total_seconds()
            reached = end
        reached = max(reached, end) if reached else end
    return seconds
