"""The timeline picture of a run: one lane per resource action, grouped by stage, people's answers between them. Pure.

Everything is measured in the units of an SVG view box; the template only draws.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator.ledger.records import Action, Gate, Run, Stage
from orchestrator.reducer import GOOD

LABELS = 250
PLOT = 730
LANE = 19
HEADING = 26
TOP = 30
LANES_PER_STAGE = 40
"""Beyond this many resources only the failed and the longest of a stage are drawn."""
SPACE_BETWEEN_TICKS = 70
TICK_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)


@dataclass(frozen=True)
class Bar:
    """A stretch of time; `kind` is an outcome, a status, "human" or "health"."""

    x: float
    width: float
    kind: str
    title: str


@dataclass(frozen=True)
class Lane:
    """A line of the picture: a heading (no bars), a gate, an action, or a stage's health."""

    y: float
    label: str
    note: str
    bars: tuple[Bar, ...]
    heading: bool = False


@dataclass(frozen=True)
class Tick:
    """A mark of the time axis."""

    x: float
    label: str


@dataclass(frozen=True)
class Timeline:
    """The whole picture."""

    width: float
    height: float
    lanes: tuple[Lane, ...]
    ticks: tuple[Tick, ...]


class _Scale:
    def __init__(self, start: datetime, end: datetime) -> None:
        self.start = start
        self.seconds = max(1.0, (end - start).total_seconds())

    def x(self, at: datetime) -> float:
        share = (at - self.start).total_seconds() / self.seconds
        return round(LABELS + PLOT * min(1.0, max(0.0, share)), 1)

    def bar(self, start: datetime, end: datetime, kind: str, title: str) -> Bar:
        x = self.x(start)
        return Bar(x, max(2.0, round(self.x(end) - x, 1)), kind, f"{title}, {length((end - start).total_seconds())}")

    def ticks(self) -> tuple[Tick, ...]:
        most = PLOT // SPACE_BETWEEN_TICKS
        step = next((s for s in TICK_SECONDS if self.seconds / s <= most), TICK_SECONDS[-1])
        count = min(most, int(self.seconds // step))
        return tuple(
            Tick(self.x(self.start + timedelta(seconds=step * n)), length(step * n) if n else "0")
            for n in range(count + 1)
        )


def draw(
    run: Run, stages: Sequence[Stage], actions: Iterable[Action], gates: Sequence[Gate], now: datetime
) -> Timeline:
    """Return the picture of a run; stages that never began are left out."""
    scale = _Scale(run.created_at, run.ended_at or now)
    end = run.ended_at or now
    by_stage: dict[str, list[Action]] = {}
    for action in actions:
        by_stage.setdefault(action.stage_id, []).append(action)
    lanes: list[Lane] = []
    y = float(TOP)
    for pause in run.pauses:
        ended = f"resumed by {pause.resumed_by}" if pause.resumed_by else "not resumed"
        bar = scale.bar(pause.since, pause.until or end, "human", f"paused by {pause.by}, {ended}")
        lanes.append(Lane(y, "paused", f"by {pause.by}", (bar,)))
        y += LANE
    for gap in run.interruptions:
        until = gap.until or end
        lanes.append(Lane(y, "interrupted", "", (scale.bar(gap.since, until, "human", gap.how[:LABELS]),)))
        y += LANE
    known = {stage.stage_id for stage in stages}
    for stage in stages:
        mine = [gate for gate in gates if gate.stage_id == stage.stage_id]
        rows = _rows(scale, end, stage, by_stage.get(stage.stage_id, []), mine)
        if rows:
            lanes.append(Lane(y, f"{stage.phase} · wave {stage.wave}", stage.status, (), heading=True))
            y += HEADING
            for label, note, bars in rows:
                lanes.append(Lane(y, label, note, bars))
                y += LANE
    for gate in (gate for gate in gates if gate.stage_id not in known):
        label, note, bars = _gate(scale, end, gate)
        lanes.append(Lane(y, label, note, bars))
        y += LANE
    return Timeline(LABELS + PLOT + 20, y + 10, tuple(lanes), scale.ticks())


_Row = tuple[str, str, tuple[Bar, ...]]


def _rows(scale: _Scale, end: datetime, stage: Stage, actions: Sequence[Action], gates: Sequence[Gate]) -> list[_Row]:
    rows = [_gate(scale, end, gate) for gate in gates]
    begun = [action for action in actions if action.started_at is not None or action.ended_at is not None]
    shown = sorted(sorted(begun, key=_weight)[:LANES_PER_STAGE], key=lambda a: (a.started_at or end, a.action_id))
    rows += [_action(scale, end, action) for action in shown]
    if len(begun) > len(shown):
        rows.append((f"and {len(begun) - len(shown)} more, all well", "", ()))
    if stage.health_since is not None:
        bar = scale.bar(stage.health_since, stage.ended_at or end, "health", f"health checks of {stage.stage_id}")
        rows.append(("health checks", "", (bar,)))
    if stage.verify_since is not None:
        bar = scale.bar(stage.verify_since, stage.verified_at or end, "health", f"{stage.stage_id} looked at again")
        rows.append(("health, looked at again", "", (bar,)))
    return rows


def _weight(action: Action) -> tuple[bool, float]:
    """Sort failures first, then the longest."""
    span = (action.ended_at - action.started_at).total_seconds() if action.ended_at and action.started_at else 0.0
    return action.outcome in GOOD, -span


def _gate(scale: _Scale, end: datetime, gate: Gate) -> _Row:
    answer = f"{gate.choice} by {gate.decided_by}" if gate.choice else str(gate.status)
    bar = scale.bar(gate.opened_at, gate.decided_at or end, "human", f"{gate.kind} gate: {answer}")
    return f"{gate.kind} gate", answer, (bar,)


def _action(scale: _Scale, end: datetime, action: Action) -> _Row:
    resources = ", ".join(action.resource_ids[:2]) + (
        f" +{len(action.resource_ids) - 2}" if len(action.resource_ids) > 2 else ""
    )
    kind = str(action.outcome or action.status)
    begin = action.started_at or action.ended_at or end
    bar = scale.bar(begin, action.ended_at or end, kind, f"{resources}: {kind.replace('_', ' ')}")
    return resources, "", (bar,)


def length(seconds: float) -> str:
    """Return a duration as people say it: 45 s, 3 min 20 s, 1 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
