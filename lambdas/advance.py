"""Take one action one step further."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.boundary import StageEvent, verb
from lambdas.composition import platform


class ActionEvent(StageEvent):
    """A run's action."""

    ActionId: str


@verb
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Take one action one step further."""
    action = ActionEvent.model_validate(event)
    tick = platform().engine.advance(action.RunId, action.StageId, action.ActionId)
    return {"Done": tick.done, "WaitSeconds": tick.wait_seconds}
