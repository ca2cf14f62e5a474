"""Ask a person: keep the callback's token, announce the question."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.boundary import GateEvent, verb
from lambdas.composition import platform
from orchestrator.gates import ask_with_token
from orchestrator.notify import Notice, approval_text, message


class OpenGateEvent(GateEvent):
    """A gate and the token that answers it."""

    TaskToken: str


@verb
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Ask a person."""
    asked = OpenGateEvent.model_validate(event)
    hub = platform()
    gate = ask_with_token(hub.ledger, hub.clock, asked.RunId, asked.GateId, asked.TaskToken)
    run = hub.ledger.run(asked.RunId)
    text = approval_text(run, gate, with_token=hub.approvals.tokens_in_notifications)
    hub.tell(message(Notice.APPROVAL, run, f"{gate.kind} gate {gate.gate_id} waits", text))
    return {"RunId": asked.RunId, "GateId": asked.GateId}
