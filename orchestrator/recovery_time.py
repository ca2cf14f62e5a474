"""The clock that splits recovery time: declaration, human wait, machine, health settle. Pure; all figures in seconds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict

from orchestrator.ledger.records import Gate, Run, Stage
from orchestrator.words import Phase, StageStatus

PASSED = {StageStatus.PASSED, StageStatus.SKIPPED}


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
    to_service: float | None = None
    """From the outage (from the start, when nobody said) until the last ACTIVATE passed: what an RTO is measured by."""


def split(run: Run, stages: Iterable[Stage], gates: Iterable[Gate], now: datetime) -> RecoveryTime:
    """Return where the run's time went so far; time spent in two ways at once counts for people first."""
    stages = list(stages)
    end = run.ended_at or now
    held = [*((p.since, p.until) for p in run.pauses), *((gap.since, gap.until) for gap in run.interruptions)]
    waits = _until(end, [*((g.opened_at, g.decided_at) for g in gates), *held])
    settles = _until(end, ((s.health_since, s.ended_at) for s in stages if s.health_since is not None))
    settles += _until(end, ((s.verify_since, s.verified_at) for s in stages if s.verify_since is not None))
    human = _covered(waits)
    health = _covered([*waits, *settles]) - human
    total = (end - run.created_at).total_seconds()
    return RecoveryTime(
        declaration=None if run.detected_at is None else max(0.0, (run.created_at - run.detected_at).total_seconds()),
        human_wait=human,
        machine=max(0.0, total - human - health),
        health_settle=health,
        total=total,
        to_service=_to_service(run, stages),
    )


def _to_service(run: Run, stages: Sequence[Stage]) -> float | None:
    activations = [stage for stage in stages if stage.phase is Phase.ACTIVATE]
    ends = [s.ended_at for s in activations if s.ended_at is not None and s.status in PASSED]
    if not ends or len(ends) < len(activations):
        return None
    return max(0.0, (max(ends) - (run.detected_at or run.created_at)).total_seconds())


def split_to_service(run: Run, stages: Iterable[Stage], gates: Iterable[Gate]) -> RecoveryTime | None:
    """Return where the time went until the last ACTIVATE passed, the part an RTO judges; None before that."""
    stages = list(stages)
    seconds = _to_service(run, stages)
    if seconds is None:
        return None
    served_at = (run.detected_at or run.created_at) + timedelta(seconds=seconds)
    return split(run.but(ended_at=max(served_at, run.created_at)), stages, gates, served_at)


_Span = tuple[datetime, datetime]


def _until(end: datetime, spans: Iterable[tuple[datetime, datetime | None]]) -> list[_Span]:
    """Return the spans as far as they lie before `end`; an open one lasts until then."""
    return [(start, min(stop or end, end)) for start, stop in spans if start < end]


def _covered(spans: Sequence[_Span]) -> float:
    """Return the seconds covered by spans that may overlap."""
    seconds, reached = 0.0, None
    for start, end in sorted(spans):
        begin = start if reached is None else max(start, reached)
        if end > begin:
            seconds += (end - begin).total_seconds()
            reached = end
        reached = max(reached, end) if reached else end
    return seconds
