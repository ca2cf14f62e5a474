"""Let a planned run end, so that an emergency goes on with what it began."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.boundary import RunEvent, verb
from lambdas.callers import caller
from lambdas.composition import platform
from lambdas.tokens import let_go
from orchestrator.escalating import escalate
from orchestrator.notify import Notice, message


class EscalateEvent(RunEvent):
    """Which run, why, and whether unreplicated writes may be lost."""

    Reason: str = ""
    AcceptDataLoss: bool = False


@verb
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Escalate a run; one that waits at a gate is let go at once."""
    asked = EscalateEvent.model_validate(event)
    who, _ = caller("escalate_run", event)
    run = escalate(platform(), asked.RunId, who, asked.Reason, accept_data_loss=asked.AcceptDataLoss)
    text = f"by {who.arn}. {asked.Reason}\nThe emergency goes on with what is done; {run.source_region} is not called any more."
    platform().tell(message(Notice.DECISION, run, "becomes an emergency", text))
    let_go(platform().ledger, run.run_id, who.arn)
    return {"Escalated": True, "By": who.arn}
