"""Stop a run after its current steps."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from lambdas.answer_gate import release
from lambdas.boundary import logger, verb
from lambdas.composition import platform
from orchestrator.ending import cancel
from orchestrator.errors import RefusedError
from orchestrator.words import GateStatus


class CancelEvent(BaseModel):
    """Which run, who asks, and why."""

    RunId: str
    By: str
    Reason: str = ""


@verb
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Cancel a run; one that waits at a gate is let go at once."""
    asked = CancelEvent.model_validate(event)
    run = cancel(platform(), asked.RunId, asked.By, asked.Reason)
    for gate in platform().ledger.gates(run.run_id):
        if gate.status is GateStatus.OPEN and gate.token:
            _let_go(gate.token, asked.By)
    return {"Cancelled": True}


def _let_go(token: str, by: str) -> None:
    try:
        release(token, {"cancelled": True, "approver": by})
    except RefusedError as err:  # its 30 minutes are just over: the next move sees the cancellation
        logger.info("gate no longer waits", extra={"reason": err.message})
