"""Questions to people: what is asked, which answers count, and what an answer does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from orchestrator import way_back
from orchestrator.approvals import Approvals, answerers, occasion_of
from orchestrator.approvals import refusal as approval_refusal
from orchestrator.clock import Clock
from orchestrator.decisions import apply, lost_in
from orchestrator.errors import RefusedError, ValidationError
from orchestrator.fencing import check_goes_on
from orchestrator.identity import Identity
from orchestrator.ledger.records import Event, Gate, Offer, Run, Stage
from orchestrator.ledger.store import Ledger
from orchestrator.pausing import resume, verify_again
from orchestrator.progress import Ask
from orchestrator.words import Choice, GateStatus

NO_POLICY = Approvals()


@dataclass(frozen=True)
class Answer:
    """A decision. `identity` is who AWS says sent it; without it the approver is only what the answer claims."""

    choice: Choice
    approver: str
    reason: str = ""
    resources: tuple[str, ...] = ()
    identity: Identity | None = None


def read_answer(raw: JsonValue, gate: Gate | None = None) -> Answer:
    """Return the decision in a callback result: {"approved": true, "approver": ...} or {"decision": "retry", ...}.

    One that was verified carries the id under which the gate keeps it, and only what the gate keeps counts. Raise
    `ValidationError` when there is no decision in it, `RefusedError` when it was meant for another gate.
    """
    if not isinstance(raw, dict):
        raise ValidationError(f"the answer is not a JSON object: {raw!r}.", EXAMPLE, code="BadAnswer")
    if gate is not None:
        _only_for(gate, raw)
        if "answer" in raw:
            return _verified(gate, raw["answer"])
    approver = raw.get("approver")
    if not isinstance(approver, str) or not approver.strip():
        raise ValidationError("the answer names no approver.", EXAMPLE, code="BadAnswer")
    reason, named = raw.get("reason", ""), raw.get("resources", [])
    resources = tuple(str(each) for each in named) if isinstance(named, list) else (str(named),)
    return Answer(_choice(raw), approver.strip(), reason if isinstance(reason, str) else str(reason), resources)


def _only_for(gate: Gate, raw: dict[str, JsonValue]) -> None:
    for name, own in (("gate", gate.gate_id), ("run", gate.run_id)):
        if raw.get(name, own) != own:
            raise RefusedError(
                f"the answer is for {name} {raw[name]}, but its token belongs to {name} {own}.",
                "answer each gate with its own token, or by its id: dr decide GATE CHOICE",
                code="ForeignAnswer",
            )


def _verified(gate: Gate, answer_id: JsonValue) -> Answer:
    for offer in gate.offers:
        if offer.answer_id == answer_id:
            who = Identity(arn=offer.arn, account=offer.account)
            return Answer(offer.choice, offer.arn, offer.reason, offer.resources, who)
    raise RefusedError(
        f"gate {gate.gate_id} keeps no verified answer {answer_id}.",
        f"dr decide {gate.gate_id} CHOICE",
        code="ForeignAnswer",
    )


def offer(ledger: Ledger, clock: Clock, gate: Gate, answer_id: str, answer: Answer) -> Gate:
    """Write a verified answer down at its gate, before the token is redeemed with its id. Repeatable."""
    assert answer.identity is not None
    made = Offer(
        answer_id=answer_id,
        choice=answer.choice,
        arn=answer.identity.arn,
        account=answer.identity.account,
        reason=answer.reason,
        resources=answer.resources,
        at=clock.now(),
    )

    def kept(g: Gate) -> Gate:
        others = [each for each in g.offers if each.answer_id != answer_id]
        return g.but(offers=(*others, made)[-OFFERS_KEPT:])

    return ledger.change_gate(gate.run_id, gate.gate_id, kept)


OFFERS_KEPT = 10
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


def open_gate(
    ledger: Ledger, clock: Clock, run: Run, ask: Ask, checklist: Sequence[str], approvals: Approvals = NO_POLICY
) -> Gate:
    """Write the gate of a move, or return it when it is open already."""
    phase = ask.stage.phase if ask.stage else None
    rules = approvals.of(occasion_of(ask.kind, phase), run.scope.customer)
    gate = Gate(
        run_id=run.run_id,
        gate_id=ask.gate_id,
        kind=ask.kind,
        stage_id=ask.stage.stage_id if ask.stage else None,
        question=ask.question,
        checklist=tuple(checklist),
        choices=ask.choices,
        answerers=answerers(rules, run.requester),
        opened_at=clock.now(),
    )
    kept = ledger.add_gate(gate)
    if kept.status is GateStatus.WITHDRAWN:  # by the end of a run that goes on now
        return ledger.change_gate(run.run_id, ask.gate_id, lambda g: g.but(status=GateStatus.OPEN))
    return kept


def ask_with_token(ledger: Ledger, clock: Clock, run_id: str, gate_id: str, token: str) -> Gate:
    """Give an open gate its (new) callback token and return it, ready to be announced."""
    now = clock.now()
    check_goes_on(ledger.run(run_id))
    gate = ledger.change_gate(
        run_id, gate_id, lambda g: g.but(token=token, asked_at=now, asks=g.asks + (g.token != token))
    )
    ledger.record(
        Event(
            run_id=run_id, at=now, kind="gate", message=f"asked ({gate.asks}): {gate.question}", stage_id=gate.stage_id
        )
    )
    return gate


def check(ledger: Ledger, run: Run, gate: Gate, answer: Answer, approvals: Approvals = NO_POLICY) -> None:
    """Raise `RefusedError` when an answer does not count at a gate: closed, no option, not allowed, or impossible."""
    look = f"dr status {run.run_id} --region {run.target_region}"
    if gate.status is GateStatus.ANSWERED:
        raise RefusedError(
            f"gate {gate.gate_id} was answered already: {gate.choice} by {gate.decided_by}.", look, code="GateAnswered"
        )
    if gate.status is GateStatus.WITHDRAWN or run.status.ended:
        raise RefusedError(
            f"gate {gate.gate_id} takes no answer any more: the run has ended.",
            f"dr report {run.run_id}",
            code="GateWithdrawn",
        )
    if answer.choice not in gate.choices:
        options = ", ".join(gate.choices)
        raise RefusedError(
            f"gate {gate.gate_id} offers {options}; the answer was {answer.choice}.", EXAMPLE, code="NotAnOption"
        )
    stage = ledger.stage(run.run_id, gate.stage_id) if gate.stage_id else None
    rules = approvals.of(occasion_of(gate.kind, stage.phase if stage else None), run.scope.customer)
    refused = approval_refusal(rules, run, gate, answer.choice, answer.identity)
    if refused is not None:
        raise refused
    if answer.choice is Choice.SKIP or answer.resources:
        _check_skip(ledger, gate, stage, answer)
    if answer.choice in {Choice.ROLLBACK, Choice.ROLLBACK_RUN}:
        whole = answer.choice is Choice.ROLLBACK_RUN
        refused = way_back.refusal(run, answer.choice, ledger.actions(run.run_id, None if whole else gate.stage_id))
        if refused is not None:
            raise refused


def _check_skip(ledger: Ledger, gate: Gate, stage: Stage | None, answer: Answer) -> None:
    example = f'dr decide {gate.gate_id} skip --resource RESOURCE --reason "why it may be left out"'
    if answer.choice is not Choice.SKIP or stage is None:
        raise RefusedError(
            f"{answer.choice} is about the whole stage; only skip names resources.", example, code="NoResourcesHere"
        )
    if not answer.reason.strip():
        raise RefusedError("leaving resources out of a recovery needs a reason.", example, code="NoReason")
    lost = lost_in(stage, ledger.actions(gate.run_id, stage.stage_id))
    if strangers := sorted(set(answer.resources) - lost):
        found = ", ".join(sorted(lost)) or "nothing"
        raise RefusedError(
            f"{', '.join(strangers)} did not fail in {stage.stage_id}; what failed or is unhealthy: {found}.",
            example,
            code="NothingToSkip",
        )


def decide(
    ledger: Ledger, clock: Clock, run_id: str, gate_id: str, answer: Answer, approvals: Approvals = NO_POLICY
) -> Gate:
    """Apply an answer to its gate, run and stage; raise `RefusedError` when it does not count. Repeatable."""
    gate, run = ledger.gate(run_id, gate_id), ledger.run(run_id)
    if gate.status is GateStatus.ANSWERED and (gate.choice, gate.decided_by) == (answer.choice, answer.approver):
        return gate
    check(ledger, run, gate, answer, approvals)
    now = clock.now()
    apply(ledger, run_id, gate, answer.choice, answer.approver, answer.resources)
    if answer.choice is Choice.RESUME:
        resume(ledger, run_id, answer.approver, now)
    if answer.choice in {Choice.APPROVE, Choice.RESUME}:
        verify_again(ledger, run_id, gate, now)
    gate = ledger.change_gate(
        run_id,
        gate_id,
        lambda g: g.but(
            status=GateStatus.ANSWERED,
            choice=answer.choice,
            decided_by=answer.approver,
            account=answer.identity.account if answer.identity else None,
            decided_at=now,
            reason=answer.reason,
            resources=answer.resources,
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
            message=_told(gate, answer),
            data=_facts(answer),
        )
    )
    return gate


def _told(gate: Gate, answer: Answer) -> str:
    what = f"{answer.choice} of {', '.join(answer.resources)}" if answer.resources else str(answer.choice)
    return f"{what} at {gate.kind} gate {gate.gate_id}. {answer.reason}".strip()


def _facts(answer: Answer) -> dict[str, JsonValue]:
    if answer.identity is None:
        return {"verified": False}
    return {"verified": True, "arn": answer.identity.arn, "account": answer.identity.account}
