"""Alert that nobody answered a gate for 30 minutes, also those of the second list; the machine asks again with a new token."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.boundary import GateEvent, verb
from lambdas.composition import platform
from orchestrator.notify import Notice, approval_text, message


@verb
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Alert that nobody answered."""
    overdue = GateEvent.model_validate(event)
    hub = platform()
    run, gate = hub.ledger.run(overdue.RunId), hub.ledger.gate(overdue.RunId, overdue.GateId)
    hub.note(
        run.run_id, "reminder", f"gate {gate.gate_id} unanswered after {gate.asks} request(s)", stage_id=gate.stage_id
    )
    subject = f"OVERDUE: {gate.kind} gate {gate.gate_id}"
    # Its token has timed out by now; the machine asks again at once, and that message carries the next one.
    hub.tell(message(Notice.REMINDER, run, subject, approval_text(run, gate, with_token=False)))
    return {"RunId": run.run_id, "GateId": gate.gate_id}
