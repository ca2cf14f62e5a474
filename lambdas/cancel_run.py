"""Stop a run after its current steps."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.boundary import RunEvent, verb
from lambdas.callers import caller
from lambdas.composition import platform
from lambdas.tokens import let_go
from orchestrator.ending import cancel
from orchestrator.leases import at_its_end


class CancelEvent(RunEvent):
    """Which run, and why."""

    Reason: str = ""


@verb
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Cancel a run; one that waits at a gate is let go at once."""
    asked = CancelEvent.model_validate(event)
    who, _ = caller("cancel_run", event)
    run = cancel(platform(), asked.RunId, who.arn, asked.Reason)
    let_go(platform().ledger, run.run_id, who.arn)
    return {"Cancelled": True, "By": who.arn, "Copies": at_its_end(run)}
