"""The report as one self-contained page with a timeline picture: no script, no file besides it, fit for print."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from pydantic import JsonValue

from orchestrator.ledger.records import Action, Event, Stage
from orchestrator.recovery_time import RecoveryTime, split_to_service
from orchestrator.reducer import GOOD
from orchestrator.timeline import draw, length
from orchestrator.words import ActionStatus, CheckState

if TYPE_CHECKING:
    from orchestrator.report import Report

PARTS = (
    ("declaration", "Declaration", "from noticing the outage to starting the run"),
    ("human_wait", "Human wait", "questions waiting for an answer"),
    ("machine", "Machine", "AWS and the platform at work"),
    ("health_settle", "Health settle", "waiting until everything was healthy"),
)


@dataclass(frozen=True)
class Part:
    """A segment of the recovery-time bar."""

    key: str
    title: str
    what: str
    seconds: float
    percent: float


@dataclass(frozen=True)
class SplitBar:
    """One stretch of time, split by who needed it."""

    title: str
    seconds: float
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Target:
    """The recovery-time objective, and where its mark stands on the bars."""

    seconds: float
    percent: float
    met: bool


def render_html(report: Report) -> str:
    """Return the page of a report."""
    by_action: dict[str, list[Event]] = {}
    for event in report.events:
        if event.action_id and event.kind in {"call", "answer", "error"}:
            by_action.setdefault(event.action_id, []).append(event)
    scale = max(_taken(report.recovery_time_seconds), 60.0 * (report.rto_target_minutes or 0), 1.0)
    return _TEMPLATES.get_template("report.html.j2").render(
        report=report,
        run=report.run,
        time=report.recovery_time_seconds,
        bars=_bars(report, scale),
        target=_target(report, scale),
        resources=_resources(report.actions),
        timeline=draw(report.run, report.stages, report.actions, report.gates, report.written_at),
        stages=[(stage, _of(report.actions, stage)) for stage in report.stages],
        failures=[a for a in report.actions if a.status is ActionStatus.ENDED and a.outcome not in GOOD],
        unhealthy=[c for stage in report.stages for c in stage.checks if c.state is not CheckState.HEALTHY],
        calls=by_action,
        total_calls=sum(action.calls for action in report.actions),
        worst_loss=_worst_loss(report),
    )


def _worst_loss(report: Report) -> float | None:
    """Return the largest loss in seconds, or None when that of any resource is unknown."""
    known = [loss.seconds for loss in report.loss if loss.seconds is not None]
    return max(known, default=None) if len(known) == len(report.loss) else None


def _taken(time: RecoveryTime) -> float:
    return (time.declaration or 0.0) + time.total


def _bars(report: Report, scale: float) -> list[SplitBar]:
    served = split_to_service(report.run, report.stages, report.gates)
    whole = report.recovery_time_seconds
    bars = [] if served is None else [_bar(f"until served from {report.run.target_region}", served, scale)]
    return [*bars, _bar("whole run", whole, scale)]


def _bar(title: str, time: RecoveryTime, scale: float) -> SplitBar:
    parts = tuple(
        Part(key, title, what, seconds, round(100 * seconds / scale, 2))
        for key, title, what in PARTS
        if (seconds := getattr(time, key)) is not None
    )
    return SplitBar(title, _taken(time), parts)


def _target(report: Report, scale: float) -> Target | None:
    if report.rto_target_minutes is None:
        return None
    seconds = 60.0 * report.rto_target_minutes
    served = report.recovery_time_seconds.to_service
    return Target(seconds, round(100 * seconds / scale, 2), met=served is not None and served <= seconds)


def _resources(actions: Sequence[Action]) -> tuple[int, int]:
    """Return how many resources came through well, of how many."""
    outcomes: dict[str, list[bool]] = {}
    for action in actions:
        for resource in action.resource_ids:
            outcomes.setdefault(resource, []).append(action.member_outcomes.get(resource) in GOOD)
    return sum(1 for well in outcomes.values() if all(well)), len(outcomes)


def _of(actions: Sequence[Action], stage: Stage) -> list[Action]:
    mine = [action for action in actions if action.stage_id == stage.stage_id]
    return sorted(mine, key=lambda a: (a.outcome in GOOD, "" if a.started_at is None else a.started_at.isoformat()))


def _clock(at: datetime | None) -> str:
    return "" if at is None else f"{at:%H:%M:%S}"


def _day(at: datetime | None) -> str:
    return "" if at is None else f"{at:%d %B %Y, %H:%M:%S} UTC"


def _between(start: datetime | None, end: datetime | None) -> str:
    return "" if start is None or end is None else length((end - start).total_seconds())


def _words(value: str) -> str:
    return str(value).replace("_", " ")


def _params(data: Mapping[str, JsonValue]) -> str:
    return json.dumps(data.get("params", {}), indent=1, ensure_ascii=False)


_TEMPLATES = Environment(
    loader=PackageLoader("orchestrator", "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters |= {
    "length": length,
    "clock": _clock,
    "day": _day,
    "between": _between,
    "words": _words,
    "params": _params,
    "length_of": len,
}
