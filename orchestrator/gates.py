"""Questions to people: what is asked, which answers count, and what an answer does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from orchestrator.clock import Clock
from orchestrator.errors import ConflictError, RefusedError, ValidationError
from orchestrator.ledger.records import Action, Event, Gate, Run, Stage
from orchestrator.ledger.store import Ledger
from orchestrator.progress import Ask
from orchestrator.progress import gate_id as gate_id_of
from orchestrator.reducer import GOOD
from orchestrator.words import ActionStatus, CheckState, Choice, GateKind, GateStatus, Outcome, StageStatus


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
    decision, approved = raw.get("decision"), raw.get("approved")
    if decision is not None:
        return _named_choice(decision, approved)
    if not isinstance(approved, bool):
        raise ValidationError(
            'the answer has neither "approved": true|false nor a "decision".', EXAMPLE, code="BadAnswer"
        )
    return Choice.APPROVE if approved else Choice.REJECT


def _named_choice(decision: JsonValue, approved: JsonValue) -> Choice:
    known = [choice.value for choice in Choice]
    word = decision.strip().lower() if isinstance(decision, str) else ""
    if word not in known:
        raise ValidationError(f"the decision {decision!r} is not one of {', '.join(known)}.", EXAMPLE, code="BadAnswer")
    choice = Choice(word)
    if isinstance(approved, bool) and choice is (Choice.REJECT if approved else Choice.APPROVE):
        raise ValidationError(
            f'the answer contradicts itself: "approved" is {str(approved).lower()}, "decision" is {word}.',
            EXAMPLE,
            code="BadAnswer",
        )
    return choice


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
    if gate.status is GateStatus.WITHDRAWN or ledger.run(run_id).status.ended:
        raise RefusedError(
            f"gate {gate_id} takes no answer any more: the run has ended.", f"dr report {run_id}", code="GateWithdrawn"
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
            if stage is not None:
                ledger.change_stage(run_id, stage.stage_id, lambda s: s.but(approved_by=s.approved_by or who))
        case Choice.REJECT:
            ledger.change_run(
                run_id,
                lambda r: r.but(
                    rejected_by=r.rejected_by or who, failure=r.failure or f"rejected by {who} at the {gate.kind} gate"
                ),
            )
        case Choice.ABORT:
            ledger.change_run(
                run_id, lambda r: r.but(failure=r.failure or f"aborted by {who} after {gate.stage_id} failed")
            )
        case Choice.RETRY:
            _again(ledger, run_id, _still_failed(stage, gate), rolling_back=False)
        case Choice.ROLLBACK:
            _again(ledger, run_id, _still_failed(stage, gate), rolling_back=True)
        case Choice.SKIP:
            _ignore(ledger, run_id, _still_failed(stage, gate), who, unhealthy_too=True)
        case Choice.CONTINUE:
            _ignore(ledger, run_id, _still_failed(stage, gate), who, unhealthy_too=False)


def _still_failed(stage: Stage | None, gate: Gate) -> Stage | None:
    """Return the gate's stage, or None when this very answer has been applied to it already."""
    if stage is None:
        raise ConflictError(f"gate {gate.gate_id} belongs to no stage, so nothing can be retried or skipped.")
    asked = gate_id_of(gate.run_id, GateKind.FAILURE, stage.stage_id, stage.attempt)
    return stage if asked == gate.gate_id and stage.status is StageStatus.FAILED else None


def _again(ledger: Ledger, run_id: str, stage: Stage | None, *, rolling_back: bool) -> None:
    if stage is None:
        return
    for action in ledger.actions(run_id, stage.stage_id):
        if action.status is ActionStatus.ENDED and (rolling_back or action.outcome not in GOOD):
            ledger.save_action(_reset(action))
    ledger.change_stage(
        run_id,
        stage.stage_id,
        lambda s: s.but(
            status=StageStatus.PENDING,
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
        refusals=0,
        attempt=action.attempt + 1,
        call_counts={},
        started_at=None,
        ended_at=None,
        deadline_at=None,
    )


def _ignore(ledger: Ledger, run_id: str, stage: Stage | None, who: str, *, unhealthy_too: bool) -> None:
    """Let the stage pass; what failed (and, when asked, what is unhealthy) ends as failed_ignored."""
    if stage is None:
        return
    unhealthy = {c.resource_id for c in stage.checks if c.state is not CheckState.HEALTHY} if unhealthy_too else set()
    for action in ledger.actions(run_id, stage.stage_id):
        outcomes = {r: action.member_outcomes.get(r, Outcome.FAILED) for r in action.resource_ids}
        lost = {r for r, o in outcomes.items() if o not in GOOD or r in unhealthy}
        if action.outcome not in GOOD or lost:
            ledger.save_action(
                action.but(
                    status=ActionStatus.ENDED,
                    outcome=Outcome.FAILED_IGNORED,
                    member_outcomes={r: Outcome.FAILED_IGNORED if r in lost else o for r, o in outcomes.items()},
                    detail=f"{action.detail} (ignored by {who})".strip(),
                )
            )
    ledger.change_stage(run_id, stage.stage_id, lambda s: s.but(status=StageStatus.PASSED, ignored=True))
