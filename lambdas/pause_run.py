"""Pause a run after the steps in flight."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.boundary import RunEvent, verb
from lambdas.callers import caller
from lambdas.composition import platform
from orchestrator.commands import pause
from orchestrator.notify import Notice, message


class PauseEvent(RunEvent):
    """Which run, and why."""

    Reason: str = ""


@verb
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Pause a run."""
    asked = PauseEvent.model_validate(event)
    who, _ = caller("pause_run", event)
    run = pause(platform(), asked.RunId, who, asked.Reason)
    text = f"by {who.arn}. {asked.Reason}\nGo on with: dr resume {run.run_id} --region {run.target_region}"
    platform().tell(message(Notice.DECISION, run, "paused", text))
    return {"Paused": True, "By": who.arn}
