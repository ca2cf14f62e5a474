"""Stop a run after its current steps."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from lambdas.answer_gate import release
from lambdas.boundary import verb
from lambdas.composition import platform
from orchestrator.ending import cancel
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
            release(gate.token, {"cancelled": True, "approver": asked.By})
    return {"Cancelled": True}
