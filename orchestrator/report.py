"""The report of a run: what was done to what, how long it took, what was lost, and how healthy it is."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from orchestrator.blobs import Blobs
from orchestrator.errors import NotFoundError
from orchestrator.leases import lease_lines
from orchestrator.ledger.records import Action, Event, Gate, Run, Stage
from orchestrator.ledger.store import Ledger
from orchestrator.linked import moved_by, ties, waits_for_completion
from orchestrator.plan import LossStatement, Plan, load_plan, rto_target_minutes
from orchestrator.recovery_time import RecoveryTime, split
from orchestrator.reducer import outcome_counts
from orchestrator.report_html import render_html
from orchestrator.words import Outcome, Phase


class Report(BaseModel):
    """Everything about a run; `schema_version` changes when a field's meaning does."""

    model_config = ConfigDict(frozen=True)

    schema_version: int = 1
    written_at: datetime
    run: Run
    recovery_time_seconds: RecoveryTime
    outcomes: dict[str, int]
    """Outcome -> number of resource actions."""
    expected_minutes: float | None = None
    rto_target_minutes: int | None = None
    """The tightest `dr:rto-target` of the plan's resources."""
    deferred: tuple[Phase, ...] = ()
    ties: tuple[str, ...] = ()
    """Which runs this one is linked to, and the command for what it deferred."""
    lease: tuple[str, ...] = ()
    """How a drill's lease stands, in words, with what to type."""
    excluded: dict[str, str] = Field(default_factory=dict)
    """Resource id -> why it was not part of the plan."""
    loss: tuple[LossStatement, ...] = ()
    stages: tuple[Stage, ...]
    actions: tuple[Action, ...]
    gates: tuple[Gate, ...]
    events: tuple[Event, ...]


def report_keys(run_id: str) -> tuple[str, str]:
    """Return where the JSON and the HTML report are kept."""
    return f"runs/{run_id}/report.json", f"runs/{run_id}/report.html"


def build_report(ledger: Ledger, blobs: Blobs, run_id: str, now: datetime) -> Report:
    """Return the report of a run as it stands now."""
    run, stages, gates = ledger.run(run_id), ledger.stages(run_id), ledger.gates(run_id)
    actions = ledger.actions(run_id)
    plan = _plan(blobs, run_id)
    return Report(
        written_at=now,
        run=run,
        recovery_time_seconds=split(run, stages, gates, now),
        outcomes=_outcomes(run, plan, actions),
        expected_minutes=plan.expected_minutes if plan else None,
        rto_target_minutes=rto_target_minutes(plan) if plan else None,
        deferred=plan.deferred if plan else (),
        ties=tuple(ties(run)),
        lease=tuple(lease_lines(run, actions)),
        excluded=dict(plan.excluded) if plan else {},
        loss=plan.losses if plan else (),
        stages=tuple(stages),
        actions=tuple(actions),
        gates=tuple(gate.but(token=None) for gate in gates),
        events=tuple(ledger.events(run_id)),
    )


def _outcomes(run: Run, plan: Plan | None, actions: list[Action]) -> dict[str, int]:
    """Return outcome -> resource actions; what an emergency did not even plan for what it activated is deferred."""
    counts = outcome_counts(actions)
    deferred = len(plan.deferred) * len(moved_by(actions)) if plan and waits_for_completion(run) else 0
    return dict(sorted({**counts, Outcome.DEFERRED.value: deferred}.items())) if deferred else counts


def recovery_time(ledger: Ledger, run_id: str, now: datetime) -> RecoveryTime:
    """Return where the time of a run went."""
    return split(ledger.run(run_id), ledger.stages(run_id), ledger.gates(run_id), now)


def save_report(ledger: Ledger, blobs: Blobs, run_id: str, now: datetime) -> Report:
    """Keep the report of a run as JSON and as a self-contained page; return it."""
    report = build_report(ledger, blobs, run_id, now)
    json_key, html_key = report_keys(run_id)
    blobs.put(json_key, report.model_dump_json(indent=1).encode())
    blobs.put(html_key, render_html(report).encode(), "text/html")
    return report


def _plan(blobs: Blobs, run_id: str) -> Plan | None:
    try:
        return load_plan(blobs, run_id)
    except NotFoundError:
        return None  # the run ended before its plan was built
