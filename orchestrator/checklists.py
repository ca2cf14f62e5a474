"""What a person should look at before answering a gate. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.costs import cost_lines
from orchestrator.ledger.records import Action, FindingRecord, Stage
from orchestrator.plan import Plan, PlannedStage
from orchestrator.reducer import GOOD, outcome_counts
from orchestrator.undoing import as_line
from orchestrator.words import CheckState, Effect, Mode, Severity

LINES = 10
"""Of one kind in a checklist."""


def plan_overview(plan: Plan, findings: Sequence[FindingRecord]) -> list[str]:
    """Return what whoever lets a run begin should know: size, time, readiness, line of no return, loss. Pure."""
    lines = [
        f"{plan.resource_count()} resource(s) in {len(plan.stages)} stage(s), about {plan.expected_minutes:.0f} min "
        f"of machine time ({plan.order} order: {plan.order_reason})"
    ]
    lines += [f"left out: {resource}: {why}" for resource, why in sorted(plan.excluded.items())[:LINES]]
    unready = [f for f in findings if f.severity is not Severity.OK and f not in plan.undoing]
    lines += [f"readiness {f.severity}: {as_line(f)}" for f in unready[:LINES]]
    lines += [f"may undo this run: {as_line(each)}" for each in plan.undoing[:LINES]]
    more = len(plan.undoing) - LINES
    lines += [f"may undo this run: {more} more, see dr plan"] if more > 0 else []
    crossing = next((s.stage_id for s in plan.stages if s.irreversible), None)
    lines += [f"the first step that cannot be taken back is in {crossing}"] if crossing else []
    lines += cost_lines(plan.costs) if plan.costs else []
    if plan.mode is Mode.EMERGENCY:
        worst = sorted(plan.losses, key=lambda x: (x.seconds is not None, -(x.seconds or 0.0)))
        lines += [f"loss: {x.resource_id}: {_seconds(x.seconds)} ({x.detail})" for x in worst[:LINES]]
        lines += [f"deferred to a later run: {', '.join(plan.deferred)}"] if plan.deferred else []
    return lines


def _seconds(seconds: float | None) -> str:
    return "unknown" if seconds is None else f"{seconds:.1f} s"


def checklist(
    before: Stage | None, actions: Sequence[Action], upcoming: PlannedStage | None, calls: Sequence[str]
) -> list[str]:
    """Return what an approver should look at: how the stage before ended, and what comes next. Pure."""
    lines: list[str] = []
    if before is not None:
        counts = ", ".join(f"{count} {outcome}" for outcome, count in outcome_counts(actions).items())
        lines.append(f"{before.stage_id}: {before.status} ({counts})")
        lines += [
            f"{a.action_id}: {a.outcome}: {a.detail} {a.remedy}".strip() for a in actions if a.outcome not in GOOD
        ]
        lines += [
            f"{c.resource_id}: {c.name} {c.state}: {c.detail}"
            for c in before.checks
            if c.state is not CheckState.HEALTHY
        ]
        healthy = sum(1 for c in before.checks if c.state is CheckState.HEALTHY)
        lines += [f"{healthy} of {len(before.checks)} health checks healthy"] if before.checks else []
    if upcoming is not None:
        lines.append(f"next: {upcoming.stage_id}, about {upcoming.expected_minutes:.0f} min, {len(calls)} call(s)")
        lines += [f"  {call}" for call in calls[:10]]
        if upcoming.irreversible:
            lines.append(f"holds {Effect.IRREVERSIBLE} steps")
    return lines
