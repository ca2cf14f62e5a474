"""Resume a paused run."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.boundary import RunEvent, verb
from lambdas.callers import caller
from lambdas.composition import platform
from lambdas.tokens import release
from orchestrator.commands import resume


class ResumeEvent(RunEvent):
    """Which run, and why."""

    Reason: str = ""


@verb
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Resume a run: at once, or by answering the gate it waits at."""
    asked = ResumeEvent.model_validate(event)
    who, order_id = caller("resume_run", event)
    made = resume(platform(), asked.RunId, who, asked.Reason, order_id)
    if made is not None:
        release(str(made.gate.token), made.output)
    return {"Resumed": True, "AtGate": made is not None, "By": who.arn}
