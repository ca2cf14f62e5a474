"""Give a drill more time."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.boundary import RunEvent, verb
from lambdas.callers import caller
from lambdas.composition import platform
from orchestrator.extending import extend
from orchestrator.notify import Notice, message


class ExtendEvent(RunEvent):
    """Which drill, by how much, and why."""

    Minutes: int
    Reason: str = ""


@verb
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Extend the lease of a drill."""
    asked = ExtendEvent.model_validate(event)
    who, _ = caller("extend_lease", event)
    run = extend(platform(), asked.RunId, who, asked.Minutes, asked.Reason)
    assert run.lease is not None
    until = f"{run.lease.until:%Y-%m-%d %H:%M} UTC"
    text = f"by {who.arn}, {asked.Minutes} min more. {asked.Reason}".strip()
    platform().tell(message(Notice.DECISION, run, f"lease extended until {until}", text))
    return {"Until": until, "By": who.arn}
