"""What people order while a run is under way: an answer, a pause, its end, a resumption. The caller is known by then."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator import pausing
from orchestrator.approvals import Occasion
from orchestrator.approvals import refusal as approval_refusal
from orchestrator.errors import ConflictError, NotFoundError, RefusedError
from orchestrator.gates import Answer, check, offer
from orchestrator.identity import Identity
from orchestrator.ledger.records import Gate, Run
from orchestrator.platform import Platform
from orchestrator.words import Choice, GateKind, GateStatus


@dataclass(frozen=True)
class Ready:
    """A verified answer that its gate keeps; whoever holds the hub's credentials redeems the token with its id."""

    gate: Gate
    answer_id: str
    answer: Answer

    @property
    def output(self) -> dict[str, str]:
        """Return what the token is redeemed with; what counts is what the gate keeps under the id."""
        said = self.answer
        return {
            "decision": said.choice.value,
            "approver": said.approver,
            "reason": said.reason,
            "answer": self.answer_id,
        }


def own_run(platform: Platform, run_id: str, command: str) -> Run:
    """Return a run of this Region's hub; refuse one that another Region's hub does, with the command for there."""
    run = platform.ledger.run(run_id)
    if run.target_region != platform.hub_region:
        raise RefusedError(
            f"run {run_id} is done by the hub in {run.target_region}, this one is in {platform.hub_region}; only there can it "
            "be commanded.",
            f"{command} --region {run.target_region}",
            code="WrongRegion",
        )
    return run


def ready(platform: Platform, gate_id: str, answer: Answer, answer_id: str) -> Ready:
    """Judge a verified answer and write it down at its gate; raise `RefusedError` when it would not count."""
    try:
        gate = platform.ledger.find_gate(gate_id)
    except NotFoundError as err:
        raise NotFoundError(
            f"{err.message} This is the hub in {platform.hub_region}.",
            f"{err.remedy} Each Region answers for its own runs: --region",
        ) from err
    run = own_run(platform, gate.run_id, f"dr decide {gate_id} {answer.choice}")
    _check_waiting(run, gate)
    check(platform.ledger, run, gate, answer, platform.approvals)
    return Ready(offer(platform.ledger, platform.clock, gate, answer_id, answer), answer_id, answer)


def _check_waiting(run: Run, gate: Gate) -> None:
    if gate.status is not GateStatus.OPEN or gate.token is None:
        state = gate.status if gate.status is not GateStatus.OPEN else "being asked just now"
        by = f" ({gate.choice} by {gate.decided_by})" if gate.choice else ""
        raise RefusedError(
            f"gate {gate.gate_id} is {state}{by}; it takes no answer now.",
            f"dr status {run.run_id} --region {run.target_region}",
            code="NotWaiting",
        )


def pause(platform: Platform, run_id: str, who: Identity, reason: str) -> Run:
    """Let a run begin nothing new; see `pausing`."""
    own_run(platform, run_id, f"dr pause {run_id}")
    run = pausing.pause(platform.ledger, run_id, who.arn, reason, platform.clock.now())
    platform.note(run_id, "pause", f"paused. {reason}".strip(), actor=who.arn)
    return run


def resume(platform: Platform, run_id: str, who: Identity, reason: str, answer_id: str) -> Ready | None:
    """End a pause: at once while steps are still in flight (None), else by the answer to the gate the run waits at."""
    run = own_run(platform, run_id, f"dr resume {run_id}")
    pausing.check_resume(run)
    gate = pausing.open_pause(platform.ledger.gates(run_id))
    answer = Answer(Choice.RESUME, who.arn, reason, identity=who)
    if gate is not None:
        if gate.token is None:
            raise ConflictError(f"run {run_id} is just coming to its pause.", f"again in a moment: dr resume {run_id}")
        return ready(platform, gate.gate_id, answer, answer_id)
    rules = platform.approvals.of(Occasion.PAUSE, run.scope.customer)
    refused = approval_refusal(rules, run, _not_there_yet(run), answer.choice, who)
    if refused is not None:
        raise refused
    pausing.resume(platform.ledger, run_id, who.arn, platform.clock.now())
    platform.note(run_id, "resume", f"resumed before the pause took effect. {reason}".strip(), actor=who.arn)
    return None


def _not_there_yet(run: Run) -> Gate:
    held = run.pauses[-1]
    return Gate(
        run_id=run.run_id,
        gate_id=f"of the pause of {run.run_id}",
        kind=GateKind.PAUSE,
        question="Go on?",
        choices=(Choice.RESUME,),
        opened_at=held.since,
    )
