"""Apply the answer that came through a gate's callback."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.boundary import GateEvent, logger, verb
from lambdas.composition import platform
from orchestrator.errors import RefusedError, ValidationError
from orchestrator.gates import decide, read_answer
from orchestrator.notify import Notice, message
from orchestrator.removal import let_go_by_lease


class DecisionEvent(GateEvent):
    """A gate and the callback's result, whatever was sent."""

    Answer: Any = None


@verb
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Apply the answer; one that does not count is reported, and the gate is asked again."""
    answered = DecisionEvent.model_validate(event)
    hub = platform()
    run = hub.ledger.run(answered.RunId)
    if run.cancelled_by or let_go_by_lease(run, answered.Answer):
        return {"Accepted": False}  # let go, not answered
    try:
        answer = read_answer(answered.Answer, hub.ledger.gate(run.run_id, answered.GateId))
        gate = decide(hub.ledger, hub.clock, run.run_id, answered.GateId, answer, hub.approvals)
    except (ValidationError, RefusedError) as err:
        logger.warning("answer refused", extra={"code": err.code})
        hub.note(run.run_id, "refusal", f"answer at gate {answered.GateId} refused: {err}")
        hub.tell(message(Notice.WARNING, run, f"answer at gate {answered.GateId} does not count", str(err)))
        return {"Accepted": False}
    text = f"{gate.choice} by {gate.decided_by}. {gate.reason}".strip()
    hub.tell(message(Notice.DECISION, run, f"{gate.kind} gate: {gate.choice}", text))
    return {"Accepted": True}
