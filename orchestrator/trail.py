"""What looks and calls leave behind in the ledger: steps as they were seen, facts of the audit trail. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import JsonValue

from orchestrator.contract import Step
from orchestrator.ledger.records import StepRecord
from orchestrator.words import Effect, StepState


def facts_of(kind: str, step: Step | None) -> dict[str, JsonValue]:
    """Return what an event of this kind tells of its step; the parameters of calls with secrets masked."""
    facts: dict[str, JsonValue] = {"step": step.name} if step else {}
    if step is not None and step.call is not None and kind == "call":
        call = step.call
        facts |= {"operation": f"{call.service}.{call.operation}", "side": call.side, "params": _shown(call.params)}
    return facts


def step_record(step: Step, before: StepRecord | None, now: datetime) -> StepRecord:
    """Return a step as the ledger keeps it; its call, effect and first sight survive later looks."""
    return StepRecord(
        name=step.name,
        state=step.state,
        effect=before.effect if before and step.effect is Effect.NONE else step.effect,
        reason=step.reason,
        remedy=step.remedy,
        call=f"{step.call.service}.{step.call.operation}" if step.call else (before.call if before else None),
        first_seen_at=before.first_seen_at if before else now,
        done_at=(before.done_at if before and before.done_at else now) if step.state is StepState.DONE else None,
    )


def _shown(params: Mapping[str, Any]) -> JsonValue:
    return {name: _masked(name, value) for name, value in params.items()}


def _masked(name: str, value: Any) -> JsonValue:
    if any(word in name.lower() for word in ("password", "secret", "token")):
        return "***"
    if isinstance(value, Mapping):
        return {k: _masked(k, v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(name, v) for v in value]
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)
