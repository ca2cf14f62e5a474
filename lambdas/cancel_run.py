"""Stop a run after its current steps."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.boundary import RunEvent, logger, verb
from lambdas.callers import caller
from lambdas.composition import platform
from lambdas.tokens import release
from orchestrator.ending import cancel
from orchestrator.errors import RefusedError
from orchestrator.words import GateStatus


class CancelEvent(RunEvent):
    """Which run, and why."""

    Reason: str = ""


@verb
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Cancel a run; one that waits at a gate is let go at once."""
    asked = CancelEvent.model_validate(event)
    who, _ = caller("cancel_run", event)
    run = cancel(platform(), asked.RunId, who.arn, asked.Reason)
    for gate in platform().ledger.gates(run.run_id):
        if gate.status is GateStatus.OPEN and gate.token:
            _let_go(gate.token, who.arn)
    return {"Cancelled": True, "By": who.arn}


def _let_go(token: str, by: str) -> None:
    try:
        release(token, {"cancelled": True, "approver": by})
    except RefusedError as err:  # its 30 minutes are just over: the next move sees the cancellation
        logger.info("gate no longer waits", extra={"reason": err.message})
