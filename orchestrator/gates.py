"""Questions to people: what is asked, which answers count, and what an answer does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from orchestrator.clock import Clock
from orchestrator.errors import ConflictError, RefusedError, ValidationError
from orchestrator.ledger.records import Action, Event, Gate, Run, Stage
from orchestrator.ledger.store import Ledger
from orchestrator.plan import PlannedStage
from orchestrator.progress import Ask
from orchestrator.reducer import GOOD, outcome_counts
from orchestrator.words import ActionStatus, CheckState, Choice, Effect, GateStatus, Outcome, StageStatus


@dataclass(frozen=True)
class Answer:
    """A decision as it was read from the callback's result."""

    choice: Choice
    approver: str
    reason: str = ""


def read_answer(raw: JsonValue) -> Answer:
    """Return the decision in a callback result: {"approved": true, "approver": ...} or {"decision": "retry", ...}.

    Raise `ValidationError` when there is no decision in it.
    """
    if not isinstance(raw, dict):
        raise ValidationError(f"the answer is not a JSON object: {raw!r}.", EXAMPLE, code="BadAnswer")
    approver = raw.get("approver")
    if not isinstance(approver, str) or not approver.strip():
        raise ValidationError("the answer names no approver.", EXAMPLE, code="BadAnswer")
    reason = raw.get("reason", "")
    return Answer(_choice(raw), approver.strip(), reason if isinstance(reason, str) else str(reason))


EXAMPLE = (
    '--task-output \'{"approved": true, "approver": "user@example.com"}\' or \'{"decision": "retry", "approver": ...}\''
)


def _choice(raw: dict[str, JsonValue]) -> Choice:
    decision = raw.get("decision")
    if decision is not None:
        known = [choice.value for choice in Choice]
        if not isinstance(decision, str) or decision.lower() not in known:
            raise ValidationError(
                f"the decision {decision!r} is not one of {', '.join(known)}.", EXAMPLE, code="BadAnswer"
            )
        return Choice(decision.lower())
    approved = raw.get("approved")
    if not isinstance(approved, bool):
        raise ValidationError(
            'the answer has neither "approved": true|false nor a "decision".', EXAMPLE, code="BadAnswer"
        )
    return Choice.APPROVE if approved else Choice.REJECT


def open_gate(ledger: Ledger, clock: Clock, run: Run, ask: Ask, checklist: Sequence[str]) -> Gate:
    """Write the gate of a move, or return it when it is open already."""
    gate = Gate(
        run_id=run.run_id,
        gate_id=ask.gate_id,
        kind=ask.kind,
        stage_id=ask.stage.stage_id if ask.stage else None,
        question=ask.question,
        checklist=tuple(checklist),
        choices=ask.choices,
        opened_at=clock.now(),
    )
    return ledger.add_gate(gate)


def ask_with_token(ledger: Ledger, clock: Clock, run_id: str, gate_id: str, token: str) -> Gate:
    """Give an open gate its (new) callback token and return it, ready to be announced."""
    now = clock.now()
    gate = ledger.change_gate(
        run_id, gate_id, lambda g: g.but(token=token, asked_at=now, asks=g.asks + (g.token != token))
    )
    ledger.record(
        Event(
            run_id=run_id, at=now, kind="gate", message=f"asked ({gate.asks}): {gate.question}", stage_id=gate.stage_id
        )
    )
    return gate


def decide(ledger: Ledger, clock: Clock, run_id: str, gate_id: str, answer: Answer) -> Gate:
    """Apply an answer to its gate, run and stage; raise `RefusedError` when it does not count. Repeatable."""
    gate = ledger.gate(run_id, gate_id)
    if gate.status is GateStatus.ANSWERED:
        if (gate.choice, gate.decided_by) == (answer.choice, answer.approver):
            return gate
        raise RefusedError(
            f"gate {gate_id} was answered already: {gate.choice} by {gate.decided_by}.",
            f"dr status {run_id}",
            code="GateAnswered",
        )
    if answer.choice not in gate.choices:
        options = ", ".join(gate.choices)
        raise RefusedError(
            f"gate {gate_id} offers {options}; the answer was {answer.choice}.", EXAMPLE, code="NotAnOption"
        )
    now = clock.now()
    _apply(ledger, run_id, gate, answer)
    gate = ledger.change_gate(
        run_id,
        gate_id,
        lambda g: g.but(
            status=GateStatus.ANSWERED,
            choice=answer.choice,
            decided_by=answer.approver,
            decided_at=now,
            reason=answer.reason,
            token=None,
        ),
    )
    ledger.record(
        Event(
            run_id=run_id,
            at=now,
            kind="decision",
            actor=answer.approver,
            stage_id=gate.stage_id,
            message=f"{answer.choice} at {gate.kind} gate {gate_id}. {answer.reason}".strip(),
        )
    )
    return gate


def _apply(ledger: Ledger, run_id: str, gate: Gate, answer: Answer) -> None:
    """Change run and stage; every branch may be repeated without a second effect."""
    who = answer.approver
    stage = ledger.stage(run_id, gate.stage_id) if gate.stage_id else None
    match answer.choice:
        case Choice.APPROVE:
            crossing = stage is not None and stage.irreversible
            ledger.change_run(run_id, lambda r: r.but(committed=r.committed or crossing))
        case Choice.REJECT:
            ledger.change_run(
                run_id, lambda r: r.but(failure=r.failure or f"rejected by {who} at the {gate.kind} gate")
            )
        case Choice.ABORT:
            ledger.change_run(
                run_id, lambda r: r.but(failure=r.failure or f"aborted by {who} after {gate.stage_id} failed")
            )
        case Choice.RETRY:
            _again(ledger, run_id, _stage(stage, gate), rolling_back=False)
        case Choice.ROLLBACK:
            _again(ledger, run_id, _stage(stage, gate), rolling_back=True)
        case Choice.SKIP | Choice.CONTINUE:
            _ignore(ledger, run_id, _stage(stage, gate), who)


def _stage(stage: Stage | None, gate: Gate) -> Stage:
    if stage is None:
        raise ConflictError(f"gate {gate.gate_id} belongs to no stage, so nothing can be retried or skipped.")
    return stage


def _again(ledger: Ledger, run_id: str, stage: Stage, *, rolling_back: bool) -> None:
    for action in ledger.actions(run_id, stage.stage_id):
        if action.status is ActionStatus.ENDED and (rolling_back or action.outcome not in GOOD):
            ledger.save_action(_reset(action))
    ledger.change_stage(
        run_id,
        stage.stage_id,
        lambda s: s.but(
            status=StageStatus.PENDING if s.attempt == stage.attempt else s.status,
            attempt=stage.attempt + 1,
            rolling_back=rolling_back,
            checks=(),
            health_since=None,
            ended_at=None,
        ),
    )


def _reset(action: Action) -> Action:
    return action.but(
        status=ActionStatus.PENDING,
        outcome=None,
        member_outcomes={},
        detail="",
        remedy="",
        errors=0,
        call_counts={},
        started_at=None,
        ended_at=None,
        deadline_at=None,
    )


def _ignore(ledger: Ledger, run_id: str, stage: Stage, who: str) -> None:
    for action in ledger.actions(run_id, stage.stage_id):
        if action.outcome not in GOOD:
            members = {r: Outcome.FAILED_IGNORED if o not in GOOD else o for r, o in action.member_outcomes.items()}
            ledger.save_action(
                action.but(
                    status=ActionStatus.ENDED,
                    outcome=Outcome.FAILED_IGNORED,
                    member_outcomes=members or dict.fromkeys(action.resource_ids, Outcome.FAILED_IGNORED),
                    detail=f"{action.detail} (ignored by {who})",
                )
            )
    ledger.change_stage(run_id, stage.stage_id, lambda s: s.but(status=StageStatus.PASSED, ignored=True))


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
